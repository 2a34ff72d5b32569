package projections

import (
	"context"
	"fmt"
)

// Difference is one field of one row that is not what the log says.
type Difference struct {
	Projection string // or the name of what a store derives
	ID         string // of the order or customer
	Field      string // empty: the whole row
	Want, Got  string // as text; "nothing" for a row that is not there
}

// String is the difference as a sentence.
func (d Difference) String() string {
	field := d.Field
	if field == "" {
		field = "row"
	}
	return fmt.Sprintf("%s %s: the %s should be %s and is %s.", d.Projection, d.ID, field, d.Want, d.Got)
}

// SelfChecker is a read store that keeps more than rows, such as indexes of its own, and can compare that with its rows.
type SelfChecker interface {
	// Check reports each difference; its error is a failure to look.
	Check(ctx context.Context, report func(Difference)) error
}
