package mailstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/email"
	"tidings/internal/fault"
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

// What a mail waits for comes when it is due, not earlier, and to one of those who wait alone.
func TestWaitEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		put(t, s, newLetter("1", 10), newLetter("2", 10))
		first, second := next(t, s), next(t, s)
		began := time.Now()
		later := delivered()
		later.Due = began.Add(time.Hour + 1)
		first.Wait(later)
		sooner := delivered()
		sooner.Due = began.Add(time.Minute)
		second.Wait(sooner)
		var mu sync.Mutex
		var got []string
		ctx, cancel := context.WithCancel(t.Context())
		var waiters sync.WaitGroup
		for range 5 {
			waiters.Go(func() {
				for {
					j, err := s.Next(ctx)
					if err != nil {
						return
					}
					mu.Lock()
					got = append(got, j.Message.ID+" after "+time.Since(began).String())
					mu.Unlock()
				}
			})
		}
		time.Sleep(2 * time.Hour)
		want := []string{"2 after 1m0s", "1 after 1h0m0.001s"}
		mu.Lock()
		if !slices.Equal(got, want) {
			t.Errorf("Next = %q, want %q", got, want)
		}
		mu.Unlock()
		cancel()
		waiters.Wait()
		shut(t, s)
	})
}

// Changes that nobody waits for are written soon, even if nobody else writes.
func TestDoneIsWrittenSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		put(t, s, newLetter("1", 10))
		next(t, s).Done()
		if n := keys(t, s, bucketBodies); n != 1 {
			t.Errorf("%d mails are on disk at once, want 1: the removal has waited for the disk", n)
		}
		time.Sleep(lateness)
		synctest.Wait()
		if n := keys(t, s, bucketBodies); n != 0 {
			t.Errorf("%d mails are on disk after %v, want none", n, lateness)
		}
		shut(t, s)
	})
}

func TestNewMailsWakeWhoWaits(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	const mails, waiters = 200, 8
	got := make(chan string, mails)
	ctx, cancel := context.WithCancel(within(t))
	var all sync.WaitGroup
	for range waiters {
		all.Go(func() {
			for {
				j, err := s.Next(ctx)
				if err != nil {
					return
				}
				got <- j.Message.ID
				j.Done()
			}
		})
	}
	for i := range mails {
		put(t, s, newLetter(fmt.Sprint(i), 10))
	}
	seen := map[string]bool{}
	for range mails {
		id := <-got
		if seen[id] {
			t.Errorf("mail %s was handed out twice", id)
		}
		seen[id] = true
	}
	cancel()
	all.Wait()
	waits(t, s)
}

func TestNextEnds(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() {
		_, err := s.Next(ctx)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Next after the end of its context = %v, want canceled", err)
	}
	go func() {
		_, err := s.Next(context.Background())
		ended <- err
	}()
	shut(t, s)
	if err := <-ended; !fault.Is(err, fault.Unavailable) {
		t.Errorf("Next of a closed store = %v, want unavailable", err)
	}
}

// A transaction that fails is told to those who wait for it; what nobody waits for is written with the next.
func TestLateChangesSurviveAFailure(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	put(t, s, newLetter("1", 10), newLetter("2", 10))
	done, waiting := next(t, s), next(t, s)
	hold, held := hold(t, s)
	done.Done()
	waiting.Wait(delivered())
	failed, refused := make(chan error, 1), make(chan error, 1)
	disk := errors.New("the disk is on fire")
	go func() {
		failed <- s.commit(context.Background(), &change{edit: func(*batch, *change) error { return disk }})
	}()
	go func() { refused <- s.Put(context.Background(), newLetter("3", 10)) }()
	for len(s.changes) < 4 { // they wait for the writer, which is held
		runtime.Gosched()
	}
	close(hold)
	<-held
	for _, err := range []error{<-failed, <-refused} {
		if !errors.Is(err, disk) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("a change in a failed transaction = %v, want it unavailable", err)
		}
	}
	j := next(t, s)
	if d := diff(delivered(), j.State); j.Message.ID != "2" || d != "" {
		t.Errorf("Next = %s, want 2, and its state (-want +got):\n%s", j.Message.ID, d)
	}
	if n := keys(t, s, bucketBodies); n != 1 {
		t.Errorf("%d mails are on disk, want 1", n)
	}
}

