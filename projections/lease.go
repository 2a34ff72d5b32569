package projections

import "headway/fault"

// Lease says which process runs all projections of a read store. No clock is in it: whether its holder lives is told by its changing.
type Lease struct {
	Holder   string // names one process for as long as it runs; empty: it was given back
	Epoch    int64  // grows whenever the lease changes hands; what is written carries it
	Renewals int64  // grows while it is held
	LogEpoch int64  // grows when the log turns out to be another one, or to have been put back from a backup
}

// Stale is the error of a write whose epoch is older than the lease's.
func Stale() error {
	return fault.Errorf(fault.Conflict, "Another process runs the projections now.")
}

// Moved is the error of a checkpoint that does not continue the stored one.
func Moved() error {
	return fault.Errorf(fault.Conflict, "The checkpoint is not the one that was read.")
}
