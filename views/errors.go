package views

import (
	"headway/fault"
)

// ErrorPage is every answer that has no page of its own. Kept and Next are filled from the kind if they are empty.
type ErrorPage struct {
	Kind      fault.Kind
	Status    int
	Message   string             // what happened: a sentence
	Fields    []fault.FieldError // of the query or body
	Kept      string             // what was kept: a sentence
	Next      []Link             // what to do next; the first is the main one
	RetryIn   int                // seconds; 0 says nothing
	RequestID string
}

// NotFoundPage is the answer 404, with a search box.
type NotFoundPage struct {
	Message   string // a sentence: what there is not
	Text      string // in the search box
	RequestID string
}
