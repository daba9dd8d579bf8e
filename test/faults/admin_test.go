package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// destination is what the server says of one event destination.
type destination struct {
	Destination string `json:"destination"` // account/region/scope/set/name
	State       string `json:"state"`
	Pending     int    `json:"pending"`
	Parked      int    `json:"parked"`
	LastError   string `json:"lastError"`
}

// destinations asks how deliveries are.
func (s *server) destinations(t testing.TB) []destination {
	t.Helper()
	var out struct{ Destinations []destination }
	s.get(t, "/v1/destinations", &out)
	return out.Destinations
}

// backlog counts deliveries that wait, in memory and on disk.
func (s *server) backlog(t testing.TB) (pending, parked int) {
	t.Helper()
	for _, d := range s.destinations(t) {
		pending += d.Pending
		parked += d.Parked
	}
	return pending, parked
}

// deadLetter is a delivery that was given up.
type deadLetter struct {
	ID          string          `json:"id"`
	Destination string          `json:"destination"`
	Reason      string          `json:"reason"`
	Record      json.RawMessage `json:"record"`
}

// deadLetters lists all of them.
func (s *server) deadLetters(t testing.TB) []deadLetter {
	t.Helper()
	var all []deadLetter
	for after := ""; ; {
		var page struct{ DeadLetters []deadLetter }
		s.get(t, "/v1/deadletters?after="+url.QueryEscape(after), &page)
		if len(page.DeadLetters) == 0 {
			return all
		}
		all = append(all, page.DeadLetters...)
		after = all[len(all)-1].ID
	}
}

// retryDeadLetters has the command line send all of them again.
func (s *server) retryDeadLetters(t testing.TB) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "deadletters", "retry", "--all", "--admin", s.Admin).CombinedOutput()
	if err != nil {
		t.Fatalf("tidings deadletters retry --all: %v\n%s", err, out)
	}
}

// readLog enters the calls of the event log in the books.
func (s *server) readLog(t testing.TB, b *books) {
	t.Helper()
	s.eachEvent(t, "voice.", func(_ string, record []byte) { b.log(record) })
}

// eachEvent goes through the event log, for the events whose type begins so.
func (s *server) eachEvent(t testing.TB, channel string, do func(id string, record []byte)) {
	t.Helper()
	resp := s.ask(t, "/v1/events?since=2000-01-01T00:00:00Z")
	defer resp.Body.Close()
	for in := json.NewDecoder(resp.Body); ; {
		var e struct {
			ID, Type string
			Record   json.RawMessage
		}
		err := in.Decode(&e)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("read the event log: %v", err)
		}
		if strings.HasPrefix(e.Type, channel) {
			do(e.ID, e.Record)
		}
	}
}

func (s *server) get(t testing.TB, path string, out any) {
	t.Helper()
	resp := s.ask(t, path)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}

func (s *server) ask(t testing.TB, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Admin+path, http.NoBody)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.wantAlive(t)
		t.Fatalf("GET %s: %v", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		t.Fatalf("GET %s = %s, want 200\n%s", path, resp.Status, text)
	}
	return resp
}

// awaitDelivered waits until every acknowledged message has ended everywhere, nothing
// waits, and what the log holds has arrived; all but what dead letters hold.
func (s *server) awaitDelivered(t testing.TB, b *books, f *follower, dead int) {
	t.Helper()
	waiting, pending, parked, missing := 0, 0, 0, 0
	await(t, s, "all deliveries", func() bool {
		f.read(t)
		if waiting = b.waiting(); waiting > dead {
			return false
		}
		if pending, parked = s.backlog(t); pending+parked > 0 {
			return false
		}
		s.readLog(t, b)
		sum := b.close()
		missing = sum.lost
		return sum.open == 0 && missing <= dead
	}, func() string {
		return fmt.Sprintf("%d messages have not ended everywhere, %d deliveries arrived, %d pending, %d parked, %d missing of those in the log",
			waiting, b.arrivals(), pending, parked, missing)
	})
}
