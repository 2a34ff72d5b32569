//go:build !race

package faultydisk

// Every is the distance of the operations that a test has fail: each of them. Under the race detector, which makes SQLite twenty times slower
// and has nothing to do with disks, it is longer.
const Every = 1
