package domain

import (
	"strings"

	"headway/fault"
)

// Action says whether a command would be allowed now, and if not, which rule blocks it.
type Action struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"` // a sentence; empty if allowed
}

// Actions says of each kind of command on an order whether it would be allowed now, in the order of Commands.
type Actions []NamedAction

// NamedAction is an action with what JSON and pages call it: addItem.
type NamedAction struct {
	Name string
	Action
}

// ActionsOf asks the same rules that decide the commands.
func ActionsOf(o Order) Actions {
	return actions(func(c Command) Action { return actionOf(c.Allowed(o)) })
}

// Blocked is the Actions of an order that refuses every command for one reason.
func Blocked(reason string) Actions {
	return actions(func(Command) Action { return Action{Reason: reason} })
}

func actions(of func(Command) Action) Actions {
	var all Actions
	for _, c := range Commands() {
		all = append(all, NamedAction{ActionName(c), of(c)})
	}
	return all
}

// Of is the action of one kind of command, by its name; one that no command has is not allowed.
func (a Actions) Of(name string) Action {
	for _, one := range a {
		if one.Name == name {
			return one.Action
		}
	}
	return Action{}
}

// ActionName is what JSON and pages call a kind of command: an add-item is an addItem.
func ActionName(c Command) string {
	first, rest, _ := strings.Cut(c.Kind(), "-")
	for word := range strings.SplitSeq(rest, "-") {
		if word != "" {
			first += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return first
}

func actionOf(err error) Action {
	if err != nil {
		return Action{Reason: fault.Sentence(err)}
	}
	return Action{Allowed: true}
}

func errNoOrder() error { return fault.Errorf(fault.NotFound, "There is no such order.") }
