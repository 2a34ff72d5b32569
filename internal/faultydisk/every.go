package faultydisk

import "testing"

// Every is the distance of the operations that a test has fail: each of them. With -short, which is how the race detector runs, it is
// longer: the detector makes SQLite twenty times slower, and what one goroutine does on a disk is nothing it could find fault with.
func Every() int {
	if testing.Short() {
		return 17
	}
	return 1
}
