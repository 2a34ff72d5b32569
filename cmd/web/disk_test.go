package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/internal/faultydisk"
)

var disks = sync.OnceValues(faultydisk.Install)

// typedForm is a form as a browser sends it.
func typedForm(commandID string) []string {
	return []string{"do", "create", "commandId", commandID, "customerId", "Grace Hopper", "currency", "EUR", "reference", "TYPED-77",
		"items[0].sku", "TEA-1", "items[0].name", "Tea", "items[0].quantity", "3", "items[0].price", "4.50"}
}

// refusedReadably is how a program and a person are told that nothing could be stored: 503, when to come again, a sentence, and to the
// person everything that was typed, with the same command id.
func refusedReadably(t *testing.T, c consoletest.Client, jsonID, formID string) (stored, storedForm bool) {
	t.Helper()
	r := c.PostJSON("/orders", `{"commandId":"`+jsonID+`","customerId":"Ada","currency":"EUR","items":[{"sku":"TEA","name":"Tea","quantity":1,"price":"1"}]}`)
	if r.Status != http.StatusCreated {
		p := consoletest.Decoded[consoletest.Problem](t, r)
		if r.Status != 503 || r.Header.Get("Retry-After") == "" || r.Header.Get("Content-Type") != "application/problem+json" ||
			p.Error.Kind != "unavailable" || !strings.Contains(p.Detail, "is safe.") {
			t.Errorf("a program is told %d %v %s", r.Status, r.Header, r.Body)
		}
	}
	f := c.PostForm("/orders", typedForm(formID)...)
	if f.Status != http.StatusSeeOther {
		if f.Status != 503 || f.Header.Get("Retry-After") == "" || !strings.Contains(f.Header.Get("Content-Type"), "text/html") {
			t.Errorf("a person is told %d %v", f.Status, f.Header)
		}
		for _, typed := range []string{formID, "Grace Hopper", "TYPED-77", "TEA-1", `value="3"`, `value="4.50"`, "is safe."} {
			if !strings.Contains(f.Body, typed) {
				t.Errorf("the form does not say %q any more:\n%s", typed, f.Body)
			}
		}
	}
	return r.Status == http.StatusCreated, f.Status == http.StatusSeeOther
}

// Whichever operation on the disk fails under a running console: the answer is a 503 that can be read, pages still answer, and the same
// command sent again when the disk works is stored once.
func TestEveryOperationUnderAConsoleFails(t *testing.T) {
	all, err := disks()
	if err != nil {
		t.Fatal(err)
	}
	for how, broken := range map[string]faultydisk.Fault{"once": {Half: true}, "the disk is full": {Stays: true, Full: true}} {
		t.Run(how, func(t *testing.T) {
			var disk *faultydisk.Disk
			app := openApp(t)
			disk = all.At(app.Settings.Folder())
			if err := errors.Join(app.Close(), app.Open()); err != nil { // now on that disk
				t.Fatal(err)
			}
			h := httptest.NewServer(app.server().Handler())
			defer h.Close()
			c := consoletest.Client{T: t, URL: h.URL}
			want, refused := 0, 0
			for n, hit := 1+rand.IntN(faultydisk.Every()), 1; hit > 0; n += faultydisk.Every() {
				broken.N = n
				disk.Break(broken)
				ids := []string{uuid.NewString(), uuid.NewString()}
				stored, storedForm := refusedReadably(t, c, ids[0], ids[1])
				for _, path := range []string{"/", "/orders", "/orders/new", "/events", "/healthz"} {
					c.Get(path).Wants(t, 200)
				}
				if !stored || !storedForm {
					refused++
				}
				hit = disk.Mend()
				if stored, storedForm = refusedReadably(t, c, ids[0], ids[1]); !stored || !storedForm {
					t.Errorf("operation %d: with a disk that works again the commands were refused", n)
				}
				want += 2
			}
			if got := countEvents(t, app.Events); got != want {
				t.Errorf("%d events are stored, want %d", got, want)
			}
			if refused == 0 {
				t.Error("nothing was refused")
			}
			t.Logf("%d pairs of commands, %d refused", want/2, refused)
		})
	}
}

// A disk that is really full, under the real program: it says so, its pages answer, and it goes on by itself when there is room again.
func testFullDisk(t *testing.T, program string) {
	dir := t.TempDir()
	command, env := will{Folder: dir, Full: true}.program()
	p := startServerAs(t, env, command, dir)
	c := consoletest.Client{T: t, URL: p.url}
	if stored, _ := refusedReadably(t, c, uuid.NewString(), uuid.NewString()); !stored {
		t.Fatal("the first command was refused")
	}
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	ids := []string{"", ""}
	eventually(t, "the disk is full", func() bool {
		ids = []string{uuid.NewString(), uuid.NewString()}
		stored, storedForm := refusedReadably(t, c, ids[0], ids[1])
		return !stored && !storedForm
	})
	for range 3 {
		if stored, storedForm := refusedReadably(t, c, ids[0], ids[1]); stored || storedForm {
			t.Error("a command was stored on a full disk")
		}
		for _, path := range []string{"/", "/orders", "/orders/new", "/customers", "/events", "/projections", "/healthz"} {
			c.Get(path).Wants(t, 200)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "there is room again", func() bool {
		stored, storedForm := refusedReadably(t, c, ids[0], ids[1])
		return stored && storedForm
	})
	t.Logf("commands are taken again %s after there is room", time.Since(began).Round(time.Millisecond))
	eventually(t, "the rows are current", func() bool {
		rows := get[ordersSeen](t, p.url+"/orders?q="+url.QueryEscape("TYPED-77")).Orders
		for _, row := range rows {
			if row.Stamp.State != "current" {
				return false
			}
		}
		return len(rows) > 1
	})
	p.stop(t)
	verifyClean(t, program, dir)
}
