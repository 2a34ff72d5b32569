package storetest

import (
	"math"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
)

// A history is refused exactly when no order of its calls explains what was heard.
func TestHistory(t *testing.T) {
	call := func(from, to int64, command string, expect, events int, a heard) porcupine.Operation {
		return porcupine.Operation{Call: from, Return: to, Input: asked{command, expect, events}, Output: a}
	}
	stored := func(from, to int64, command string, expect, events int) porcupine.Operation {
		return call(from, to, command, expect, events, heard{first: expect + 1, last: expect + events})
	}
	conflict := func(from, to int64, command string, expect, head int) porcupine.Operation {
		return call(from, to, command, expect, 1, heard{conflict: true, head: head})
	}
	open := func(from int64, command string, expect int) porcupine.Operation {
		return call(from, math.MaxInt64, command, expect, 1, heard{unknown: true})
	}
	read := func(from, to int64, commands ...string) porcupine.Operation {
		return call(from, to, "", 0, 0, heard{read: stream(strings.Join(commands, "\n") + "\n")})
	}
	empty := func(from, to int64) porcupine.Operation { return call(from, to, "", 0, 0, heard{}) }
	for rule, c := range map[string]struct {
		legal bool
		calls []porcupine.Operation
	}{
		"one after the other":                             {true, []porcupine.Operation{empty(0, 1), stored(2, 3, "a", 0, 2), stored(4, 5, "b", 2, 1), read(6, 7, "a", "a", "b")}},
		"a conflict tells the head":                       {true, []porcupine.Operation{stored(0, 1, "a", 0, 2), conflict(2, 3, "b", 1, 2)}},
		"a conflict at the head":                          {false, []porcupine.Operation{stored(0, 1, "a", 0, 2), conflict(2, 3, "b", 2, 2)}},
		"a conflict with a head that was passed":          {false, []porcupine.Operation{stored(0, 1, "a", 0, 1), stored(2, 3, "b", 1, 1), conflict(4, 5, "c", 0, 1)}},
		"a conflict with a head that is passed meanwhile": {true, []porcupine.Operation{stored(0, 1, "a", 0, 1), stored(2, 5, "b", 1, 1), conflict(2, 5, "c", 0, 1)}},
		"a conflict with a head that comes later":         {false, []porcupine.Operation{conflict(0, 1, "b", 1, 2), stored(2, 3, "a", 0, 2)}},
		"a conflict with one's own command":               {false, []porcupine.Operation{open(0, "a", 0), conflict(2, 3, "a", 0, 1), read(4, 5, "a")}},
		"two writers who both won":                        {false, []porcupine.Operation{stored(0, 9, "a", 0, 1), stored(0, 9, "b", 0, 1)}},
		"a command that is answered again":                {true, []porcupine.Operation{stored(0, 1, "a", 0, 1), stored(2, 3, "b", 1, 1), stored(4, 5, "a", 0, 1), read(6, 7, "a", "b")}},
		"a command that is stored again":                  {false, []porcupine.Operation{stored(0, 1, "a", 0, 1), stored(2, 3, "a", 1, 1)}},
		"a command that is read twice":                    {false, []porcupine.Operation{stored(0, 1, "a", 0, 1), open(2, "a", 1), read(4, 5, "a", "a")}},
		"one that was acknowledged and is gone":           {false, []porcupine.Operation{stored(0, 1, "a", 0, 1), empty(2, 3)}},
		"one that is stored in part":                      {false, []porcupine.Operation{stored(0, 1, "a", 0, 3), read(2, 3, "a", "a")}},
		"one that is read before it is asked for":         {false, []porcupine.Operation{read(0, 1, "a"), stored(2, 3, "a", 0, 1)}},
		"an open outcome that was stored":                 {true, []porcupine.Operation{open(0, "a", 0), read(2, 3, "a"), stored(4, 5, "b", 1, 1)}},
		"an open outcome that was not stored":             {true, []porcupine.Operation{open(0, "a", 0), stored(2, 3, "b", 0, 1), read(4, 5, "b")}},
		"an open outcome that is stored late":             {true, []porcupine.Operation{open(0, "a", 0), empty(2, 3), read(4, 5, "a")}},
		"an open outcome that is there and gone again":    {false, []porcupine.Operation{open(0, "a", 0), read(2, 3, "a"), empty(4, 5)}},
		"an append that heard nothing":                    {false, []porcupine.Operation{call(0, 1, "a", 0, 1, heard{})}},
	} {
		if got := porcupine.CheckOperations(oneStream(), c.calls); got != c.legal {
			t.Errorf("%s: %t, want %t\n%s", rule, got, c.legal, describe(c.calls))
		}
	}
}
