package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"headway/live"
)

func TestHelloComesFirstWithTheBuildAndTheSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{Build: `b"1`}))
		s.hub.Publish(head("orders", "a", 1))
		hello := s.dial().next()
		if len(hello) != 1 || hello[0].Type != "hello" || hello[0].Build != `b"1` || hello[0].Seq != s.hub.Seq() {
			t.Fatalf("first frame = %+v, want hello with the build and %s", hello, s.hub.Seq())
		}
	})
}

func TestAPageHearsItsTopicsAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		p := s.open("", "orders", "order:a")
		p.rows()
		s.hub.Publish(row("projections", "x", 1))
		both := row("orders", "a", 2)
		both.Topics = append(both.Topics, "order:a")
		s.hub.Publish(both)
		if got, want := told(p.rows()), []string{"row a v2"}; !slices.Equal(got, want) {
			t.Fatalf("told %v, want %v: once, though two topics match", got, want)
		}
		p.watch("", "projections")
		p.rows()
		s.hub.Publish(row("orders", "a", 3))
		s.hub.Publish(row("projections", "x", 2))
		if got, want := told(p.rows()), []string{"row x v2"}; !slices.Equal(got, want) {
			t.Fatalf("told %v, want %v: a watch replaces the one before", got, want)
		}
	})
}

func TestWhatComesTogetherIsOneTextAndTheNewestOfAKeyWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		p := s.open("", "orders")
		p.rows()
		time.Sleep(time.Second)              // past the gap after the beat
		s.hub.Publish(row("orders", "a", 1)) // on its way when the others come
		synctest.Wait()
		for version := 1; version <= 40; version++ {
			s.hub.Publish(row("orders", "b", version))
			s.hub.Publish(row("orders", "c", version))
		}
		s.hub.Publish(head("orders", "b", 41))
		if got, want := told(p.next()), []string{"row a v1"}; !slices.Equal(got, want) {
			t.Fatalf("first told %v, want %v", got, want)
		}
		if got, want := told(p.next()), []string{"row b v40", "row c v40", "head b v41"}; !slices.Equal(got, want) {
			t.Fatalf("then told %v, want %v in one text", got, want)
		}
	})
}

func TestAQuietHubBeatsSoThatPagesKnowItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		p := s.open("", "orders")
		p.rows()
		s.hub.Publish(row("other", "x", 1))
		before := time.Now()
		for range 4 {
			beat := p.next()
			if len(beat) != 1 || beat[0].Type != "beat" || beat[0].Seq != s.hub.Seq() {
				t.Fatalf("got %+v, want a beat at %s, whatever other topics heard", beat, s.hub.Seq())
			}
		}
		if silence := time.Since(before) / 4; silence > 6*time.Second {
			t.Fatalf("%v between beats; a page calls 12 s of silence unknown", silence)
		}
	})
}

func TestAPageThatComesBackMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		s.hub.Publish(row("orders", "a", 1))
		since := s.hub.Seq()
		s.hub.Publish(row("orders", "a", 2))
		s.hub.Publish(row("orders", "b", 1))
		s.hub.Publish(row("order:z", "z", 1))
		s.hub.Publish(row("orders", "a", 3))
		p := s.open(since, "orders")
		if got, want := told(p.rows()), []string{"row b v1", "row a v3"}; !slices.Equal(got, want) {
			t.Fatalf("told %v, want %v: each once, or a newer one of its key", got, want)
		}
		p.watch(since, "orders", "order:z")
		if got, want := told(p.rows()), []string{"row b v1", "row z v1", "row a v3"}; !slices.Equal(got, want) {
			t.Fatalf("told %v, want %v: a wider watch brings what its new topics missed", got, want)
		}
		again := s.open(s.hub.Seq(), "orders")
		if got := told(again.rows()); len(got) != 0 {
			t.Fatalf("told %v, want nothing: it had seen everything", got)
		}
	})
}

