package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"headway/domain"
)

func TestEveryKindHasItsNameOnTheWire(t *testing.T) {
	for kind, name := range map[domain.Kind]string{
		domain.Internal: "internal", domain.Malformed: "malformed", domain.Invalid: "invalid", domain.Refused: "refused",
		domain.NotFound: "not_found", domain.Conflict: "conflict", domain.TooLarge: "too_large", domain.Unavailable: "unavailable",
		domain.Forbidden: "forbidden", domain.Unauthenticated: "unauthenticated", domain.Unauthenticated + 1: "internal", -1: "internal",
	} {
		if kind.String() != name {
			t.Errorf("kind %d is %s, not %s", kind, kind, name)
		}
	}
}

func TestAPersonReadsTheSentenceAndTheLogTheCause(t *testing.T) {
	cause := errors.New("disk I/O error on /var/secret")
	err := fmt.Errorf("append: %w", domain.Unreachable(cause, "The event store cannot be reached."))
	if domain.KindOf(err) != domain.Unavailable || domain.Sentence(err) != "The event store cannot be reached." {
		t.Errorf("%v: %s", domain.KindOf(err), domain.Sentence(err))
	}
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "/var/secret") {
		t.Errorf("the log cannot tell the cause: %v", err)
	}
}

func TestAnErrorThatIsNotOursTellsAPersonNothing(t *testing.T) {
	err := errors.New("pq: password authentication failed")
	if domain.KindOf(err) != domain.Internal || domain.Sentence(err) != "Something went wrong." {
		t.Errorf("%v: %s", domain.KindOf(err), domain.Sentence(err))
	}
}

func TestAnErrorAboutAFieldNamesIt(t *testing.T) {
	for kind, err := range map[domain.Kind]*domain.Error{
		domain.Invalid:   domain.InvalidField("items[2].price", "The price %s.", "is odd"),
		domain.Malformed: domain.MalformedField("items[2].price", "The price %s.", "is odd"),
	} {
		want := domain.FieldError{Field: "items[2].price", Message: "The price is odd."}
		if err.Kind != kind || err.Message != want.Message || len(err.Fields) != 1 || err.Fields[0] != want {
			t.Errorf("%+v", err)
		}
		if err.Error() != kind.String()+": The price is odd." {
			t.Errorf("in the log: %s", err)
		}
	}
}
