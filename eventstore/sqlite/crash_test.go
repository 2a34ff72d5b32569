package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/eventstore/sqlite"
)

// The tests of this file run the store in a process of its own, which is this test program again with the settings below. Its clients each
// append to an order of their own, and say "ask CLIENT N" before and "answer CLIENT N" after each command, each in one write.
const (
	clientsPath  = "STORE_CLIENTS_PATH"
	clientsCount = "STORE_CLIENTS"
	clientsEach  = "STORE_CLIENTS_EACH"
)

func TestMain(m *testing.M) {
	path := os.Getenv(clientsPath)
	if path == "" {
		os.Exit(m.Run())
	}
	count, err1 := strconv.Atoi(os.Getenv(clientsCount))
	each, err2 := strconv.Atoi(os.Getenv(clientsEach))
	s, err3 := sqlite.Open(path, sqlite.Options{})
	if err1 != nil || err2 != nil || err3 != nil {
		fmt.Fprintln(os.Stderr, err1, err2, err3)
		os.Exit(1)
	}
	var all sync.WaitGroup
	for client := range count {
		all.Go(func() {
			for n := range each {
				say("ask", client, n)
				if _, err := send(s, client, n); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				say("answer", client, n)
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func say(what string, client, n int) { fmt.Fprintf(os.Stdout, "%s %d %d\n", what, client, n) }

// send is the n-th command of a client, the same however often it is sent.
func send(s *sqlite.Store, client, n int) ([]eventstore.Record, error) {
	id := uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%d/%d", client, n)).String()
	m := eventstore.Metadata{CausationID: id, CorrelationID: id, CommandHash: id}
	return s.Append(context.Background(), clientsOrder(client), n, m, orderCreated())
}

func clientsOrder(client int) eventstore.StreamID {
	return stream(fmt.Sprintf("client %d", client))
}

func clientsCommand(path string, count, each int, before ...string) *exec.Cmd {
	words := append(before, os.Args[0])
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), clientsPath+"="+path, clientsCount+"="+strconv.Itoa(count), clientsEach+"="+strconv.Itoa(each))
	cmd.Stderr = os.Stderr
	return cmd
}

// A process that is killed loses nothing that it answered, and what it did not answer can be sent again and is stored once.
func TestKill(t *testing.T) {
	const clients, rounds, answers = 16, 3, 300
	for range rounds {
		path := filepath.Join(t.TempDir(), "events.db")
		cmd := clientsCommand(path, clients, 1<<20)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		asked, answered := [clients]int{}, [clients]int{}
		seen := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var what string
			var client, n int
			if _, err := fmt.Sscan(lines.Text(), &what, &client, &n); err != nil {
				t.Fatalf("the process said %q", lines.Text())
			}
			switch what {
			case "ask":
				asked[client] = n + 1
			case "answer":
				answered[client] = n + 1
				if seen++; seen == answers {
					must(t, cmd.Process.Kill())
				}
			}
		}
		if err := cmd.Wait(); err == nil || seen < answers {
			t.Fatalf("the process ended after %d answers: %v", seen, err)
		}

		s := open(t, path, sqlite.Options{})
		for client := range clients {
			records, err := s.Read(t.Context(), clientsOrder(client), 0)
			must(t, err)
			if len(records) < answered[client] || len(records) > asked[client] {
				t.Errorf("client %d: %d of %d commands were answered, %d are stored", client, answered[client], asked[client], len(records))
			}
			for n := range asked[client] {
				if _, err := send(s, client, n); err != nil {
					t.Errorf("client %d sends command %d again: %v", client, n, err)
				}
			}
			records, err = s.Read(t.Context(), clientsOrder(client), 0)
			if err != nil || len(records) != asked[client] || records[len(records)-1].Version != asked[client] {
				t.Errorf("client %d: %d commands are %d events, %v", client, asked[client], len(records), err)
			}
		}
		must(t, s.Close())
	}
}
