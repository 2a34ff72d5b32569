package console

import (
	"net/http"
	"slices"
	"strings"

	"headway/cmd/web/console/input"
	"headway/fault"
	"headway/static"
)

// Handler is everything the server answers: the chain from the outside in, then the list of routes.
func (s *Server) Handler() http.Handler {
	h := s.inTurn(s.routed(s.routes()))
	h = input.JSONSuffix(h, static.Prefix)
	h = s.sameOrigin(h)
	h = s.knownHost(h)
	h = secure(h)
	h = s.logged(h)
	return h
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.page(s.overview))

	mux.Handle("GET /orders", s.page(s.orders))
	mux.Handle("GET /orders/new", s.page(s.newOrder))
	mux.Handle("POST /orders", s.page(s.create))
	mux.Handle("GET /orders/{id}", s.page(s.order))
	mux.Handle("POST /orders/{id}/items", s.page(s.addItem))
	mux.Handle("POST /orders/{id}/confirm", s.page(s.confirm))
	mux.Handle("POST /orders/{id}/cancel", s.page(s.cancel))
	mux.Handle("GET /orders/{id}/events", s.page(s.orderEvents))
	mux.Handle("GET /orders/{id}/events/{version}", s.page(s.event))

	mux.Handle("GET /events", s.page(s.allEvents))
	mux.Handle("GET /events/correlation/{id}", s.page(s.correlation))

	mux.Handle("GET /customers", s.page(s.customers))
	mux.Handle("GET /customers/{id}", s.page(s.customer))

	mux.Handle("GET /projections", s.page(s.projections))
	mux.Handle("GET /projections/{name}", s.page(s.projection))

	mux.Handle("GET /audit", s.page(s.audit))
	mux.Handle("GET /audit/{id}", s.page(s.auditEntry))
	mux.HandleFunc("GET /audit.csv", s.auditCSV)
	mux.HandleFunc("GET /audit.ndjson", s.auditNDJSON)

	mux.HandleFunc("POST /theme", s.setTheme)
	if s.demo {
		mux.HandleFunc("POST /demo/staff", s.setStaff)
	}
	mux.Handle("GET /live", s.hub)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET "+static.Prefix, s.static)
	return mux
}

// routed answers what no route takes as every other error is answered.
func (s *Server) routed(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &probe{header: http.Header{}}
		h.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			if form := formPath(r.URL.Path); form != "/" && r.Method == http.MethodGet && !input.WantsJSON(r) { // a bookmark of what a form was answered with
				http.Redirect(w, r, form, http.StatusSeeOther) //nolint:gosec // a path of this server, made from an id that was parsed
				return
			}
			w.Header().Set("Allow", probe.header.Get("Allow"))
			s.fail(w, r, &httpError{http.StatusMethodNotAllowed, "method_not_allowed", "This address does not take " + r.Method + "."})
			return
		}
		s.fail(w, r, fault.Errorf(fault.NotFound, "There is no page at this address."))
	}
}

// formPath is where a GET shows the form that is sent to a path; "/" if there is none.
func formPath(path string) string {
	if path == "/orders" {
		return "/orders/new"
	}
	id, command, _ := strings.Cut(strings.TrimPrefix(path, "/orders/"), "/")
	order, err := input.ParseOrderID(id)
	if err != nil || !slices.Contains([]string{"items", "confirm", "cancel"}, command) {
		return "/"
	}
	return "/orders/" + string(order)
}

// probe learns what the mux would answer.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
