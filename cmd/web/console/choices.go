package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"headway/cmd/web/console/input"
	"headway/fault"
	"headway/operations"
)

// setTheme is POST /theme: a choice of this browser alone.
func (s *Server) setTheme(w http.ResponseWriter, r *http.Request) {
	_, _ = s.choose(w, r, themeCookie, "theme", []string{"auto", "light", "dark"})
}

// setStaff is POST /demo/staff.
func (s *Server) setStaff(w http.ResponseWriter, r *http.Request) {
	before := s.person(r)
	if choice, ok := s.choose(w, r, staffCookie, "staff", demoStaff()); ok {
		s.record(r, operations.Start{Who: before, What: operations.Staff, On: "demo", Before: before}, choice)
	}
}

// record puts what has been done on record. It stands whatever becomes of that, so a failure is logged alone.
func (s *Server) record(r *http.Request, start operations.Start, after any) {
	if id := r.Header.Get(correlationHeader); len(id) <= maxCorrelationID {
		start.CorrelationID = id
	}
	if err := (operations.Recorder{Log: s.events, Clock: s.clock}).Note(r.Context(), start, after); err != nil {
		s.log.Warn("an operation is not on record", "request", requestID(r.Context()), "what", start.What, "error", err)
	}
}

// choose keeps a choice in a cookie and goes back to the page; not ok if it is none of those allowed.
func (s *Server) choose(w http.ResponseWriter, r *http.Request, cookie, field string, allowed []string) (choice string, ok bool) {
	in, err := input.Read(r)
	if err != nil {
		s.fail(w, r, err)
		return "", false
	}
	choice = in.Text(field)
	if !slices.Contains(allowed, choice) {
		s.fail(w, r, fault.InvalidField(field, "“%s” is not one of %s.", input.Clip(choice), strings.Join(allowed, ", ")))
		return "", false
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure would lose it on plain http, which the loopback is
		Name: cookie, Value: choice, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, backTo(in.Text("back")), http.StatusSeeOther) //nolint:gosec // backTo lets only our own pages through
	return choice, true
}

// backTo is a page of this console and nothing else.
func backTo(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") ||
		strings.ContainsAny(back, "\\\r\n\t") {
		return "/"
	}
	return back
}
