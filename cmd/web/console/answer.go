package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/fault"
	"headway/views"
)

// answer is what a handler shows: JSON or a page, whichever was asked for; only that one is made.
type answer struct {
	status   int    // 0 means 200
	location string // for 201 and 303; a form gets a redirect and no page
	title    string
	nav      views.Nav
	watch    []string // topics the page follows
	search   string   // in the top bar's search box
	json     func() any
	page     func(views.Frame) templ.Component
}

// handler does what a request asks for and says what to show. An error may be a *pageError.
type handler func(r *http.Request) (answer, error)

// pageError is an error that has a page of its own: a form with what was typed, or the list with its filter.
type pageError struct {
	err      error
	answer   answer
	conflict *wire.Conflict
}

func (e *pageError) Error() string { return e.err.Error() }
func (e *pageError) Unwrap() error { return e.err }

// page answers with what the handler shows. The hub's sequence is taken before the first read, so that no news falls between; a program has
// no use for it, and taking it has the hub expect a page.
func (s *Server) page(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		if r.Method != http.MethodPost {
			done, ok := s.pages.acquireBriefly(ctx)
			if !ok {
				s.fail(w, r, tooBusy())
				return
			}
			defer done()
		}
		r = r.WithContext(s.freshness.sharingStatuses(ctx))
		seq := ""
		if !input.WantsJSON(r) {
			seq = s.hub.Seq()
		}
		a, err := h(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.show(w, r, a, seq)
	})
}

func (s *Server) show(w http.ResponseWriter, r *http.Request, a answer, seq string) {
	if input.WantsJSON(r) {
		if a.location != "" {
			w.Header().Set("Location", a.location)
		}
		s.writeJSON(w, r, max(a.status, http.StatusOK), "application/json", a.json())
		return
	}
	if a.location != "" {
		http.Redirect(w, r, a.location, http.StatusSeeOther)
		return
	}
	s.writePage(w, r, a, seq)
}

// fail answers an error, and logs it with its cause if it is ours.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		// Who asked has stopped sending, which need not mean that they have stopped reading: silence would be a 200, a promise.
		setErrorHeaders(w.Header(), http.StatusServiceUnavailable)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	p := problemOf(err)
	if p.status >= http.StatusInternalServerError {
		s.log.Error("answered with an error", "request", requestID(r.Context()), "status", p.status, "error", err)
	}
	setErrorHeaders(w.Header(), p.status)
	own, _ := errors.AsType[*pageError](err)
	switch {
	case input.WantsJSON(r):
		body := wire.ProblemOf(p.status, p.kind, p.message, p.fields, requestID(r.Context()))
		if own != nil {
			body.Conflict = own.conflict
		}
		s.writeJSON(w, r, p.status, "application/problem+json", body)
	case own != nil && own.answer.page != nil:
		own.answer.status = p.status
		s.writePage(w, r, own.answer, s.hub.Seq())
	default:
		s.writePage(w, r, s.errorPage(r, p, fault.KindOf(err)), s.hub.Seq())
	}
}

func (s *Server) errorPage(r *http.Request, p problem, kind fault.Kind) answer {
	a, id := answer{status: p.status, title: p.message, search: r.URL.Query().Get("q")}, requestID(r.Context())
	if p.status == http.StatusNotFound {
		a.title = "Not found"
		a.page = func(f views.Frame) templ.Component {
			return views.NotFound(f, views.NotFoundPage{Message: p.message, RequestID: id})
		}
		return a
	}
	m := views.ErrorPage{Kind: kind, Status: p.status, Message: p.message, Fields: p.fields, RequestID: id}
	if p.status < http.StatusInternalServerError && kind == fault.Internal { // 405 and 415 are the asker's to mend
		m.Kind = fault.Malformed
	}
	if len(p.fields) == 1 && p.fields[0].Message == p.message {
		m.Fields = nil // said already
	}
	if p.status == http.StatusServiceUnavailable {
		m.RetryIn = retryAfter
	}
	if r.Method != http.MethodPost {
		m.Kept = "Nothing was changed."
	}
	a.page = func(f views.Frame) templ.Component { return views.Error(f, m) }
	return a
}

// keptBuffer is how large a buffer may be that is used again, in bytes.
const keptBuffer = 256 << 10

// buffer is for an answer, which is whole or not sent at all. It is given back after the answer has been sent.
func (s *Server) buffer() (b *bytes.Buffer, giveBack func()) {
	b, used := s.buffers.Get().(*bytes.Buffer)
	if !used {
		b = &bytes.Buffer{}
	}
	return b, func() {
		if b.Cap() <= keptBuffer {
			b.Reset()
			s.buffers.Put(b)
		}
	}
}

func (s *Server) writePage(w http.ResponseWriter, r *http.Request, a answer, seq string) {
	b, giveBack := s.buffer()
	defer giveBack()
	if err := a.page(s.frame(r, a, seq)).Render(r.Context(), b); err != nil {
		s.log.Error("page not rendered", "request", requestID(r.Context()), "error", err)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(max(a.status, http.StatusOK))
	_, _ = b.WriteTo(w) // an error here is a reader who left
}

func (s *Server) writeJSON(w http.ResponseWriter, r *http.Request, status int, media string, body any) {
	b, giveBack := s.buffer()
	defer giveBack()
	encoder := json.NewEncoder(b)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(body); err != nil {
		s.log.Error("answer not encoded", "request", requestID(r.Context()), "error", err)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// frame is what surrounds a page.
func (s *Server) frame(r *http.Request, a answer, seq string) views.Frame {
	f := views.Frame{
		Title: a.title, Nav: a.nav, Path: r.URL.RequestURI(), Build: s.build, Seq: seq, Watch: a.watch, Query: a.search,
		Person: s.person(r), Demo: s.demo, Theme: themeOf(r), Assets: s.assets(), Zone: s.zone, Headway: s.freshness.bars(r.Context()),
	}
	if r.Method == http.MethodPost {
		f.Home = s.formPath(r.URL.Path)
		f.Path = f.Home
	}
	if s.demo {
		f.DemoStaff = demoStaff()
	}
	return f
}

// assets are the files that every page loads.
func (s *Server) assets() views.Assets {
	return views.Assets{Styles: []string{s.static.Path("app.css")}, Scripts: []string{s.static.Path("main.js")},
		Icon: s.static.Path("icon.svg")}
}

type requestKey struct{}

// requestID is the id of the request that ctx belongs to.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