func TestWhoCannotResumeIsToldToResync(t *testing.T) {
	for _, test := range []struct {
		rule  string
		since func(*live.Hub) string
		news  func(*live.Hub)
	}{
		{"another hub's sequence", func(*live.Hub) string { return live.New(live.Options{}).Seq() }, nil},
		{"not a sequence", func(*live.Hub) string { return "yesterday" }, nil},
		{"a sequence from the future", func(h *live.Hub) string { return h.Seq() + "9" }, nil},
		{"more news than the hub keeps", (*live.Hub).Seq, func(h *live.Hub) {
			for n := range 8193 {
				h.Publish(row("orders", "a", n))
			}
		}},
		{"more bytes than the hub keeps", (*live.Hub).Seq, func(h *live.Hub) {
			for n := range 40 {
				m := row("orders", "a", n)
				m.Body = fmt.Appendf(nil, `{"type":"row","id":"a","html":%q}`, strings.Repeat("x", 240<<10))
				h.Publish(m)
			}
		}},
		{"news that nobody rendered", (*live.Hub).Seq, func(h *live.Hub) { h.Publish(live.Message{Topics: []string{"orders"}, Key: "k"}) }},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, live.New(live.Options{}))
				s.hub.Publish(row("orders", "a", 1))
				since := test.since(s.hub)
				if test.news != nil {
					test.news(s.hub)
				}
				got := told(s.open(since, "orders").rows())
				if got = slices.Compact(got); !slices.Equal(got[:1], []string{"resync  v0"}) {
					t.Fatalf("told %v, want a resync", got)
				}
			})
		})
	}
}

func TestTheRingHoldsExactlyItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		s.hub.Publish(row("orders", "a", 0))
		since := s.hub.Seq()
		for n := range 8192 {
			s.hub.Publish(row("orders", "a", n))
		}
		if got, want := told(s.open(since, "orders").rows()), []string{"row a v8191"}; !slices.Equal(got, want) {
			t.Fatalf("told %v, want %v", got, want)
		}
	})
}

func TestABodyThatCannotBeSentBecomesAResync(t *testing.T) {
	for _, test := range []struct{ rule, body string }{
		{"no body: nobody rendered it", ""},
		{"not JSON", `{"type":`},
		{"an array", `[1]`},
		{"two objects", `{}{}`},
		{"larger than the bound", `{"html":"` + strings.Repeat("x", 256<<10) + `"}`},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, live.New(live.Options{}))
				p := s.open("", "orders")
				p.rows()
				s.hub.Publish(live.Message{Topics: []string{"orders"}, Body: []byte(test.body)})
				got := p.next()
				if got[0].Type != "resync" || got[0].Seq != s.hub.Seq() {
					t.Fatalf("told %+v, want a resync at %s", got, s.hub.Seq())
				}
			})
		})
	}
}

func TestAnEmptyObjectAndSpaceAroundOneAreBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		p := s.open("", "orders")
		p.rows()
		for _, body := range []string{`{}`, "\n{ \"type\" : \"row\" \n}\n"} {
			s.hub.Publish(live.Message{Topics: []string{"orders"}, Body: []byte(body)})
			if got := p.next(); got[0].Seq != s.hub.Seq() || got[0].Type == "resync" {
				t.Fatalf("%q came as %+v, want it with its sequence", body, got)
			}
		}
	})
}

func TestWatchedIsTrueWhileSomeoneWatchesOrAPageLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		want := func(topic string, watched bool, rule string) {
			t.Helper()
			if s.hub.Watched(topic) != watched {
				t.Errorf("Watched(%q) = %v: %s", topic, !watched, rule)
			}
		}
		want("orders", false, "no one is there")
		s.hub.Seq()
		want("orders", true, "a page has taken the sequence and will watch")
		time.Sleep(31 * time.Second)
		want("orders", false, "that page never came")
		p := s.open("", "orders")
		want("orders", true, "a page watches it")
		want("order:a", false, "no page watches it")
		p.watch("", "order:a")
		want("orders", false, "the page watches something else now")
		if err := p.conn.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want("order:a", false, "the page has gone")
		if n := s.hub.Connections(); n != 0 {
			t.Errorf("%d connections, want 0: the page has gone", n)
		}
	})
}

func TestWhatIsTooMuchForOneTextComesInSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		since := s.hub.Seq()
		for n := range 8192 {
			s.hub.Publish(head("orders", "a", n))
		}
		p := s.open(since, "orders")
		for n := 0; n < 8192; {
			_, data, err := p.conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > 64<<10+2 {
				t.Fatalf("a text of %d bytes, want at most 64 KiB of frames", len(data))
			}
			var frames []frame
			if err := json.Unmarshal(data, &frames); err != nil {
				t.Fatal(err)
			}
			for _, f := range frames {
				if f.V != n {
					t.Fatalf("told v%d, want v%d: all, in their order", f.V, n)
				}
				n++
			}
		}
		if got := told(p.rows()); len(got) != 0 {
			t.Fatalf("told %v as well", got)
		}
	})
}

func TestAFloodForOneWhoDoesNotReadIsOneResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		p := s.open("", "orders")
		p.rows()
		time.Sleep(time.Second) // past the gap after the beat
		s.hub.Publish(head("orders", "a", 0))
		synctest.Wait() // its writer waits in this
		for n := range 10_000 {
			s.hub.Publish(head("orders", "a", n)) // would deadlock the bubble if it waited for the reader
		}
		p.next()
		if f := p.next(); len(f) != 1 || f[0].Type != "resync" || f[0].Seq != s.hub.Seq() {
			t.Fatalf("told %v, want one resync up to the newest", told(f))
		}
		s.hub.Publish(head("orders", "a", 1))
		if got, want := told(p.next()), []string{"head a v1"}; !slices.Equal(got, want) {
			t.Fatalf("then told %v, want %v", got, want)
		}
	})
}

func TestASlowClientIsClosedWith1013AndOthersAreNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		slow, quick := s.open("", "orders"), s.open("", "orders")
		slow.rows()
		quick.rows()
		time.Sleep(time.Second)                  // past the gap after the beat
		s.hub.Publish(row("orders", "first", 1)) // the slow one's writer waits in this
		var got []frame
		go func() {
			for {
				frames, err := quick.read()
				if err != nil {
					return
				}
				got = append(got, frames...)
			}
		}()
		for version := range 12 {
			for n := range 2000 {
				s.hub.Publish(row("orders", fmt.Sprint(n), version))
			}
			time.Sleep(700 * time.Millisecond)
		}
		synctest.Wait()
		if want := 1 + 12*2000; len(got) < want || slices.Contains(told(got), "resync  v0") {
			t.Fatalf("the quick one was told %d times, want %d news and no resync", len(got), want)
		}
		if n := s.hub.Connections(); n != 2 {
			t.Fatalf("%d connections, want 2: the slow one's write may still succeed", n)
		}
		if code := slow.closed(); code != 1013 {
			t.Fatalf("close code %d, want 1013 after 5 s out of the ring", code)
		}
	})
}

func TestASlowClientThatCatchesUpStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		p := s.open("", "orders")
		p.rows()
		first := func(kind string) (f frame) { // of this kind that comes
			for f.Type != kind {
				f = p.next()[0]
			}
			return f
		}
		for range 5 {
			s.hub.Publish(head("orders", "a", 0)) // its writer waits in this
			synctest.Wait()
			for n := range 8200 {
				s.hub.Publish(head("orders", "a", n))
			}
			time.Sleep(4 * time.Second)
			if f := first("resync"); f.Seq != s.hub.Seq() {
				t.Fatalf("a resync at %s, want it for all that fell out of the ring", f.Seq)
			}
			s.hub.Publish(head("orders", "b", 1))
			if f := first("head"); f.ID != "b" {
				t.Fatalf("then told %v, want what came after the resync", f)
			}
		}
		if n := s.hub.Connections(); n != 1 {
			t.Fatalf("%d connections, want 1: it kept up in between", n)
		}
	})
}

