package domain

// Currency is an ISO 4217 code in upper case.
type Currency string
