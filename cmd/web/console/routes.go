package console

import (
	"net/http"
	"slices"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/fault"
	"headway/static"
)

// Handler is everything the server answers: the chain from the outside in, then the list of routes.
func (s *Server) Handler() http.Handler {
	h := s.limited(s.routed(muxOf(s.list)))
	h = input.JSONSuffix(h, static.Prefix, openapiPath)
	h = s.sameOrigin(h)
	h = s.knownHost(h)
	h = secure(h)
	h = s.logged(h)
	return h
}

// route is one line of the list of all that is answered.
type route struct {
	method, path string
	does         string // in /openapi.json
	handler      http.Handler
	query        []input.Param // of a GET; any other name is refused
	body         []field       // of a POST
	status       int           // of a success
	gives        any           // the JSON of a success, as any value of its type; nil if it gives none
	home         string        // where a GET shows the form that is sent here; its {id} is the order's
}

// routes is the list. What takes a query takes it from here.
func (s *Server) routes() []route {
	q := input.Param{Name: "q", Does: "Words to find."}
	sort := input.Param{Name: "sort", Does: "A column, with a minus in front to descend."}
	cursor := input.Param{Name: "cursor", Does: "The “next” of the page before."}
	before := input.Param{Name: "before", Does: "The “next” of the page before."}
	list := []route{
		s.get("/{$}", "Numbers of today, projections and the latest events", s.overview, wire.Overview{}),

		s.get("/orders", "List and search orders", s.orders, wire.Orders{}, q,
			input.Param{Name: "status", Does: "Any of these.", Many: true}, input.Param{Name: "customer", Does: "The whole name."},
			input.Param{Name: "from", Does: "Created then or later: a date or a time."},
			input.Param{Name: "to", Does: "Created before: a date or a time."},
			sort, cursor),
		s.get("/orders/new", "What the form of a new order begins with", s.newOrder, wire.NewOrder{},
			input.Param{Name: "copy", Does: "The id of an order to begin with."}),
		s.post("/orders", "Create an order", s.create, http.StatusCreated, createFields(), "/orders/new"),
		s.get("/orders/{id}", "One order, as its events say", s.order, wire.OrderPage{},
			input.Param{Name: "at", Does: "As of this version."},
			input.Param{Name: "after", Does: "ORDER@VERSION, as a receipt leads here: waits a moment for the projections."}),
		s.get("/orders/{id}/events", "The events of an order, newest first", s.orderEvents, wire.Events{}, before),
		s.get("/orders/{id}/events/{version}", "One event, as stored and as it is read today", s.event, wire.EventPage{}),

		s.get("/events", "Events, newest first", s.allEvents, wire.Events{},
			input.Param{Name: "type", Does: "Of this type."}, before,
			input.Param{Name: "q", Does: "An id of an order, a command, an event or a conversation."}),
		s.get("/events/correlation/{id}", "Everything that one conversation caused", s.correlation, wire.Events{}, before),

		s.get("/customers", "List and search customers", s.customers, wire.Customers{}, q, sort, cursor),
		s.get("/customers/{id}", "One customer with a page of orders", s.customer, wire.CustomerPage{}, cursor),

		s.get("/products", "List and search products", s.products, wire.Products{}, q, sort, cursor),
		s.get("/products/{sku}", "One product", s.product, wire.ProductPage{}),
		s.get("/activity", "What a person did on a day", s.activity, wire.Activity{},
			input.Param{Name: "who", Does: "Whose; one's own unless given, and of others for administrators alone."},
			input.Param{Name: "day", Does: "In UTC, as 2026-01-31; today unless given."}, cursor),

		s.get("/projections", "What each projection does", s.projections, wire.Projections{}),
		s.get("/projections/{name}", "One projection", s.projection, wire.Projection{}),
		s.get("/projections/{name}/history", "The highest lag, rate, holds and batch time of a projection in each minute or hour",
			s.projectionHistory, wire.ProjectionHistory{}, input.Param{Name: "span",
				Does: "1h or 24h in minutes, or 30d in hours; 1h unless it is given."}),

		s.get("/history", "How many events were stored in each minute or hour, oldest first; at most 2,880", s.eventHistory, wire.EventHistory{},
			input.Param{Name: "step", Does: "minute or hour; minute unless it is given."},
			input.Param{Name: "from", Does: "From then on: a date or a time; the last 60 unless it is given."},
			input.Param{Name: "to", Does: "Before: a date or a time; now unless it is given."}),

		s.get("/audit", "What was done and is no order's event, newest first", s.audit, wire.Operations{},
			append(auditParams(), cursor)...),
		s.get("/audit/{id}", "One operation on record", s.auditEntry, wire.Operation{}),
		file("/audit.csv", "The record as a table", s.auditCSV, auditParams()...),
		file("/audit.ndjson", "The record, one operation a line", s.auditNDJSON, auditParams()...),

		{method: http.MethodPost, path: "/theme", does: "Choose the colours of this browser", handler: http.HandlerFunc(s.setTheme),
			body: []field{{"theme", text("dark"), required}, {"back", text("/orders"), optional}}, status: http.StatusSeeOther},
		{method: http.MethodGet, path: "/live", does: "The live view, a websocket", handler: s.hub, status: http.StatusSwitchingProtocols},
		{method: http.MethodGet, path: "/healthz", does: "Whether the process is alive", handler: http.HandlerFunc(s.healthz),
			status: http.StatusOK},
		{method: http.MethodGet, path: "/readyz", does: "Whether the console can be used, part by part", handler: http.HandlerFunc(s.readyz),
			status: http.StatusOK, gives: wire.Readiness{}},
		{method: http.MethodGet, path: openapiPath, does: "This document", handler: http.HandlerFunc(s.openapi), status: http.StatusOK},
		{method: http.MethodGet, path: static.Prefix + "{file...}", does: "Styles and scripts", handler: s.static, status: http.StatusOK},
	}
	for _, c := range commands() {
		give := func(r *http.Request) (answer, error) { return s.command(r, c) }
		body := slices.Concat(commandFields(c.kind), c.fields)
		list = append(list, s.post("/orders/{id}/"+c.path, c.does, give, http.StatusOK, body, "/orders/{id}"))
	}
	if s.demo {
		list = append(list, route{method: http.MethodPost, path: "/demo/staff", does: "Choose who to be in the demo",
			handler: http.HandlerFunc(s.setStaff), status: http.StatusSeeOther,
			body: []field{{"staff", text("operator"), required}, {"back", text("/orders"), optional}}})
	}
	return list
}

