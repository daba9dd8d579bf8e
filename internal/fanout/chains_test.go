package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tidings/internal/event"
	"tidings/internal/sink"
)

// flightOf makes a flight of items from a word: each letter is an event of that message, a
// capital one travels alone.
func flightOf(word string, count, width int) *flight {
	f := &flight{limits: sink.Limits{Count: count, Bytes: 1 << 20}, width: width}
	for i, letter := range word {
		it := item{event: &event.Event{ID: fmt.Sprint(i), Message: strings.ToLower(string(letter)), Record: []byte("{}")}}
		if strings.ToLower(string(letter)) != string(letter) {
			it.isolate()
		}
		f.items = append(f.items, it)
	}
	return f
}

func TestChainsAreCutIntoBatches(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		word         string
		count, width int
		want         string // batches with one in the air at a time; released once it has landed
	}{
		{"abcd", 2, 2, "ab cd"},
		{"abab", 2, 1, "aa bb"},
		{"aaab", 2, 2, "aa ab"},      // one message after the other, so the rest of a is first
		{"aab", 2, 2, "aa b"},        //
		{"abbbcd", 3, 2, "a bbb cd"}, // little is left, and b fits into a batch of its own
		{"abbbcdefghij", 3, 2, "abb bcd efg hij"},
		{"abbbb", 3, 2, "abb bb"}, // it does not fit
		{"aBc", 5, 2, "a B c"},
		{"abA", 5, 2, "a A b"}, // what has to be alone ends the batch
		{"Aab", 5, 2, "A ab"},
	} {
		f := flightOf(tc.word, tc.count, tc.width)
		c := newChains(f.items)
		var got []string
		for {
			order, cut := c.take(nil, f)
			if len(order) == 0 {
				break
			}
			var batch strings.Builder
			for _, i := range order {
				batch.WriteByte(tc.word[i])
			}
			got = append(got, batch.String())
			if cut >= 0 {
				c.release(cut)
			}
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%q in batches of %d: %q, want %q", tc.word, tc.count, s, tc.want)
		}
	}
}

func TestChainsLoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.SampledFrom([]rune("aaabcdefAB")), 1, 60).Draw(t, "events")
		f := flightOf(string(letters), rapid.IntRange(1, 9).Draw(t, "count"), rapid.IntRange(2, 5).Draw(t, "width"))
		c := newChains(f.items)
		var all []int32
		var air []trip // no message may be in two of them
		land := func(i int) {
			if air[i].chain >= 0 {
				c.release(air[i].chain)
			}
			air = slices.Delete(air, i, i+1)
		}
		for len(all) < len(f.items) {
			order, cut := c.take(nil, f)
			if len(order) == 0 {
				if len(air) == 0 {
					t.Fatalf("%d of %d events are not to be had", len(f.items)-len(all), len(f.items))
				}
				land(rapid.IntRange(0, len(air)-1).Draw(t, "lands"))
				continue
			}
			held := map[string]bool{}
			for _, i := range order {
				held[f.items[i].event.Message] = true
			}
			for _, other := range air {
				for _, i := range other.seats {
					if held[f.items[i].event.Message] {
						t.Fatalf("message %s is in two batches", f.items[i].event.Message)
					}
				}
			}
			all = append(all, order...)
			air = append(air, trip{seats: order, chain: cut})
			if len(air) == f.width {
				land(rapid.IntRange(0, len(air)-1).Draw(t, "lands"))
			}
		}
		last := map[string]int32{}
		for _, i := range all {
			m := f.items[i].event.Message
			if before, ok := last[m]; ok && before >= i {
				t.Fatalf("event %d of message %s comes after %d", i, m, before)
			}
			last[m] = i
		}
	})
}
