// Package projections holds the answers: the rows that lists, search and summaries are read from, the pure folds that make them, the
// projector that keeps them up with the log, and the contract of the stores that keep them. Every row can be thrown away and
// made again.
package projections
