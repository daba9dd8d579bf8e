package email

import (
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestNewID(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^0100[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-000000$`)
	var all []string
	for i := range 1000 {
		id := NewID(svcNoon.Add(time.Duration(i) * time.Millisecond))
		if !form.MatchString(id) {
			t.Fatalf("NewID = %q, want the form %v", id, form)
		}
		all = append(all, id)
	}
	if !slices.IsSorted(all) {
		t.Error("IDs do not sort by their time")
	}
	if got, want := NewID(svcNoon)[:16], "0100019ca9450a00"; got != want {
		t.Errorf("NewID begins with %s, want %s", got, want)
	}
	a, b := NewID(svcNoon), NewID(svcNoon)
	if a == b {
		t.Errorf("two IDs of a moment are %q", a)
	}
}
