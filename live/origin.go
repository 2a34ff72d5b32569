package live

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// sameOrigin reports whether a handshake comes from a page of this console. A handshake is a GET, which cross-origin protection
// lets through, so the one Origin header must be exactly an allowed origin; without a list, exactly the address that was asked.
func sameOrigin(r *http.Request, allowed []string) bool {
	origins := r.Header.Values("Origin")
	if len(origins) != 1 {
		return false
	}
	origin := canonicalOrigin(origins[0])
	if len(allowed) > 0 {
		return slices.ContainsFunc(allowed, func(a string) bool { return canonicalOrigin(a) == origin })
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return r.Host != "" && origin == canonicalOrigin(scheme+"://"+r.Host)
}

// canonicalOrigin spells an origin as browsers do: lower case, without the scheme's own port.
func canonicalOrigin(origin string) string {
	origin = strings.ToLower(origin)
	scheme, host, _ := strings.Cut(origin, "://")
	usual := map[string]string{"http": "80", "https": "443"}[scheme]
	if _, port, err := net.SplitHostPort(host); err != nil || usual == "" || port != usual { // it fails for two ports
		return origin
	}
	return strings.TrimSuffix(origin, ":"+usual)
}
