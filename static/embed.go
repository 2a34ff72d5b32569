// Package static holds the style sheet, the scripts and the pictures of the pages, and serves them under names that change with
// their content, so a browser may keep them for ever.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Prefix is where the Handler has to be served.
const Prefix = "/static/"

const buildLength = 12 // hexadecimal digits

//go:embed *.js *.css *.svg
var files embed.FS

// Assets are the files of one build. All of them stand in one folder named after everything in it: a script imports its neighbours
// by relative names, so a page never mixes two builds.
type Assets struct {
	build string
	files map[string]file
}

type file struct {
	contentType string
	plain       []byte
	gzipped     []byte // nil if it is not shorter
}

// New reads and compresses what is embedded.
func New() *Assets {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("static: what is embedded cannot be listed: %v", err))
	}
	a := &Assets{files: make(map[string]file, len(entries))}
	sum := sha256.New()
	for _, entry := range entries { // sorted by name
		content, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(fmt.Sprintf("static: what is embedded cannot be read: %v", err))
		}
		fmt.Fprintf(sum, "%s %d\n", entry.Name(), len(content))
		sum.Write(content)
		a.files[entry.Name()] = file{contentType: contentType(entry.Name()), plain: content, gzipped: compress(content)}
	}
	a.build = hex.EncodeToString(sum.Sum(nil))[:buildLength]
	return a
}

// Build names everything embedded: another byte in any file is another build.
func (a *Assets) Build() string { return a.build }

// Path is the URL of an embedded file, such as "/static/0123456789ab/main.js". Of a name that is not embedded it is a URL that
// answers 404.
func (a *Assets) Path(name string) string { return Prefix + a.build + "/" + name }

// ServeHTTP answers GET and HEAD for the URLs that Path gives, and 404 for every other name and every other build.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store") // of every answer but the file itself
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD are answered here.", http.StatusMethodNotAllowed)
		return
	}
	f, ok := a.find(r.URL.Path)
	if !ok {
		http.Error(w, "There is no such file in this build.", http.StatusNotFound)
		return
	}
	body := f.plain
	h.Set("Vary", "Accept-Encoding")
	if f.gzipped != nil && acceptsGzip(r.Header.Values("Accept-Encoding")) {
		body = f.gzipped
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the reader has gone: there is nobody to tell
	}
}

// find looks a name up in a list, so no path leads to anything else.
func (a *Assets) find(urlPath string) (file, bool) {
	name, ok := strings.CutPrefix(urlPath, Prefix+a.build+"/")
	if !ok {
		return file{}, false
	}
	f, ok := a.files[name]
	return f, ok
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// compress is the shorter form of content, or nil.
func compress(content []byte) []byte {
	var short bytes.Buffer
	z, err := gzip.NewWriterLevel(&short, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil || short.Len() >= len(content) {
		return nil
	}
	return short.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip, or any with "*", unless its weight is 0.
func acceptsGzip(values []string) bool {
	accepted := false
	for item := range strings.SplitSeq(strings.Join(values, ","), ",") {
		coding, parameter, _ := strings.Cut(item, ";")
		named := strings.EqualFold(strings.TrimSpace(coding), "gzip")
		if !named && strings.TrimSpace(coding) != "*" {
			continue
		}
		accepted = positive(parameter)
		if named { // says more than "*"
			return accepted
		}
	}
	return accepted
}

// positive tells whether a weight such as "q=0.5" is more than 0; without one it is 1.
func positive(parameter string) bool {
	name, weight, ok := strings.Cut(parameter, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return true
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
	return err == nil && q > 0
}
