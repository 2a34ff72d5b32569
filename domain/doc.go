// Package domain holds the rules of orders: events, commands as pure deciders, money, the codec of events, and the kinds of
// errors. It has no context, clock, I/O or randomness: the same input always gives the same answer.
package domain
