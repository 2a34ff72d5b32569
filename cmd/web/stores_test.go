package main

import (
	"net/url"
	"strings"
	"testing"

	"headway/cmd/web/console/input"
	"headway/fault"
)

// Whatever the setting of an engine says, it is an engine or Invalid with a sentence, and a password in it is neither printed nor
// complained about.
func FuzzEngine(f *testing.F) {
	for _, seed := range []string{
		"sqlite:/x.db", "dynamodb:orders", "elasticsearch:https://u:sekret@host:9200/?prefix=a", "elasticsearch:https://u:sekret@host?password=sekret", "https://u:sekret@host",
		"elasticsearch:ftp://u:sekret@host", "elasticsearch:http://sekret@h%zz", "sekret", "sqlite:", ":", "elasticsearch:http:///x", "elasticsearch:http://u:sekret@host/%41",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		password := ""
		if _, address, ok := strings.Cut(text, ":"); ok {
			if u, err := url.Parse(address); err == nil && u.User != nil {
				password, _ = u.User.Password()
			}
		}
		for _, set := range []Settings{{Events: text}, {Read: text}} {
			events, read, err := set.engines()
			said := events.String() + " " + read.String()
			if err != nil {
				if said = fault.Sentence(err); fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(said, "--") {
					t.Fatalf("%q is %v", text, err)
				}
			}
			if strings.Contains(password, "sekret") && strings.Count(text, "sekret") == 1 && strings.Contains(said, "sekret") && !strings.HasPrefix(text, sqliteEngine) {
				t.Fatalf("%q is told as %s", text, input.Clip(said))
			}
		}
	})
}
