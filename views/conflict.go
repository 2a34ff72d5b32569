package views

import "headway/domain"

// ConflictPage is the answer 409: the order moved while somebody typed. Form holds what was typed, a new command id, the head as
// Expected, and the version first seen as Seen.
type ConflictPage struct {
	Order     OrderName
	Seen      int
	Head      int
	Since     []TimelineEntry // versions Seen+1…Head, oldest first
	Earlier   int             // events between Seen and the first of Since, if there are too many to show
	Changes   []Change        // from Seen to Head, field by field
	Redecided domain.Action   // what deciding the same command at Head gives
	Form      Form
}
