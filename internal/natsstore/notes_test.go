package natsstore

import (
	"testing"
)

func TestNotesSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	if got, err := s.Note(within(t), "a-key"); got != nil || err != nil {
		t.Errorf("Note of nothing = %q, %v, want nil and nil", got, err)
	}
	for _, value := range []string{"one", "two"} {
		if err := s.SetNote(within(t), "a-key", []byte(value)); err != nil {
			t.Fatalf("SetNote = %v", err)
		}
	}
	closeStore(t, s)
	s = openStore(t, Options{Dir: dir})
	if got, err := s.Note(within(t), "a-key"); string(got) != "two" || err != nil {
		t.Errorf("Note after a restart = %q, %v, want two", got, err)
	}
	for _, key := range []string{"", "a.b", "a b", "é"} {
		if err := s.SetNote(within(t), key, nil); err == nil {
			t.Errorf("SetNote(%q) = nil, want it refused", key)
		}
		if _, err := s.Note(within(t), key); err == nil {
			t.Errorf("Note(%q) = nil, want it refused", key)
		}
	}
	closeStore(t, s)
	if _, err := s.Note(within(t), "a-key"); err == nil {
		t.Error("Note of a closed store worked")
	}
	if err := s.SetNote(within(t), "a-key", nil); err == nil {
		t.Error("SetNote of a closed store worked")
	}
}

func TestAllSets(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	for _, name := range []string{"a", "b"} {
		create(t, s, setKeyOf(name))
	}
	all := s.ConfigurationSets().All()
	if len(all) != 2 || all[setKeyOf("b")] == nil || all[setKeyOf("b")].Name != "b" {
		t.Errorf("All = %v, want a and b", all)
	}
}
