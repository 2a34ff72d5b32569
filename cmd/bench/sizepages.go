package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// question is one kind of page, by several addresses that are asked in turn.
type question struct {
	name  string
	paths []string
}

// answered is how fast a question was answered, by HTML or JSON.
type answered struct {
	question
	laps [2]lap
	cpu  [2]time.Duration // of the server, for one answer
}

const (
	asHTML = "text/html"
	asJSON = "application/json"
)

// sizePages asks the real program everything.
func (b *bench) sizePages(ctx context.Context, dir string) (err error) {
	p, err := b.serveIn(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	bare, err := b.serveBare(ctx, filepath.Join(dir, "data", "read.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	ask := &asking{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: sizeClients}}, dur: b.dur}
	started, err := processOf(p.pid)
	if err != nil {
		return err
	}
	questions, err := ask.questions(ctx, p.url, b.orders)
	if err != nil {
		return err
	}
	var all []answered
	var least lap
	for _, q := range questions {
		a := answered{question: q}
		for i, accept := range []string{asHTML, asJSON} {
			before, err := processOf(p.pid)
			if err == nil {
				err = ask.lap(ctx, &a.laps[i], p.url, accept, q.paths)
			}
			after, failed := processOf(p.pid)
			if err = errors.Join(err, failed); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			a.cpu[i] = (after.cpu - before.cpu) / time.Duration(max(1, a.laps[i].units))
		}
		if err := ask.lap(ctx, &least, bare.url, asJSON, []string{"/"}); err != nil { // by turns, so that both share the mood of the machine
			return err
		}
		all = append(all, a)
	}
	used, err := processOf(p.pid)
	if err != nil {
		return err
	}
	for _, a := range all {
		for i, as := range []string{"html", "json"} {
			b.out.say(own, "size_"+a.name+"_"+as+"_p95", milliseconds(quantile(a.laps[i].calls, 0.95)), "ms")
		}
	}
	b.out.say("raw/page-by-key", "size_page_p95", milliseconds(quantile(least.calls, 0.95)), "ms")
	b.out.say(own, "size_rss_started", started.now, "MiB")
	b.out.say(own, "size_rss", used.now, "MiB")
	b.out.say(own, "size_rss_max", used.most, "MiB")
	tableOf(b.out.to, all, least)
	return nil
}

// tableOf prints what a reader compares, a line a question.
func tableOf(to io.Writer, all []answered, least lap) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\npage\tHTML p50\tp95\tmax\tcpu\tJSON p50\tp95\tmax\tcpu\tp95 to bare\t")
	bare := quantile(least.calls, 0.95)
	for _, a := range all {
		fmt.Fprintf(w, "%s\t", a.name)
		for i, l := range a.laps {
			fmt.Fprintf(w, "%.1f\t%.1f\t%.1f\t%.1f\t", milliseconds(quantile(l.calls, 0.5)), milliseconds(quantile(l.calls, 0.95)),
				milliseconds(quantile(l.calls, 1)), milliseconds(a.cpu[i]))
		}
		fmt.Fprintf(w, "%.1f\t\n", float64(quantile(a.laps[1].calls, 0.95))/float64(max(bare, 1)))
	}
	fmt.Fprintf(w, "fifty rows by key, bare\t\t\t\t\t%.1f\t%.1f\t%.1f\t\t1.0\t\n", milliseconds(quantile(least.calls, 0.5)), milliseconds(bare),
		milliseconds(quantile(least.calls, 1)))
	_ = w.Flush()
}

// asking is the clients.
type asking struct {
	client *http.Client
	dur    time.Duration
	next   atomic.Int64
}

// lap has all clients ask for the paths in turn until the time is over.
func (a *asking) lap(ctx context.Context, l *lap, base, accept string, paths []string) error {
	return l.add(sizeClients, a.dur, func(int) (int, error) {
		path := paths[int(a.next.Add(1))%len(paths)]
		status, body, err := get(ctx, a.client, base+path, accept)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s: %d %.300s", path, status, body)
		}
		return 1, err
	})
}

// list is what the clients read of a list.
type list struct {
	Orders []struct {
		ID       string `json:"id"`
		Customer string `json:"customerId"`
	} `json:"orders"`
	Next string `json:"next"`
}

// follow reads so many pages, each by the cursor of the one before, and answers the address of the last.
func (a *asking) follow(ctx context.Context, base, path string, pages int) (string, list, error) {
	at, page := path, list{}
	for n := range pages {
		status, body, err := get(ctx, a.client, base+at, asJSON)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s: %d %.300s", at, status, body)
		}
		page = list{}
		if err == nil {
			err = json.Unmarshal(body, &page)
		}
		if err != nil || n == pages-1 || page.Next == "" {
			return at, page, err
		}
		at = path + "&cursor=" + url.QueryEscape(page.Next)
	}
	return at, page, nil
}

