// Package fault is what every error of Headway is: a kind for the program, a sentence for a person, a cause for the log. It imports nothing
// of ours, so that every room can speak of errors in the same way.
package fault
