package domain

// RoundDecimal is roundDecimal, for its own table of rules.
var RoundDecimal = roundDecimal
