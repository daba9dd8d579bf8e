package awsapi

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tidings/internal/fault"
)

// Words are the words of an API for things of one kind, such as types of events, and what each
// of them stands for.
type Words[T comparable] struct {
	One string // how error texts call such a word: "an event type"
	All string // how they call all of them: "the event types"; "" = "the words"
	// Of is what each word stands for. Error texts leave out the word "", which is like none.
	Of map[string]T
}

// Read is what a word stands for. It fails with fault.Invalid about the resource if there is no
// such word.
func (w Words[T]) Read(resource, word string) (T, error) {
	v, ok := w.Of[word]
	if ok {
		return v, nil
	}
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(w.Of)), func(word string) bool { return word == "" })
	return v, fault.New(fault.Invalid, resource, "%q is not %s; %s are %s.", fault.Shorten(word), w.One, cmp.Or(w.All, "the words"), strings.Join(all, ", "))
}

// Word is the word for v, or other if the API has none. It is for things that have one word each.
func (w Words[T]) Word(v T, other string) string {
	for word, stands := range w.Of {
		if stands == v {
			return word
		}
	}
	return other
}
