package mailstore

import (
	"path/filepath"
	"testing"

	"tidings/internal/email"
)

func TestMailsSurviveARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "below", "mail.db")
	s := open(t, Options{Path: path})
	whole, bare := newLetter("1", 100), newLetter("2", 5000)
	bare.Message.Set = ""
	put(t, s, whole, bare)
	for _, when := range []string{"at once", "after a restart"} {
		for _, want := range []email.Letter{whole, bare} {
			j := next(t, s)
			if d := diff(want.Message, j.Message); d != "" {
				t.Errorf("%s the message is another (-want +got):\n%s", when, d)
			}
			if d := diff(string(want.Raw), string(content(t, j))); d != "" {
				t.Errorf("%s the content of %s is another (-want +got):\n%s", when, want.Message.ID, d)
			}
			if d := diff(email.State{Open: []int{0, 1}}, j.State); d != "" {
				t.Errorf("%s the state is another (-want +got):\n%s", when, d)
			}
		}
		shut(t, s)
		s = open(t, Options{Path: path})
	}
}
