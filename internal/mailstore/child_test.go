package mailstore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tidings/internal/email"
)

// writerEnv tells a child of this test binary to work with the file until it is killed; roundEnv makes its IDs its own.
const (
	writerEnv = "TIDINGS_TEST_MAILS"
	roundEnv  = "TIDINGS_TEST_ROUND"
)

// child does what the parent wants and reports whether this is a child. It says what is acknowledged: a mail that was put, a state that
// was saved; and, before it happens, what is done.
func child() (code int, ok bool) {
	path := os.Getenv(writerEnv)
	if path == "" {
		return 0, false
	}
	s, err := Open(Options{Path: path})
	if err != nil {
		fmt.Println("open:", err)
		return 1, true
	}
	var mu sync.Mutex
	say := func(word, id string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(word, id)
	}
	ctx := context.Background()
	for w := range 4 {
		go func() {
			for i := 0; ; i += 2 {
				a, b := childLetter(os.Getenv(roundEnv), w, i), childLetter(os.Getenv(roundEnv), w, i+1)
				if s.Put(ctx, a, b) != nil {
					return
				}
				say("put", a.Message.ID)
				say("put", b.Message.ID)
			}
		}()
		go func() {
			for i := 0; ; i++ {
				j, err := s.Next(ctx)
				if err != nil || j.Save(ctx, delivered()) != nil {
					return
				}
				say("saved", j.Message.ID)
				if i%2 == 0 { // the others stay in hand
					say("done", j.Message.ID)
					j.Done()
				}
			}
		}()
	}
	select {}
}

// childLetter is a mail whose content follows from its ID. Every third has no set.
func childLetter(round string, w, i int) email.Letter {
	l := newLetter(fmt.Sprintf("%s-%08d-%d", round, i, w), 100*(i%50))
	l.Message.Accepted = l.Message.Accepted.Add(1)
	if i%3 == 0 {
		l.Message.Set = ""
	}
	l.Raw = append(l.Raw, l.Message.ID...)
	return l
}

// told is what a child has said before it was killed.
type told struct{ put, saved, done map[string]bool }

// hearChild has a child work until it has said enough, and kills it.
func hearChild(t *testing.T, path string, round int) told {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+path, fmt.Sprintf("%s=%d", roundEnv, round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a writer: %v", err)
	}
	x := told{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	lines := bufio.NewReader(out)
	enough := 400 + 150*round
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil { // what was not written whole was not said
			break
		}
		word, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "put":
			x.put[id] = true
		case "saved":
			x.saved[id] = true
		case "done":
			x.done[id] = true
		default:
			t.Fatalf("the writer says %q", line)
		}
		if n == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatalf("kill: %v", err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if len(x.put) == 0 || len(x.saved) == 0 || len(x.put)+len(x.saved)+len(x.done) < enough {
		t.Fatalf("round %d: the writer ended by itself after %d mails", round, len(x.put))
	}
	return x
}

func TestAcknowledgedMailsSurviveAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mail.db")
	for round := range 4 {
		x := hearChild(t, path, round)
		s := open(t, Options{Path: path})
		for range int(s.spool.countMessages()) {
			j := next(t, s)
			id := j.Message.ID
			if raw := string(content(t, j)); !strings.HasSuffix(raw, id) || len(raw) != j.Message.Size+len(id) {
				t.Errorf("round %d: mail %s has another content: %d bytes, want %d", round, id, len(raw), j.Message.Size+len(id))
			}
			if x.saved[id] {
				if d := diff(delivered(), j.State); d != "" {
					t.Errorf("round %d: the saved state of %s is another (-want +got):\n%s", round, id, d)
				}
			}
			if _, ok, err := s.Find(within(t), id); !ok || err != nil {
				t.Errorf("round %d: Find(%q) = %v, %v, want it", round, id, ok, err)
			}
			delete(x.put, id)
			j.Done()
		}
		for id := range x.put {
			if !x.done[id] {
				t.Errorf("round %d: mail %s was acknowledged and is lost", round, id)
			}
		}
		shut(t, s)
	}
}