// get is a page, which programs read as JSON.
func (s *Server) get(path, does string, read func(*http.Request, *input.Query) (answer, error), gives any, query ...input.Param) route {
	h := s.page(func(r *http.Request) (answer, error) { return read(r, input.ParseQuery(r, query...)) })
	return route{method: http.MethodGet, path: path, does: does, handler: h, query: query, status: http.StatusOK, gives: gives}
}

// file is a GET that is answered as it is read.
func file(path, does string, write func(http.ResponseWriter, *http.Request, *input.Query), query ...input.Param) route {
	h := func(w http.ResponseWriter, r *http.Request) { write(w, r, input.ParseQuery(r, query...)) }
	return route{method: http.MethodGet, path: path, does: does, handler: http.HandlerFunc(h), query: query, status: http.StatusOK}
}

// post is a command, which is answered with a receipt.
func (s *Server) post(path, does string, h handler, status int, body []field, home string) route {
	return route{
		method: http.MethodPost, path: path, does: does, handler: s.page(h), body: body, status: status, gives: wire.Receipt{}, home: home,
	}
}

func muxOf(list []route) *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range list {
		mux.Handle(rt.method+" "+rt.path, rt.handler)
	}
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
			form := s.formPath(r.URL.Path)
			if form != "/" && r.Method == http.MethodGet && !input.WantsJSON(r) { // a bookmark of what a form was answered with
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

// probe learns what the mux would answer.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
