package console

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"headway/fault"
)

// The bounds of one request and one connection.
const (
	MaxBodyBytes      = 1 << 20
	MaxHeaderBytes    = 32 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	requestTimeout    = 15 * time.Second // of a handler's work on the stores
)

const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure adds the headers that every answer has, and bounds the body. Pages are not to be kept anywhere; static files
// say themselves how long they may be.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, MaxBodyBytes)
		next.ServeHTTP(w, r)
	})
}

// knownHost refuses names that are not the loopback's: a page elsewhere could point its own name here (DNS rebinding).
func (s *Server) knownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsLoopback(r.Host) {
			s.fail(w, r, fault.Errorf(fault.Forbidden, "Headway answers only under the names localhost and 127.0.0.1."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses what another site's page sends here.
func (s *Server) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.Errorf(fault.Forbidden, "Another site's page sent this, so nothing was done."))
	}))
	return guard.Handler(next)
}

// IsLoopback tells whether a host, with or without a port, is this machine itself.
func IsLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
