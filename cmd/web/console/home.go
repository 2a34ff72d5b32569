package console

import (
	"strings"

	"headway/cmd/web/console/input"
)

// formPath is where a GET shows the form that is sent to a path; "/" if there is none.
func (s *Server) formPath(path string) string {
	for _, rt := range s.list {
		id, ok := matches(rt.path, path)
		if rt.home == "" || !ok {
			continue
		}
		if !strings.Contains(rt.home, "{id}") {
			return rt.home
		}
		if order, err := input.ParseOrderID(id); err == nil {
			return strings.Replace(rt.home, "{id}", string(order), 1)
		}
	}
	return "/"
}

// matches tells whether a path is one of a route's, and what its {id} is.
func matches(pattern, path string) (id string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return "", false
	}
	for i, part := range want {
		if part == "{id}" {
			id = have[i]
		} else if !strings.HasPrefix(part, "{") && part != have[i] {
			return "", false
		}
	}
	return id, true
}
