//go:build race

package main

// raced says that the race detector watches, which makes a simulation slow.
const raced = true
