package mailstore

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/email"
)

// TestWaiting lists mails that are new, that were deferred, and that are done.
func TestWaiting(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	bare := newLetter("2", 10)
	bare.Message.Set = ""
	put(t, s, newLetter("1", 10), bare, newLetter("3", 10))
	first, second := next(t, s), next(t, s)
	deferred := email.State{Open: []int{1}, Attempts: 2, Due: time.UnixMilli(1_800_000_000_000).UTC(), Last: email.Reply{Text: "451 later"}}
	save(t, second, deferred)
	first.Done()
	settled(t, s)

	all, err := s.Waiting(within(t), "", 10)
	if err != nil {
		t.Fatalf("Waiting = %v", err)
	}
	want := []Waiting{{bare.Message, deferred}, {newLetter("3", 10).Message, email.State{Open: []int{0, 1}}}}
	if d := diff(want, all); d != "" {
		t.Errorf("Waiting (-want +got):\n%s", d)
	}
	for _, page := range []struct {
		after string
		limit int
		want  []string
	}{{"", 1, []string{"2"}}, {"2", 10, []string{"3"}}, {"25", 10, []string{"3"}}, {"3", 10, nil}, {"", 0, nil}} {
		all, err := s.Waiting(within(t), page.after, page.limit)
		var got []string
		for _, w := range all {
			got = append(got, w.Message.ID)
		}
		if err != nil || !slices.Equal(got, page.want) {
			t.Errorf("Waiting(%q, %d) = %q, %v, want %q", page.after, page.limit, got, err, page.want)
		}
	}
}

// TestWake hands out what would have waited for an hour.
func TestWake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		put(t, s, newLetter("1", 10), newLetter("2", 10), newLetter("3", 10))
		for _, j := range []email.Job{next(t, s), next(t, s), next(t, s)} {
			later := delivered()
			later.Due = time.Now().Add(time.Hour)
			j.Wait(later)
		}
		settled(t, s)
		synctest.Wait()
		began := time.Now()
		if n := s.Wake("2", "9"); n != 1 {
			t.Errorf("Wake of one, and of one that is none = %d, want 1", n)
		}
		if j := next(t, s); j.Message.ID != "2" {
			t.Errorf("Next = %s, want 2", j.Message.ID)
		}
		if n := s.Wake(); n != 2 {
			t.Errorf("Wake of all = %d, want the 2 that wait", n)
		}
		got := []string{next(t, s).Message.ID, next(t, s).Message.ID}
		if slices.Sort(got); !slices.Equal(got, []string{"1", "3"}) || time.Since(began) > time.Minute {
			t.Errorf("Next = %q after %v, want 1 and 3 at once", got, time.Since(began))
		}
		if n := s.Wake(); n != 0 {
			t.Errorf("Wake of what is in hand = %d, want 0", n)
		}
	})
}
