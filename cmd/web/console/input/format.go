package input

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type formatKey struct{}

// JSONSuffix takes ".json" off the path of a GET and remembers it for WantsJSON; not of a path that begins as one of except does. A dot
// that is escaped (%2E) is part of a name.
func JSONSuffix(next http.Handler, except ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const suffix = ".json"
		own := slices.ContainsFunc(except, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) })
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.EscapedPath(), suffix) && !own {
			r = r.WithContext(context.WithValue(r.Context(), formatKey{}, true))
			url := *r.URL
			url.Path = strings.TrimSuffix(url.Path, suffix)
			url.RawPath = strings.TrimSuffix(url.RawPath, suffix)
			if url.Path == "" || url.Path == "/index" {
				url.Path, url.RawPath = "/", ""
			}
			r.URL = &url
		}
		next.ServeHTTP(w, r)
	})
}

// WantsJSON tells whether a program asks: by the path, by Accept, or by a JSON body without a wish for HTML.
func WantsJSON(r *http.Request) bool {
	if suffix, _ := r.Context().Value(formatKey{}).(bool); suffix {
		return true
	}
	html, jsonType := 0.0, 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		switch media {
		case "text/html", "application/xhtml+xml", "text/*":
			html = max(html, q)
		case "application/json", "application/problem+json", "application/*":
			jsonType = max(jsonType, q)
		}
	}
	if jsonType != html {
		return jsonType > html
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return html == 0 && err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