func TestAFloodDoesNotMakeAQuickClientSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		p := s.open("", "orders")
		go p.closed()
		for range 12 { // 6 s of more between two writes than the ring holds
			for n := range 8200 {
				s.hub.Publish(head("orders", "a", n))
			}
			time.Sleep(500 * time.Millisecond)
		}
		if n := s.hub.Connections(); n != 1 {
			t.Fatalf("%d connections, want 1: it read everything at once", n)
		}
	})
}

func TestAClientThatNeverReadsIsCutAfterOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		s.open("", "orders") // its beat is never read
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n := s.hub.Connections(); n != 0 {
			t.Fatalf("%d connections, want 0", n)
		}
	})
}

func TestAPeerThatAnswersNoPingIsCut(t *testing.T) {
	for _, test := range []struct {
		rule    string
		answers bool
		want    int
	}{{"answers: stays", true, 1}, {"does not: cut within 61 s", false, 0}} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, live.New(live.Options{}))
				p := s.open("", "orders")
				if !test.answers {
					p.conn.SetPingHandler(func(string) error { return nil })
				}
				go p.closed()
				time.Sleep(61 * time.Second)
				synctest.Wait()
				if n := s.hub.Connections(); n != test.want {
					t.Fatalf("%d connections, want %d", n, test.want)
				}
			})
		})
	}
}

func TestShutdownTellsEveryPageToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, live.New(live.Options{}))
		codes := make(chan int, 20)
		for range 20 {
			p := s.open("", "orders")
			go func() { codes <- p.closed() }()
		}
		if err := s.hub.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		told := 0
		for range 20 {
			if code := <-codes; code == 1012 {
				told++
			} else {
				t.Errorf("close code %d, want 1012", code)
			}
		}
		if n := s.hub.Connections(); told != 20 || n != 0 {
			t.Errorf("%d told, %d connections left; want 20 and 0", told, n)
		}
		s.hub.Publish(row("orders", "a", 1)) // and news after it go nowhere
	})
}

func TestShutdownDoesNotWaitForThoseWhoDoNotRead(t *testing.T) {
	for _, test := range []struct {
		rule string
		time time.Duration
		want error
	}{{"they are given a second", 1100 * time.Millisecond, nil}, {"or less", time.Second / 2, context.DeadlineExceeded}} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, live.New(live.Options{}))
				s.dial()
				synctest.Wait() // its hello is being written
				ctx, cancel := context.WithTimeout(t.Context(), test.time)
				defer cancel()
				if err := s.hub.Shutdown(ctx); !errors.Is(err, test.want) {
					t.Errorf("shutdown: %v, want %v", err, test.want)
				}
				if n := s.hub.Connections(); n != 0 {
					t.Errorf("%d connections, want 0", n)
				}
			})
		})
	}
}

// The bubbles fail if a goroutine is left; this holds the same over real sockets.
func TestGoroutinesReturnToTheBaseline(t *testing.T) {
	before := runtime.NumGoroutine()
	hub := live.New(live.Options{})
	web, url := listen(t, hub)
	for range 50 {
		conn, _, err := dialAt(url, web)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	if err := hub.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := hub.Connections(); n != 0 {
		t.Fatalf("%d connections after shutdown", n)
	}
	web.Close()
	if after := runtime.NumGoroutine(); after > before+5 { // net/http's own may linger a moment
		t.Fatalf("%d goroutines, %d before", after, before)
	}
}

func BenchmarkPublishTo2000(b *testing.B) {
	s := serve(b, live.New(live.Options{}))
	var last *page
	for n := range 2000 {
		p := s.dial()
		if err := p.conn.WriteJSON(map[string]any{"watch": []string{"orders"}}); err != nil {
			b.Fatal(err)
		}
		if last = p; n < 1999 {
			go func() {
				for err := error(nil); err == nil; _, err = p.read() {
				}
			}()
		}
	}
	last.rows()
	m := row("orders", "a", 1)
	for b.Loop() {
		s.hub.Publish(m)
	}
}
