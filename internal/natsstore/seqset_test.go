package natsstore

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSeqSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set, model := seqSet{}, map[uint64]bool{}
		var floor uint64
		for _, seq := range rapid.SliceOf(rapid.Uint64Range(0, 1000)).Draw(t, "sequences") {
			if seq%10 == 0 {
				floor = max(floor, seq)
				set.forget(floor)
				continue
			}
			if seq <= floor {
				continue
			}
			if got, want := set.add(seq), !model[seq]; got != want {
				t.Fatalf("add(%d) = %v, want %v", seq, got, want)
			}
			model[seq] = true
		}
		for word := range set {
			if word < floor/64 {
				t.Fatalf("word %d stays although everything up to %d was forgotten", word, floor)
			}
		}
	})
}
