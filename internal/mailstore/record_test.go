package mailstore

import (
	"testing"
	"time"

	"tidings/internal/email"
)

// FuzzRecords reads any bytes as records: they are refused, or make something that has a record again.
func FuzzRecords(f *testing.F) {
	l := newLetter("1", 10)
	head, err := encodeHead(&l.Message, false)
	if err != nil {
		f.Fatal(err)
	}
	body, err := joinBody(&l.Message, l.Raw)
	if err != nil {
		f.Fatal(err)
	}
	state, err := encodeState(new(delivered()))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{head, body, state, nil, {0, 0, 0, 200}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		if m, brief, err := decodeHead("1", record); err == nil {
			again, err := encodeHead(&m, brief)
			if err != nil {
				t.Fatalf("encodeHead = %v, want nil", err)
			}
			if _, _, err := decodeHead("1", again); err != nil {
				t.Errorf("decodeHead of what was encoded = %v, want nil", err)
			}
		}
		if _, raw, err := splitBody("1", record); err == nil && len(raw) > len(record) {
			t.Errorf("splitBody makes %d bytes of %d", len(raw), len(record))
		}
		if s, err := decodeState(record, 2); err == nil {
			if _, err := encodeState(&s); err != nil {
				t.Errorf("encodeState = %v, want nil", err)
			}
		}
	})
}

func TestLaterRecordsAreRefused(t *testing.T) {
	t.Parallel()
	value, err := marshal("", &stateRecord{Version: recordVersion + 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeState(value, 1); err == nil {
		t.Error("decodeState of a later version = nil, want an error")
	}
	head := append(make([]byte, acceptedLength), value...)
	if _, _, err := decodeHead("1", head); err == nil {
		t.Error("decodeHead of a later version = nil, want an error")
	}
}

func TestTimesAreRoundedUp(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1000)
	for add, want := range map[time.Duration]int64{0: 1000, 1: 1001, time.Millisecond: 1001, time.Millisecond + 1: 1002} {
		if got := milliseconds(at.Add(add)); got != want {
			t.Errorf("milliseconds of 1 s and %v = %d, want %d", add, got, want)
		}
	}
	if got := milliseconds(time.Time{}); got != 0 {
		t.Errorf("milliseconds of no time = %d, want 0", got)
	}
	var none email.State
	value, err := encodeState(&none)
	if err != nil {
		t.Fatal(err)
	}
	if due, err := dueOf(value); due != 0 || err != nil {
		t.Errorf("dueOf a state without = %d, %v, want 0", due, err)
	}
}
