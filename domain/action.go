package domain

import "headway/fault"

// Action says whether a command would be allowed now, and if not, which rule blocks it.
type Action struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"` // a sentence; empty if allowed
}

// Actions is the state of every button of an order.
type Actions struct {
	AddItem Action `json:"addItem"`
	Confirm Action `json:"confirm"`
	Cancel  Action `json:"cancel"`
}

// ActionsOf asks the same rules that decide the commands.
func ActionsOf(o Order) Actions {
	return Actions{AddItem: actionOf(canAddItem(o)), Confirm: actionOf(canConfirm(o)), Cancel: actionOf(canCancel(o))}
}

// Blocked is the Actions of an order that refuses every command for one reason.
func Blocked(reason string) Actions {
	no := Action{Reason: reason}
	return Actions{AddItem: no, Confirm: no, Cancel: no}
}

func actionOf(err error) Action {
	if err != nil {
		return Action{Reason: fault.Sentence(err)}
	}
	return Action{Allowed: true}
}

func errNoOrder() error { return fault.Errorf(fault.NotFound, "There is no such order.") }
