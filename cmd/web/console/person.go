package console

import (
	"net/http"
	"slices"
)

const (
	staffCookie = "headway_staff"
	themeCookie = "headway_theme"
	staffHeader = "X-Demo-Staff"

	localPerson = "local" // everyone on the loopback, until there is a sign-in
	demoPerson  = "demo"  // everyone in the demo who has not picked another
)

func demoStaff() []string { return []string{demoPerson, "viewer", "operator", "operator2", "admin"} }

// person is who asks. Outside the demo there is only one.
func (s *Server) person(r *http.Request) string {
	if !s.demo {
		return localPerson
	}
	if name := r.Header.Get(staffHeader); slices.Contains(demoStaff(), name) {
		return name
	}
	if c, err := r.Cookie(staffCookie); err == nil && slices.Contains(demoStaff(), c.Value) {
		return c.Value
	}
	return demoPerson
}

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}
