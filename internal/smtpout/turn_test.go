package smtpout

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestATurnWithARelay is waited for as long as the relay gets on with other mails, and no longer.
func TestATurnWithARelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := transport(t, Settings{Relay: "192.0.2.1:25", MaxConnections: 1})
		h, _ := tr.pool.enter("relay")
		defer tr.pool.leave(h)
		if err := tr.pool.turn(t.Context(), h); err != nil {
			t.Fatalf("the first turn: %v", err)
		}
		begun, over := time.Now(), make(chan *setupError)
		go func() { over <- tr.pool.turn(t.Context(), h) }()
		const step, steps = 9 * time.Second, 5
		for range steps {
			time.Sleep(step)
			synctest.Wait()
			tr.pool.advance(h)
		}
		if err := <-over; err == nil || err.said.enhanced != "4.4.5" {
			t.Errorf("a turn while the relay hangs: %v, want 4.4.5", err)
		}
		if got, want := time.Since(begun), steps*step+10*time.Second; got != want {
			t.Errorf("waited %v, want %v: until 10 s after the relay got on last", got, want)
		}
		begun = time.Now()
		if err := tr.pool.turn(t.Context(), h); err == nil {
			t.Error("a turn while the relay hangs still: there was one")
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("waited %v for a relay that is known to hang, want 0s", waited)
		}
		<-h.turns
		if err := tr.pool.turn(t.Context(), h); err != nil {
			t.Errorf("a turn that is free: %v", err)
		}
	})
}
