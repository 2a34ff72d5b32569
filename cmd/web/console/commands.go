package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

// correlationHeader names the conversation that a request belongs to; without it each command is its own.
const (
	correlationHeader = "X-Correlation-ID"
	maxCorrelationID  = 128
)

// request is a command with who sent it and why. It finishes the input: every complaint about the body is answered here.
func (s *Server) request(r *http.Request, in *input.Body, c domain.Command) (orders.Request, error) {
	req := orders.Request{
		CommandID: in.CommandID(), Command: c, UserID: s.person(r), CorrelationID: r.Header.Get(correlationHeader), Timestamp: s.clock(),
	}
	in.AllowButton() // which button was pressed
	if _, create := c.(domain.CreateOrder); !create {
		req.Expect = in.Version("expectedVersion", "The expected version", !domain.NeedsVersion(c))
		req.Seen = in.Version("seenVersion", "The seen version", true)
		if req.Seen > req.Expect {
			in.Complain("seenVersion", "Nobody has seen a version that is newer than the one expected.")
		}
	}
	if len(req.CorrelationID) > maxCorrelationID ||
		strings.ContainsFunc(req.CorrelationID, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return req, fault.MalformedField("X-Correlation-Id", "A correlation id is at most %d visible ASCII characters.", maxCorrelationID)
	}
	return req, in.Finish(c)
}

// command reads, decides and stores one command on an order that exists.
func (s *Server) command(r *http.Request, c command) (answer, error) {
	id, err := input.OrderID(r)
	if err != nil {
		return answer{}, err
	}
	in, err := input.Read(r)
	if err != nil {
		return answer{}, err
	}
	given, loaded, err := c.read(r.Context(), s, in, id)
	if err != nil {
		return answer{}, err
	}
	req, err := s.request(r, in, given)
	req.OrderID, req.Loaded = id, loaded
	var result orders.Result
	if err == nil {
		result, err = s.commands.Execute(r.Context(), req)
	} else if _, missing := s.load(r.Context(), in, id); fault.KindOf(missing) == fault.NotFound {
		err = missing // nothing in the body matters then
	}
	switch {
	case err == nil:
		return s.stored(r, result, http.StatusOK), nil
	case fault.KindOf(err) == fault.Conflict:
		return answer{}, s.conflict(r.Context(), in, c, req, err)
	case in.IsForm() && fault.KindOf(err) != fault.NotFound:
		return answer{}, s.orderAgain(r.Context(), in, id, c, err)
	}
	return answer{}, err
}

// stored answers a command that was stored, now or by an earlier copy of the same request: a receipt, or the order's page.
func (s *Server) stored(r *http.Request, result orders.Result, status int) answer {
	if !input.WantsJSON(r) {
		return answer{location: fmt.Sprintf("/orders/%s?after=%s@%d", result.OrderID, result.OrderID, result.Version)}
	}
	receipt := s.receiptOf(r.Context(), result)
	a := answer{status: status, json: func() any { return receipt }}
	if status == http.StatusCreated {
		a.location = "/orders/" + string(result.OrderID)
	}
	return a
}

// orderAgain shows the order with the command's form as it was typed, and what is wrong with it. If even the order cannot be shown,
// the error is shown alone.
func (s *Server) orderAgain(ctx context.Context, in *input.Body, id domain.OrderID, c command, err error) error {
	stream, loadErr := s.commands.Load(ctx, id)
	if loadErr != nil {
		return err
	}
	m := s.orderPage(ctx, stream)
	p := problemOf(err)
	form := &m.Forms[slices.IndexFunc(m.Forms, func(f views.Form) bool { return f.Path == c.path })]
	form.Typed, form.Errors, form.Open = in.AllTyped(), p.fields, true
	commandID := in.Text("commandId")
	if _, parseErr := uuid.Parse(commandID); parseErr == nil {
		form.CommandID = commandID // a retry after an unknown outcome must find its own result
	}
	form.Expected = max(in.Version("expectedVersion", "", true), 1)
	form.Seen = in.Version("seenVersion", "", true)
	hidden := slices.ContainsFunc(p.fields, func(f fault.FieldError) bool {
		return slices.Contains([]string{"commandId", "expectedVersion", "seenVersion"}, f.Field)
	})
	if hidden {
		form.CommandID, form.Expected, form.Seen = string(orders.NewCommandID()), stream.Head(), 0
	}
	if hidden || len(p.fields) == 0 {
		m.Problem = p.message
	}
	return &pageError{err: err, answer: s.orderAnswer(stream, m, nil)}
}

// receiptOf says where a stored command has arrived as of now, as far as this process knows.
func (s *Server) receiptOf(ctx context.Context, result orders.Result) wire.Receipt {
	last := result.Records[len(result.Records)-1]
	receipt := wire.Receipt{
		OrderID: result.OrderID, Version: result.Version, Projections: map[string]wire.ReceiptProjection{},
		Events: wire.ListOf(result.Records, func(r eventstore.Record) string { return r.EventID }),
	}
	justMade := !result.Repeat && result.Records[0].Version == 1
	arrived := s.projector.Positions(result.OrderID, last.Version)
	for _, projection := range projections.All() {
		row := s.projector.Newest(ctx, projection.Name, result.OrderID, justMade)
		p := wire.ReceiptProjection{Version: wire.OrNull(row), Current: row >= result.Version}
		if took, ok := tookOf(arrived[projection.Name], last); ok && p.Current {
			ms := wire.Millis(took)
			p.MS = &ms
		}
		receipt.Projections[projection.Name] = p
	}
	receipt.Searchable = receipt.Projections[projections.OrderList].Current // a row of the embedded engine is searchable when it is there
	return receipt
}