func TestFullStoreTakesOutcomesAndRemovals(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mail.db")
	s := open(t, Options{Path: path})
	for i := range 50 {
		put(t, s, newLetter(fmt.Sprintf("%02d", i), 20_000))
	}
	template := &email.Template{Name: "t"}
	if err := s.PutTemplate(within(t), acme, template, true); err != nil {
		t.Fatalf("PutTemplate = %v, want nil", err)
	}
	shut(t, s)
	s = open(t, Options{Path: path, MaxBytes: 600_000})
	if err := s.Put(within(t), newLetter("99", 10)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Put of a full store = %v, want unavailable", err)
	}
	if err := s.PutTemplate(within(t), acme, template, false); !fault.Is(err, fault.Unavailable) {
		t.Errorf("PutTemplate of a full store = %v, want unavailable", err)
	}
	for range 40 {
		j := next(t, s)
		save(t, j, delivered())
		j.Done()
	}
	if err := s.PutSuppressed(within(t), acme, &email.Suppressed{Address: "a@example.com"}); err != nil {
		t.Errorf("PutSuppressed of a full store = %v, want nil", err)
	}
	settled(t, s) // pages that were freed can be used from the next transaction on
	put(t, s, newLetter("99", 10))
	if err := s.Put(within(t), newLetter("98", 600_000)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Put of what is larger than the room = %v, want unavailable", err)
	}
}

func TestHeadsAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	s := open(t, Options{KeepHeads: time.Hour})
	now := time.Now()
	var all []email.Letter
	for i := range 3 * maxSwept {
		l := newLetter(fmt.Sprintf("%05d", i), 10)
		l.Message.Accepted = now.Add(-2 * time.Hour)
		if i >= 3*maxSwept-2 {
			l.Message.Accepted = now
		}
		all = append(all, l)
	}
	put(t, s, all...)
	for range len(all) {
		if j := next(t, s); j.Message.ID != "00007" { // it stays in hand
			j.Done()
		}
	}
	s.sweepOld(now)
	var left []string
	for _, l := range all {
		if _, ok, err := s.Find(within(t), l.Message.ID); err != nil {
			t.Fatalf("Find = %v, want nil", err)
		} else if ok {
			left = append(left, l.Message.ID)
		}
	}
	if want := []string{"00007", "02998", "02999"}; !slices.Equal(left, want) {
		t.Errorf("%q are remembered, want %q", left, want)
	}
	if n := s.countHeads(); n != 3 {
		t.Errorf("%v heads are counted, want 3", n)
	}
}

func TestOldHeadsAreRemovedWithoutBeingAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{KeepHeads: time.Hour})
		l := newLetter("1", 10)
		l.Message.Accepted = time.Now()
		put(t, s, l)
		next(t, s).Done()
		time.Sleep(time.Hour)
		if n := s.countHeads(); n != 1 {
			t.Errorf("%v heads after an hour, want 1", n)
		}
		time.Sleep(2 * tidyEvery)
		synctest.Wait()
		if n := s.countHeads(); n != 0 {
			t.Errorf("%v heads after more than an hour, want none", n)
		}
		shut(t, s)
	})
}

func TestHeadsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	const most = 50_000
	s := open(t, Options{KeepHeadsBytes: most})
	for i := range 300 {
		put(t, s, newLetter(fmt.Sprintf("%05d", i), 10))
		if i != 0 { // the first stays in hand
			next(t, s).Done()
			continue
		}
		next(t, s)
	}
	settled(t, s)
	if n := s.countHeadBytes(); n <= most/2 || n > most+2000 {
		t.Errorf("heads have %v bytes, want about %d", n, most)
	}
	for id, want := range map[string]bool{"00000": true, "00001": false, "00299": true} {
		if _, ok, err := s.Find(within(t), id); ok != want || err != nil {
			t.Errorf("Find(%q) = %v, %v, want %v", id, ok, err, want)
		}
	}
}

// A mail whose record is broken does not stop the others.
func TestBrokenMailIsPassedOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mail.db")
	s := open(t, Options{Path: path})
	put(t, s, newLetter("1", 10), newLetter("2", 10))
	err := s.commit(within(t), &change{edit: func(b *batch, _ *change) error { return b.put(bucketHeads, []byte("1"), []byte("rubbish!!")) }})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	s = open(t, Options{Path: path})
	if j := next(t, s); j.Message.ID != "2" {
		t.Errorf("Next = %s, want 2", j.Message.ID)
	}
	if n := keys(t, s, bucketBodies); n != 2 {
		t.Errorf("%d mails are on disk, want 2", n)
	}
}

func TestPutEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	goOn, held := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, newLetter("1", 10)); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want canceled", err)
	}
	close(goOn)
	<-held
	if err := s.Put(within(t)); err != nil {
		t.Errorf("Put of nothing = %v, want nil", err)
	}
}

// hold keeps the writer from writing until goOn is closed; then held is closed.
func hold(t *testing.T, s *Store) (goOn, held chan struct{}) {
	t.Helper()
	goOn, held = make(chan struct{}), make(chan struct{})
	begun := make(chan struct{})
	go func() {
		defer close(held)
		err := s.commit(context.Background(), &change{edit: func(*batch, *change) error {
			close(begun)
			<-goOn
			return nil
		}})
		if err != nil {
			t.Errorf("commit of the holder = %v, want nil", err)
		}
	}()
	<-begun
	return goOn, held
}
