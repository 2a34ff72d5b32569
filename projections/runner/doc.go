// Package runner keeps the rows of all projections up with the log, and tells of them: a worker for each projection, one elector that says which
// process runs them, a standby that follows the rows of another process, and a monitor that says how far each projection is.
package runner
