package boltstore

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

	"tidings/internal/pinpoint"
)

// writerEnv tells a child of this test binary to write into the file until it is killed.
const writerEnv = "TIDINGS_TEST_ENDPOINTS"

// child does what the parent wants and reports whether this is a child.
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
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", w, i)
				err := s.Change(context.Background(), acme, func(tx pinpoint.EndpointTx) error {
					tx.Put(endpoint(id, "user"))
					return nil
				})
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Println(id) // acknowledged
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestAcknowledgedChangesSurviveAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "endpoints.db")
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatalf("start a writer: %v", err)
		}
		var acknowledged []string
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if err != nil { // what was not written whole was not said
				break
			}
			acknowledged = append(acknowledged, strings.TrimSpace(line))
			if len(acknowledged) == 150 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatalf("kill: %v", err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		if len(acknowledged) < 150 {
			t.Fatalf("round %d: the writer ended by itself: %q", round, acknowledged)
		}
		s := open(t, Options{Path: path})
		for _, id := range acknowledged {
			if d := diff(endpoint(id, "user"), get(t, s, acme, id)); d != "" {
				t.Fatalf("round %d: Endpoint(%q) after a kill (-want +got):\n%s", round, id, d)
			}
		}
		shut(t, s)
	}
}
