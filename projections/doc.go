// Package projections is what is projected: the rows that lists, search and summaries are read from, the pure folds that make them, and the
// contract of the stores that keep them. Every row can be thrown away and made again.
package projections
