//go:build race

package faultydisk

// Every is the distance of the operations that a test has fail.
const Every = 17