// questions are all kinds of pages, with the customers and orders that this store has.
func (a *asking) questions(ctx context.Context, base string, orders int) ([]question, error) {
	deep := min(1000, orders/50)
	var far []string
	var last list
	for _, sort := range []string{"-created", "total"} {
		at, page, err := a.follow(ctx, base, "/orders?sort="+sort, deep)
		if err != nil {
			return nil, err
		}
		far, last = append(far, at), page
	}
	var buyers, theirs, each []string
	for _, o := range last.Orders {
		buyers = append(buyers, "/customers/"+url.PathEscape(o.Customer))
		theirs = append(theirs, "/orders?customer="+url.QueryEscape(o.Customer))
		each = append(each, "/orders/"+o.ID)
	}
	filtered := func(texts ...string) (paths []string) {
		for _, t := range texts {
			paths = append(paths, "/orders?"+t)
		}
		return paths
	}
	texts := func(more string, texts ...string) (paths []string) {
		for _, t := range texts {
			paths = append(paths, "/orders?q="+url.QueryEscape(t)+more)
		}
		return paths
	}
	day := func(months int) string { return time.Now().AddDate(0, -months, 0).Format(time.DateOnly) }
	all := []question{
		{"orders", []string{"/orders"}},
		{fmt.Sprint("orders, page ", deep), far[:1]}, {fmt.Sprint("by total, page ", deep), far[1:]},
	}
	for _, by := range []string{"created", "total", "customer", "status", "items"} {
		all = append(all, question{"by " + by, filtered("sort=" + by)}, question{"by -" + by, filtered("sort=-" + by)})
	}
	return append(all,
		question{"one status", filtered("status=cancelled", "status=created", "status=confirmed")},
		question{"one status, by -total", filtered("status=cancelled&sort=-total", "status=created&sort=-total")},
		question{"two statuses", filtered("status=cancelled&status=created")},
		question{"a month", filtered("from="+day(1), "from="+day(13)+"&to="+day(12), "from="+day(25)+"&to="+day(24))},
		question{"a month, by total", filtered("sort=total&from="+day(1), "sort=total&from="+day(13)+"&to="+day(12))},
		question{"one customer's orders", theirs}, question{"one customer", buyers},
		question{"letter e", texts("", "e")}, question{"letter s", texts("", "s")}, question{"letter z", texts("", "z")},
		question{"any letter or digit", texts("", strings.Split("abcdefghijklmnopqrtuvwxy0123456789", "")...)},
		question{"two letters", texts("", "zu", "gr", "4f", "ab", "so", "ki")},
		question{"a word", texts("", "espresso", "grinder", "lovelace", "zurich", "hazelnut")},
		question{"a reference as it is typed", texts("", "so-2", "so-20", "so-202", "so-2024", "so-2024-1", "so-2024-10", "so-2024-100")},
		question{"three words", texts("", "zinc grinder roasters", "espresso cup ada", "paper tea zurich", "oak tray kyoto", "red jug smith", "so 2025 zinc")},
		question{"three letters", texts("", "a b c", "e s t", "z o r")},
		question{"a word, a month", texts("&from="+day(13)+"&to="+day(12), "tea", "zinc", "e")},
		question{"a word, a status, by -total", texts("&status=cancelled&sort=-total", "zinc", "espresso", "grace")},
		question{"a word, by total", texts("&sort=total", "machine", "zinc", "tearoom")},
		question{"a name, by customer", texts("&sort=customer", "zurich", "yoko", "ada")},
		question{"overview", []string{"/"}}, question{"one order", each},
		question{"customers", []string{"/customers"}},
		question{"customers, by each sort", []string{
			"/customers?sort=customer", "/customers?sort=-customer", "/customers?sort=orders", "/customers?sort=-orders", "/customers?sort=last",
		}},
		question{"customers, a name", []string{"/customers?q=zur", "/customers?q=a", "/customers?q=ltd+grace", "/customers?q=yoko&sort=-orders"}},
		question{"events", []string{"/events", "/events?type=OrderCancelled", "/events?type=OrderConfirmed"}},
		question{"projections", []string{"/projections"}},
	), nil
}

// serveBare starts the least that can answer a page, in a process of its own.
func (b *bench) serveBare(ctx context.Context, path string) (*program, error) {
	me, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, me, "-bench", pageServer, "-dir", path) //nolint:gosec // it is this program
	cmd.Stderr = os.Stderr
	address, err := started(cmd)
	if err != nil {
		return nil, err
	}
	return &program{url: address, stop: func() error {
		_ = cmd.Process.Kill() // it keeps nothing
		_ = cmd.Wait()         // killed, as it should be
		return nil
	}}, nil
}

// servePages reads fifty rows from a place at random, by their keys, and sends them.
func servePages(ctx context.Context, path string, to io.Writer) error {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it was only read
	db.SetMaxOpenConns(sizeClients)
	db.SetMaxIdleConns(sizeClients)
	var first, last int64
	if err := db.QueryRowContext(ctx, `SELECT min(no), max(no) FROM orders`).Scan(&first, &last); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		page, err := pageFrom(r.Context(), db, first+rand.Int64N(max(1, last-first))) //nolint:gosec // not a secret
		if err == nil {
			err = json.NewEncoder(w).Encode(page)
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	fmt.Fprintf(to, "http://%s\n", listener.Addr())
	server := &http.Server{Handler: http.HandlerFunc(handler), ReadHeaderTimeout: time.Second}
	return server.Serve(listener)
}

// bareRow is the least of a row.
type bareRow struct {
	ID, Reference, Customer, Status, Currency string
	Items, Total, Created, Version            int64
}

func pageFrom(ctx context.Context, db *sql.DB, no int64) (page []bareRow, err error) {
	rows, err := db.QueryContext(ctx, `SELECT id, reference, customer, status, items, total, currency, createdAt, version
		FROM orders WHERE no >= ? ORDER BY no LIMIT 50`, no)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r bareRow
		if err := rows.Scan(&r.ID, &r.Reference, &r.Customer, &r.Status, &r.Items, &r.Total, &r.Currency, &r.Created, &r.Version); err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	return page, rows.Err()
}
