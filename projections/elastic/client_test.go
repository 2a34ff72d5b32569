package elastic

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"headway/fault"
	"headway/projections"
)

// hanging is a node that takes requests and never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// storeOn is a store that knows its indices, on a node of ours.
func storeOn(t *testing.T, node http.RoundTripper) *Store {
	t.Helper()
	c, err := newClient("http://node.invalid", Options{HTTPClient: &http.Client{Transport: node}, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{client: c, names: names{"a"}, clock: time.Now, log: slog.New(slog.DiscardHandler), preparing: make(turn, 1)}
	known := targets{}
	for _, kind := range kinds() {
		known[kind] = target{index: "a-" + kind, uuid: kind}
	}
	s.targets.Store(&known)
	return s
}

func TestAPageDoesNotWaitLongForANodeThatHangs(t *testing.T) {
	asks := map[string]func(ctx context.Context, s *Store) error{
		"Orders": func(ctx context.Context, s *Store) error {
			_, err := s.Orders(ctx, projections.OrderQuery{})
			return err
		},
		"OrderRows": func(ctx context.Context, s *Store) error { _, err := s.OrderRows(ctx, "an-id"); return err },
		"Customers": func(ctx context.Context, s *Store) error {
			_, err := s.Customers(ctx, projections.CustomerQuery{})
			return err
		},
		"Customer": func(ctx context.Context, s *Store) error { _, err := s.Customer(ctx, "ada"); return err },
		"Totals": func(ctx context.Context, s *Store) error {
			_, err := s.Totals(ctx, time.Time{}, time.Now())
			return err
		},
		"States": func(ctx context.Context, s *Store) error { _, err := s.States(ctx); return err },
		"Holds":  func(ctx context.Context, s *Store) error { _, err := s.Holds(ctx, ""); return err },
		"Versions": func(ctx context.Context, s *Store) error {
			_, err := s.Versions(ctx, projections.OrderList, "an-id")
			return err
		},
	}
	for name, ask := range asks {
		synctest.Test(t, func(t *testing.T) {
			s := storeOn(t, hanging{})
			for n := range breakerAfter + 1 {
				began := time.Now()
				err := ask(t.Context(), s)
				took, most := time.Since(began), AskTimeout
				if n == breakerAfter { // by now the store knows
					most = 0
				}
				if fault.KindOf(err) != fault.Unavailable || took > most {
					t.Errorf("%s, time %d: after %v: %v", name, n, took, err)
				}
			}
		})
	}
}

func TestNobodyWaitsForATurnToHearThatTheNodeIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeOn(t, hanging{})
		var all sync.WaitGroup
		for range MaxInFlight {
			all.Go(func() { _ = s.client.bulk(t.Context(), []item{{index: "a", id: "1"}}, false) })
		}
		synctest.Wait()
		for range breakerAfter {
			s.client.breaker.failed(errors.New("refused"))
		}
		began := time.Now()
		if _, err := s.Orders(t.Context(), projections.OrderQuery{}); fault.KindOf(err) != fault.Unavailable || time.Since(began) > 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		all.Wait()
	})
}

func TestWhatIsNotElasticsearchIsNotTakenForIt(t *testing.T) {
	for rule, says := range map[string]string{"a page": "<html>Back soon</html>", "another product": `{"version":{"distribution":"another"}}`} {
		asked := 0
		there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			_, _ = io.WriteString(w, says)
		}))
		var log bytes.Buffer
		s, err := Open(t.Context(), Options{URL: there.URL, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatalf("%s may go again, and is no reason not to start: %v", rule, err)
		}
		_, err = s.States(t.Context())
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Sentence(err), "not Elasticsearch") || asked != 2 {
			t.Errorf("%s: %d requests, %v", rule, asked, err)
		}
		if !strings.Contains(log.String(), errForeign.Error()) {
			t.Errorf("%s: the log has no cause: %s", rule, &log)
		}
		there.Close()
	}
}

func TestThePasswordInTheAddressIsSentAndNeverTold(t *testing.T) {
	const password = "hush-8d1f"
	var user, sent string
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, sent, _ = r.BasicAuth()
		w.WriteHeader(http.StatusUnauthorized)
	}))
	address := strings.Replace(there.URL, "://", "://ada:"+password+"@", 1)
	for _, rule := range []string{"a node that does not let us in", "a node that is away"} {
		var log bytes.Buffer
		s, err := Open(t.Context(), Options{URL: address, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.States(t.Context())
		if fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error()+fault.Sentence(err)+log.String(), password) {
			t.Errorf("%s: %v\n%s", rule, err, &log)
		}
		there.Close()
	}
	if user != "ada" || sent != password {
		t.Errorf("sent: %q, %q", user, sent)
	}
}

func TestACertificateThatNobodyVouchesForIsRefused(t *testing.T) {
	asked := 0
	there := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer there.Close()
	there.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn)
	s, err := Open(t.Context(), Options{URL: there.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.States(t.Context()); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "certificate") || asked > 0 {
		t.Errorf("%d requests, %v", asked, err)
	}
	known, err := Open(t.Context(), Options{URL: there.URL, HTTPClient: there.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := known.States(t.Context()); asked == 0 {
		t.Errorf("with a client that knows it: %v", err)
	}
}
