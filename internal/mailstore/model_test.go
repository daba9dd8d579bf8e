package mailstore

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/email"
)

// modelMail is a mail as the model has it.
type modelMail struct {
	letter  email.Letter
	state   email.State // on disk
	now     email.State // what the next job should see
	due     time.Time
	job     *email.Job // in hand
	removed bool
}

// model is the store, thought simply.
type model struct {
	t     *testing.T
	store *Store

	opts  Options
	mails []*modelMail // in the order of acceptance
}

// longAgo is when the mails of the model were accepted; theFuture is when none of them is due.
var (
	longAgo   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	theFuture = time.Date(2200, 1, 1, 0, 0, 0, 1, time.UTC)
)

// due returns the mail that is to be handed out next; nil = none.
func (m *model) due() (first *modelMail) {
	for _, x := range m.mails {
		if x.removed || x.job != nil || !x.due.Before(theFuture) {
			continue
		}
		if first == nil || x.due.Before(first.due) {
			first = x
		}
	}
	return first
}

func (m *model) inHand() (all []*modelMail) {
	for _, x := range m.mails {
		if x.job != nil {
			all = append(all, x)
		}
	}
	return all
}

func (m *model) put(t *rapid.T) {
	var all []email.Letter
	for range rapid.IntRange(1, 4).Draw(t, "letters") {
		l := newLetter(fmt.Sprintf("%08d", len(m.mails)), rapid.SampledFrom([]int{0, 10, 1500, 9000}).Draw(t, "size"))
		l.Message.Accepted = longAgo.Add(time.Duration(len(m.mails)) * time.Second)
		l.Message.Set = rapid.SampledFrom([]string{"", "set"}).Draw(t, "set")
		if rapid.IntRange(0, 9).Draw(t, "rendered") == 0 {
			l.Raw, l.Message.Failure = nil, "Attribute 'name' is not present in the rendering data."
		}
		fresh := email.State{Open: []int{0, 1}}
		m.mails = append(m.mails, &modelMail{letter: l, state: fresh, now: fresh, due: l.Message.Accepted})
		all = append(all, l)
	}
	put(m.t, m.store, all...)
}

func (m *model) next(t *rapid.T) {
	settled(m.t, m.store)
	want := m.due()
	if want == nil {
		waits(m.t, m.store)
		t.Skip("nothing is due")
	}
	j := next(m.t, m.store)
	if d := diff(want.letter.Message, j.Message); d != "" {
		t.Fatalf("Next hands out another message (-want +got):\n%s", d)
	}
	if d := diff(want.now, j.State); d != "" {
		t.Fatalf("Next hands %s out with another state (-want +got):\n%s", j.Message.ID, d)
	}
	if d := diff(want.letter.Raw, content(m.t, j)); d != "" {
		t.Fatalf("Next hands %s out with another content (-want +got):\n%s", j.Message.ID, d)
	}
	want.job = &j
}

// draw takes a mail that is in hand.
func (m *model) draw(t *rapid.T) *modelMail {
	all := m.inHand()
	if len(all) == 0 {
		t.Skip("nothing is in hand")
	}
	return rapid.SampledFrom(all).Draw(t, "mail")
}

func (m *model) save(t *rapid.T) {
	x := m.draw(t)
	x.now = drawState(t)
	x.state = x.now
	save(m.t, *x.job, x.now)
}

func (m *model) end(t *rapid.T) {
	x := m.draw(t)
	switch rapid.SampledFrom([]string{"done", "wait", "release"}).Draw(t, "end") {
	case "done":
		x.job.Done()
		x.removed = true
	case "wait":
		x.now = drawState(t)
		x.state, x.due = x.now, x.now.Due
		x.job.Wait(x.now)
	case "release":
		x.job.Release()
	}
	x.job.Done() // ends nothing more
	x.job = nil
}

func drawState(t *rapid.T) email.State {
	s := delivered()
	s.Attempts = rapid.IntRange(0, 1000).Draw(t, "attempts")
	s.Open = rapid.SliceOfN(rapid.IntRange(0, 1), 0, 2).Draw(t, "open")
	s.Due = longAgo.Add(time.Duration(rapid.IntRange(1, 1e6).Draw(t, "due")) * time.Millisecond)
	if rapid.Bool().Draw(t, "later") {
		s.Due = theFuture
	}
	s.Last = email.Reply{Recipients: s.Open, Verdict: email.Deferred, Code: 451, Text: "451 4.7.1 later", Complaint: &email.Complaint{Arrived: longAgo}}
	return s
}

func (m *model) reopen(*rapid.T) {
	shut(m.t, m.store)
	m.store = open(m.t, m.opts)
	for _, x := range m.mails {
		x.job, x.now, x.due = nil, x.state, cmp.Or(x.state.Due, x.letter.Message.Accepted)
	}
}

func (m *model) find(t *rapid.T) {
	if len(m.mails) == 0 {
		t.Skip("there are no mails")
	}
	want := rapid.SampledFrom(m.mails).Draw(t, "mail").letter.Message
	if want.Set == "" {
		want.Tags, want.Headers, want.HeadersTruncated, want.Common, want.Template = nil, nil, false, email.CommonHeaders{}, ""
	}
	got, ok, err := m.store.Find(within(m.t), want.ID)
	if d := diff(want, got); !ok || err != nil || d != "" {
		t.Fatalf("Find(%q) = %v, %v (-want +got):\n%s", want.ID, ok, err, d)
	}
	if _, ok, err := m.store.Find(within(m.t), want.ID+"0"); ok || err != nil {
		t.Fatalf("Find of nothing = %v, %v, want none", ok, err)
	}
}

// check looks at what can always be seen.
func (m *model) check(t *rapid.T) {
	settled(m.t, m.store)
	left := len(m.mails) - len(slices.DeleteFunc(slices.Clone(m.mails), func(x *modelMail) bool { return !x.removed }))
	if n := keys(m.t, m.store, bucketBodies); n != left {
		t.Fatalf("%d mails are on disk, want %d", n, left)
	}
	if n := int(m.store.spool.countMessages()); n != left {
		t.Fatalf("%d mails are counted, want %d", n, left)
	}
	if n := int(m.store.countHeads()); n != len(m.mails) {
		t.Fatalf("%d heads are counted, want %d", n, len(m.mails))
	}
	if got, most := int64(m.store.spool.countMemory()), m.opts.MemoryBytes; got < 0 || got > most {
		t.Fatalf("mails take %d bytes of memory, want 0 to %d", got, most)
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		opts := Options{Path: filepath.Join(t.TempDir(), "mail.db"), MemoryBytes: rapid.SampledFrom([]int64{1, 12_000, 64 << 20}).Draw(r, "memory")}
		s, err := Open(opts)
		if err != nil {
			r.Fatalf("Open = %v, want nil", err)
		}
		m := &model{t: t, store: s, opts: opts}
		defer func() { shut(t, m.store) }()
		r.Repeat(map[string]func(*rapid.T){
			"put": m.put, "next": m.next, "next too": m.next, "save": m.save, "end": m.end, "reopen": m.reopen, "find": m.find, "": m.check,
		})
	})
}
