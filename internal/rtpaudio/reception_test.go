package rtpaudio

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReception(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		seqs     []uint16
		received uint32
		missing  uint64
		highest  uint32
		far      int // packets that do not count
	}{
		"in order":           {[]uint16{7, 8, 9}, 3, 0, 9, 0},
		"one missing":        {[]uint16{7, 9}, 2, 1, 9, 0},
		"out of order":       {[]uint16{7, 9, 8, 10}, 4, 0, 10, 0},
		"wrapping":           {[]uint16{65534, 65535, 0, 1}, 4, 0, 65537, 0},
		"wrapping with loss": {[]uint16{65534, 1}, 2, 2, 65537, 0},
		"late after a wrap":  {[]uint16{65534, 0, 65535}, 3, 0, 65536, 0},
		"repeated":           {[]uint16{7, 7, 8}, 3, 0, 8, 0}, // RFC 3550 appendix A.3: lost may be less than none
		"one far off":        {[]uint16{7, 30000, 8}, 2, 0, 8, 1},
		"begun anew":         {[]uint16{7, 9, 30000, 30001, 30002}, 2, 1, 30002, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, far := &reception{}, 0
			for _, seq := range tt.seqs {
				if _, ok := r.take(1, seq); !ok {
					far++
				}
			}
			if r.received != tt.received || r.missing() != tt.missing || r.highest != tt.highest || far != tt.far {
				t.Errorf("after %v received %d, missing %d, highest %d, far off %d; want %d, %d, %d, %d", tt.seqs,
					r.received, r.missing(), r.highest, far, tt.received, tt.missing, tt.highest, tt.far)
			}
		})
	}
}

// TestReceptionCounts compares with plain counting, whatever gets lost.
func TestReceptionCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := &reception{}
		first := rapid.Uint16().Draw(t, "first")
		gaps := rapid.SliceOfN(rapid.IntRange(0, 50), 1, 3000).Draw(t, "gaps")
		var lost uint64
		at := uint32(first)
		r.take(1, first)
		for _, gap := range gaps {
			at += uint32(1 + gap)
			lost += uint64(gap)
			if fresh, ok := r.take(1, uint16(at)); !fresh || !ok {
				t.Fatalf("take(%d) = %v, %v, want true, true", at, fresh, ok)
			}
		}
		if r.missing() != lost || r.highest != at || int(r.received) != len(gaps)+1 {
			t.Fatalf("missing %d, highest %d, received %d; want %d, %d, %d", r.missing(), r.highest, r.received, lost, at, len(gaps)+1)
		}
	})
}

func TestReceptionOfAnotherSource(t *testing.T) {
	t.Parallel()
	r := &reception{}
	r.take(1, 1)
	r.take(1, 4)
	r.take(2, 900)
	r.take(2, 902)
	if got := r.missing(); got != 3 {
		t.Errorf("missing() = %d of two sources, want 3", got)
	}
	if r.ssrc != 2 || r.received != 2 {
		t.Errorf("source %d has %d packets, want source 2 with 2", r.ssrc, r.received)
	}
}

func TestReceptionInterval(t *testing.T) {
	t.Parallel()
	r := &reception{}
	if got := r.interval(); got != 0 {
		t.Errorf("interval() = %d of nothing, want 0", got)
	}
	for _, seq := range []uint16{1, 2, 3, 8} {
		r.take(1, seq)
	}
	if got := r.interval(); got != 128 {
		t.Errorf("interval() = %d, want 128: half of 8 packets", got)
	}
	r.take(1, 9)
	if got := r.interval(); got != 0 {
		t.Errorf("interval() = %d, want 0 since the last report", got)
	}
}

func TestReceptionJitter(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	even, uneven := &reception{}, &reception{}
	for i := range 2000 {
		timestamp := uint32(i * 160)
		even.clocked(at, timestamp)
		late := time.Duration(i%2) * 5 * time.Millisecond
		uneven.clocked(at.Add(late), timestamp)
		at = at.Add(20 * time.Millisecond)
	}
	uneven.clocked(at.Add(time.Hour), 7) // the peer's clock was set
	if got := lasting(int64(even.jitter >> 4)); got != 0 {
		t.Errorf("jitter = %v of even packets, want 0", got)
	}
	// Each packet is 5 ms nearer or farther than the one before (RFC 3550 appendix A.8).
	if got := lasting(int64(uneven.jitter >> 4)); got < 4800*time.Microsecond || got > 5*time.Millisecond {
		t.Errorf("jitter = %v, want 5ms", got)
	}
}
