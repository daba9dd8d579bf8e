package rtpaudio

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWheelStandsStill has the machine stop for a moment, once shorter than receivers
// bear, once longer.
func TestWheelStandsStill(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		still time.Duration
		slips bool
	}{{"short", 45 * time.Millisecond, false}, {"long", 500 * time.Millisecond, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := turning(t, Options{Shards: 1})
			c, s := listening(t, loopback), open(t, w)
			message := sound(40*160, 0)
			start(t, s, c.peer(message), 0, 0)
			got := c.hear(t, 1) // it is under way
			var slipped int64
			do(t, s, func() {
				slipped = s.shard.slipped
				s.shard.clock.stall(tt.still)
			})
			got = append(got, c.hear(t, 39)...)
			<-s.Done()
			do(t, s, func() { slipped = s.shard.slipped - slipped })
			var jump uint32
			for i := 1; i < len(got); i++ {
				jump = max(jump, got[i].Timestamp-got[i-1].Timestamp)
			}
			inOrder(t, got)
			if !bytes.Equal(payloads(got), message) {
				t.Errorf("the message did not arrive as it was sent")
			}
			if tt.slips && (jump < uint32(tt.still/time.Millisecond-maxBehind)*8 || slipped == 0) {
				t.Errorf("the timestamps jump by %d and the wheel by %d ticks, want about %v", jump, slipped, tt.still)
			}
			if !tt.slips && (jump == 160) != (slipped == 0) { // a busy machine may add to the stall
				t.Errorf("the timestamps jump by %d and the wheel by %d ticks, want no pause", jump, slipped)
			}
		})
	}
}

// TestWheelSpreads seats streams where there is most room.
func TestWheelSpreads(t *testing.T) {
	t.Parallel()
	w, err := New(Options{Address: loopback, Shards: 1})
	if err != nil {
		t.Fatalf("New() = %v, want nil", err)
	}
	sh := w.shards[0]
	loads := func() (all []int) {
		for at := range slots {
			all = append(all, len(sh.slot[at]))
		}
		return all
	}
	seat := func(n int) {
		for range n {
			sh.seat(&Stream{})
		}
	}
	want := make([]int, slots)
	seat(crowd + 2)
	want[1], want[2] = crowd, 2
	if diff := cmp.Diff(want, loads()); diff != "" {
		t.Errorf("slots of %d streams differ (-want +got):\n%s", crowd+2, diff)
	}
	seat(spread*(crowd+5) - crowd - 2)
	for at := range spread {
		want[at+1] = crowd + 5
	}
	if diff := cmp.Diff(want, loads()); diff != "" {
		t.Errorf("slots of %d streams differ (-want +got):\n%s", spread*(crowd+5), diff)
	}
}

// TestPacketAllocatesNothing holds the one path that runs 200,000 times a second.
func TestPacketAllocatesNothing(t *testing.T) { //nolint:paralleltest // other tests' memory would be counted
	if !connects {
		t.Skip("package net allocates")
	}
	s, c := still(t, nil)
	turn := int64(0)
	if n := testing.AllocsPerRun(500, func() {
		s.hearAt, s.readAt, s.reportAt = turn, turn, turn+1000
		turn += s.takeTurn(turn)
	}); n != 0 {
		t.Errorf("a packet costs %v allocations, want 0", n)
	}
	if got := s.Stats().Sent; got != 501 {
		t.Errorf("%d packets were sent, want 501", got)
	}
	c.hear(t, 10)
}

// still is a Stream that has begun, without a thread: the test does what that would do.
func still(t testing.TB, keys *Keys) (*Stream, *callee) {
	t.Helper()
	w, err := New(Options{Address: loopback, Shards: 1})
	if err != nil {
		t.Fatalf("New() = %v, want nil", err)
	}
	c, s := listening(t, loopback), open(t, w)
	p := c.peer(sound(8000*60, 0))
	p.Keys, p.Events = keys, 101
	crypt, err := s.check(&p)
	if err != nil {
		t.Fatalf("check() = %v, want nil", err)
	}
	s.begin(p, crypt, 0, 0, false, nil)
	return s, c
}
