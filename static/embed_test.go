package static_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"headway/static"
)

const maxWeight = 60 << 10 // bytes of script and style, gzip

func get(t *testing.T, method, url, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = url
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	static.New().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sources are the files in this folder that have to be embedded.
func sources(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*.js", "*.css", "*.svg"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	return names
}

func TestEveryFileIsServedForEverUnderItsPath(t *testing.T) {
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	assets := static.New()
	for _, name := range sources(t) {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := get(t, http.MethodGet, assets.Path(name), "")
		if r.StatusCode != http.StatusOK || !bytes.Equal(body(t, r), want) {
			t.Errorf("%s: status %d, or not the bytes of the file", name, r.StatusCode)
		}
		for header, want := range map[string]string{
			"Content-Type": types[filepath.Ext(name)], "Cache-Control": "public, max-age=31536000, immutable",
			"X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding", "Content-Length": strconv.Itoa(len(want)), "Content-Encoding": "",
		} {
			if got := r.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
}

func TestGzipIsSentToThoseWhoAcceptIt(t *testing.T) {
	url := static.New().Path("app.css")
	plain := body(t, get(t, http.MethodGet, url, ""))
	for accept, want := range map[string]string{
		"gzip": "gzip", "br, GZIP;q=0.5": "gzip", "*": "gzip", "gzip;q=0": "", "gzip;q=0, *": "", "*;q=0": "", "br, identity": "", "gzip;q=x": "",
	} {
		r := get(t, http.MethodGet, url, accept)
		if got := r.Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: Content-Encoding is %q, want %q", accept, got, want)
			continue
		}
		if want == "" {
			continue
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Accept-Encoding %q: what is sent is not the file (%v)", accept, err)
		}
	}
}

func TestHeadHasTheHeadersAndNoBody(t *testing.T) {
	r := get(t, http.MethodHead, static.New().Path("app.css"), "gzip")
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Length") == "" || len(body(t, r)) != 0 {
		t.Errorf("status %d, headers %v", r.StatusCode, r.Header)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	r := get(t, http.MethodPost, static.New().Path("app.css"), "")
	if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("status %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
}

func TestNothingElseIsServed(t *testing.T) {
	assets := static.New()
	for rule, url := range map[string]string{
		"a name that is not embedded":        assets.Path("nothing.js"),
		"the source of this package":         assets.Path("embed.go"),
		"a test":                             assets.Path("time.test.mjs"),
		"the folder":                         assets.Path(""),
		"another build":                      static.Prefix + "0123456789ab/main.js",
		"no build":                           static.Prefix + "main.js",
		"a way up":                           assets.Path("../" + assets.Build() + "/main.js"),
		"a way up out of the folder":         assets.Path("../../go.mod"),
		"a way up with a backslash":          assets.Path(`..\..\go.mod`),
		"a name from the root":               assets.Path("/etc/passwd"),
		"a file as if it were a folder":      assets.Path("main.js/"),
		"a name in another case":             assets.Path("MAIN.JS"),
		"a name that ends in a NUL, decoded": assets.Path("main.js\x00"),
	} {
		r := get(t, http.MethodGet, url, "")
		if r.StatusCode != http.StatusNotFound || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s gives %d, Cache-Control %q", rule, url, r.StatusCode, r.Header.Get("Cache-Control"))
		}
	}
}

func TestTheBuildIsShortAndTheSameEachTime(t *testing.T) {
	first, second := static.New().Build(), static.New().Build()
	if first != second || !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(first) {
		t.Errorf("builds %q and %q", first, second)
	}
}

func TestAllScriptAndStyleIsLight(t *testing.T) {
	assets, sum := static.New(), 0
	for _, name := range sources(t) {
		if filepath.Ext(name) == ".svg" {
			continue
		}
		n := len(body(t, get(t, http.MethodGet, assets.Path(name), "gzip")))
		t.Logf("%6d %s", n, name)
		sum += n
	}
	t.Logf("%6d bytes, gzip, of %d", sum, maxWeight)
	if sum > maxWeight {
		t.Errorf("script and style are %d bytes gzip; a page may load %d", sum, maxWeight)
	}
}

func TestEveryImportIsEmbedded(t *testing.T) {
	imported := regexp.MustCompile(`(?m)(?:\bfrom|^import) '([^']+)';`)
	assets := static.New()
	for _, name := range sources(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range imported.FindAllSubmatch(text, -1) {
			neighbour, ok := strings.CutPrefix(string(found[1]), "./")
			if !ok || get(t, http.MethodGet, assets.Path(neighbour), "").StatusCode != http.StatusOK {
				t.Errorf("%s imports %s, which is not embedded", name, found[1])
			}
		}
	}
}

// A strict content security policy holds only if no script makes code or style out of text.
func TestNoScriptNeedsMoreThanTheStrictPolicy(t *testing.T) {
	forbidden := regexp.MustCompile(`\beval\(|new Function\(|setAttribute\('style'|\.cssText|document\.write`)
	for _, name := range sources(t) {
		if filepath.Ext(name) != ".js" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := forbidden.FindString(line); found != "" {
				t.Errorf("%s:%d uses %q", name, i+1, found)
			}
		}
	}
}
