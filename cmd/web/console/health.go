package console

import (
	"io"
	"net/http"
	"strconv"

	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/fault"
	"headway/orders"
	"headway/views"
)

// noOrder is what the log is asked about to see whether it answers.
const noOrder = domain.OrderID("00000000-0000-0000-0000-000000000000")

// healthz says that the process is alive, and nothing else.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "alive\n")
}

// readyz says whether both stores answer and every projection runs, part by part.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	parts := map[string]string{"events": "ok", "read": "ok"}
	ready := true
	fail := func(part, sentence string) { parts[part], ready = sentence, false }
	if _, err := s.events.Heads(r.Context(), orders.StreamOf(noOrder)); err != nil {
		fail("events", fault.Sentence(err))
	}
	if _, err := s.read.States(r.Context()); err != nil {
		fail("read", fault.Sentence(err))
	}
	for _, c := range s.freshness.cards(r.Context()) {
		parts[c.Name] = string(c.State)
		if c.State == views.Stalled || c.State == views.Unreachable {
			ready = false
		}
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	s.writeJSON(w, r, status, "application/json", wire.Readiness{Ready: ready, Parts: parts})
}
