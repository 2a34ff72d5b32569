package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets this program be started as the servers that ws measures.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-bench" {
		os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// measured runs the bench, and answers the figures by metric and who.
func measured(t *testing.T, args ...string) (figures map[string][]string, code int, said string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"-dir", t.TempDir(), "-dur", "40ms", "-events", "80", "-n", "20"}, args...),
		func(string) string { return "" }, &out, &errs)
	figures = map[string][]string{}
	line := regexp.MustCompile(`^(headway|raw/\S+) (\S+) (\d+(\.\d+)?) \S+$`)
	for text := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
		if f := line.FindStringSubmatch(text); f != nil {
			figures[f[2]] = append(figures[f[2]], f[1])
		} else if text != "" && !slices.Contains(args, "-table") {
			t.Errorf("the line %q is no figure", text)
		}
	}
	return figures, code, errs.String()
}

// Each measurement prints the metrics that are promised, and beside each rate of Headway's that of a bare loop.
func TestMetrics(t *testing.T) {
	program := filepath.Join(t.TempDir(), "web")
	if out, err := exec.Command("go", "build", "-o", program, "headway/cmd/web").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, c := range map[string]struct{ beside, alone string }{
		"append":  {"append1_w1 append1_w1_p99 append4_w1 append1_w16 append1_w16_p50 append1_w16_p99 append4_w16 append4_w16_p99", ""},
		"load":    {"load_1000 load_1000_rate load_10000 load_10000_rate", ""},
		"project": {"project project_customers", ""},
		"http":    {"http_w16 http_w16_p99 http_w16_projecting", ""},
		"lag":     {"lag_row_p50 lag_row_p99", "lag_socket_p50 lag_socket_p99 lag_socket_rate lag_socket_missing"},
		"ws":      {"ws_connect_20 ws_rss_per_conn ws_fanout_max ws_paced20_p50 ws_paced20_p99 ws_delivered", ""},
	} {
		t.Run(name, func(t *testing.T) {
			figures, code, said := measured(t, "-bench", name, "-web", program)
			if code != 0 {
				t.Fatalf("exit %d: %s", code, said)
			}
			for metric := range strings.FieldsSeq(c.beside) {
				if who := figures[metric]; len(who) != 2 || who[0] != own || !strings.HasPrefix(who[1], "raw/") {
					t.Errorf("%s was told of %v, not of Headway and a bare loop", metric, who)
				}
			}
			for metric := range strings.FieldsSeq(c.alone) {
				if who := figures[metric]; !slices.Equal(who, []string{own}) {
					t.Errorf("%s was told of %v", metric, who)
				}
			}
		})
	}
}

// What is asked for and is not there is said in a sentence, and is no figure.
func TestMissing(t *testing.T) {
	for name, sentence := range map[string]string{
		"ddb": "there is no DynamoDB", "es": "there is no Elasticsearch", "http": "there is no web program", "nothing": "-bench string",
	} {
		figures, code, said := measured(t, "-bench", name)
		if code != 2 || len(figures) != 0 || !strings.Contains(said, sentence) {
			t.Errorf("%s: exit %d, %d figures, %q", name, code, len(figures), said)
		}
	}
}

// The table has every figure of Headway's once, with the bare loop and the ratio where there is one.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	f := &figures{to: &out}
	f.say(own, "a", 150, "ev/s")
	f.say("raw/x", "a", 200, "ev/s")
	f.say(own, "b", 7, "ms")
	out.Reset()
	f.table()
	var rows []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{"metric headway bare loop ratio unit", "a 150 200 0.75 ev/s", "b 7 ms"} {
		if !slices.Contains(rows, want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

// Quantiles are of the sorted whole, and an arrival of a later version is one of those before it.
func TestArithmetic(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	if got := quantile([]time.Duration{ms(5), ms(1), ms(3), ms(2), ms(4)}, 0.5); got != ms(3) {
		t.Errorf("the median is %v", got)
	}
	if quantile(nil, 0.5) != 0 || middle(3, 1, 2) != 2 {
		t.Error("the median of nothing, or of three, is wrong")
	}
	began := time.Now()
	seen := &arrivals{}
	seen.add("a", 3, began.Add(ms(9)))
	seen.add("a", 1, began.Add(ms(4)))
	seen.add("a", 2, began.Add(ms(20))) // late, and after a newer one
	took, missing := seen.since([]arrival{{"a", 1, began}, {"a", 2, began}, {"a", 3, began.Add(ms(12))}, {"b", 1, began}})
	if !slices.Equal(took, []time.Duration{ms(4), ms(9), 0}) || missing != 1 {
		t.Errorf("took %v, missing %d", took, missing)
	}
}
