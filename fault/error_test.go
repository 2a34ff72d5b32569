package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"headway/fault"
)

func TestEveryKindHasItsNameOnTheWire(t *testing.T) {
	for kind, name := range map[fault.Kind]string{
		fault.Internal: "internal", fault.Malformed: "malformed", fault.Invalid: "invalid", fault.Refused: "refused",
		fault.NotFound: "not_found", fault.Conflict: "conflict", fault.TooLarge: "too_large", fault.Unavailable: "unavailable",
		fault.Forbidden: "forbidden", fault.Unauthenticated: "unauthenticated", fault.Unauthenticated + 1: "internal", -1: "internal",
	} {
		if kind.String() != name {
			t.Errorf("kind %d is %s, not %s", kind, kind, name)
		}
	}
}

func TestAPersonReadsTheSentenceAndTheLogTheCause(t *testing.T) {
	cause := errors.New("disk I/O error on /var/secret")
	err := fmt.Errorf("append: %w", fault.Unreachable(cause, "The event store cannot be reached."))
	if fault.KindOf(err) != fault.Unavailable || fault.Sentence(err) != "The event store cannot be reached." {
		t.Errorf("%v: %s", fault.KindOf(err), fault.Sentence(err))
	}
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "/var/secret") {
		t.Errorf("the log cannot tell the cause: %v", err)
	}
}

func TestAnErrorThatIsNotOursTellsAPersonNothing(t *testing.T) {
	err := errors.New("pq: password authentication failed")
	if fault.KindOf(err) != fault.Internal || fault.Sentence(err) != "Something went wrong." {
		t.Errorf("%v: %s", fault.KindOf(err), fault.Sentence(err))
	}
}

func TestAnErrorAboutAFieldNamesIt(t *testing.T) {
	for kind, err := range map[fault.Kind]*fault.Error{
		fault.Invalid:   fault.InvalidField("items[2].price", "The price %s.", "is odd"),
		fault.Malformed: fault.MalformedField("items[2].price", "The price %s.", "is odd"),
	} {
		want := fault.FieldError{Field: "items[2].price", Message: "The price is odd."}
		if err.Kind != kind || err.Message != want.Message || len(err.Fields) != 1 || err.Fields[0] != want {
			t.Errorf("%+v", err)
		}
		if err.Error() != kind.String()+": The price is odd." {
			t.Errorf("in the log: %s", err)
		}
	}
}
