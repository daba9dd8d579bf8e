package mailstore

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/email"
	"tidings/internal/fault"
)

var (
	january = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	errNo   = errors.New("no")
)

// twice calls check with the store, and again after it was closed and opened.
func twice(t *testing.T, s *Store, check func(t *testing.T, s *Store)) {
	t.Helper()
	check(t, s)
	path := s.opts.Path
	shut(t, s)
	check(t, open(t, Options{Path: path}))
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	ctx := within(t)
	for _, name := range []string{"c", "a", "b"} {
		one := &email.Template{
			Name: name, Subject: "subject " + name, Text: "text", HTML: strings.Repeat("<p>", 100_000), Created: january, Tags: map[string]string{"k": "v"},
		}
		if err := s.PutTemplate(ctx, acme, one, false); !fault.Is(err, fault.NotFound) {
			t.Errorf("PutTemplate of what is not there = %v, want not found", err)
		}
		if err := s.PutTemplate(ctx, acme, one, true); err != nil {
			t.Errorf("PutTemplate = %v, want nil", err)
		}
		if err := s.PutTemplate(ctx, acme, one, true); !fault.Is(err, fault.Exists) {
			t.Errorf("PutTemplate of what is there = %v, want exists", err)
		}
		if got, ok, err := s.Template(ctx, acme, name); !ok || err != nil || diff(one, got) != "" {
			t.Errorf("Template(%q) = %v, %v (-want +got):\n%s", name, ok, err, diff(one, got))
		}
	}
	changed := &email.Template{Name: "b", Subject: "another", Created: january}
	if err := s.PutTemplate(ctx, acme, changed, false); err != nil {
		t.Errorf("PutTemplate = %v, want nil", err)
	}
	if err := s.PutTemplate(ctx, other, &email.Template{Name: "d", Created: january}, true); err != nil {
		t.Errorf("PutTemplate in another region = %v, want nil", err)
	}
	twice(t, s, func(t *testing.T, s *Store) {
		if got, ok, err := s.Template(ctx, acme, "b"); !ok || err != nil || diff(changed, got) != "" {
			t.Errorf("Template(b) = %v, %v (-want +got):\n%s", ok, err, diff(changed, got))
		}
		if _, ok, err := s.Template(ctx, acme, "d"); ok || err != nil {
			t.Errorf("Template of another region = %v, %v, want none", ok, err)
		}
		first, more, err := s.Templates(ctx, acme, "", 2)
		if names := templateNames(first); names != "a b" || !more || err != nil || first[0].HTML != "" || !first[0].Created.Equal(january) {
			t.Errorf("Templates = %q, %v, %v, want a and b, and more", names, more, err)
		}
		rest, more, err := s.Templates(ctx, acme, "b", 2)
		if names := templateNames(rest); names != "c" || more || err != nil {
			t.Errorf("Templates behind b = %q, %v, %v, want c", names, more, err)
		}
		if n, err := s.CountTemplates(ctx, acme); n != 3 || err != nil {
			t.Errorf("CountTemplates = %d, %v, want 3", n, err)
		}
	})
	s = open(t, Options{})
	if had, err := s.DeleteTemplate(ctx, acme, "a"); had || err != nil {
		t.Errorf("DeleteTemplate of nothing = %v, %v, want false", had, err)
	}
	if err := s.PutTemplate(ctx, acme, changed, true); err != nil {
		t.Errorf("PutTemplate = %v, want nil", err)
	}
	if had, err := s.DeleteTemplate(ctx, acme, "b"); !had || err != nil {
		t.Errorf("DeleteTemplate = %v, %v, want true", had, err)
	}
	if _, ok, err := s.Template(ctx, acme, "b"); ok || err != nil {
		t.Errorf("Template of what was deleted = %v, %v, want none", ok, err)
	}
	if n := keys(t, s, bucketParts); n != 0 {
		t.Errorf("%d parts of templates are left, want none", n)
	}
	if err := s.PutTemplate(ctx, acme, &email.Template{}, true); !fault.Is(err, fault.Invalid) {
		t.Errorf("PutTemplate without a name = %v, want invalid", err)
	}
}

func templateNames(all []*email.Template) string {
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	return strings.Join(names, " ")
}

func TestTemplateCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newTemplateCache()
	_, era := c.get("a")
	for i := range 100 {
		c.fill(fmt.Sprint(i), &email.Template{HTML: strings.Repeat("x", 500_000)}, era)
		if c.bytes > maxTemplateBytes {
			t.Fatalf("the cache has %d bytes, want at most %d", c.bytes, maxTemplateBytes)
		}
	}
	if one, _ := c.get("99"); one == nil {
		t.Error("what was read last is not in the cache")
	}
	c.clear()
	c.fill("a", &email.Template{}, era)
	if one, _ := c.get("a"); one != nil {
		t.Error("what was read before a change is in the cache")
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	ctx := within(t)
	want := &email.Identity{
		Name: "example.com", Created: january, Verified: true, Token: "t", DKIM: true, Selector: "s", Key: []byte{1, 2}, MailFrom: "m.example.com",
		MailFromOnFailure: "RejectMessage", Forwarding: true, Topics: map[string]string{"Bounce": "arn"}, HeadersIn: map[string]bool{"Bounce": true},
		Policies: map[string]string{"p": "{}"}, Set: "set", Tags: map[string]string{"k": "v"},
	}
	err := s.ChangeIdentity(ctx, acme, "example.com", func(i *email.Identity) (*email.Identity, error) {
		if i != nil {
			t.Errorf("the identity before = %v, want none", i)
		}
		return want, nil
	})
	if err != nil {
		t.Fatalf("ChangeIdentity = %v, want nil", err)
	}
	for _, name := range []string{"a@example.com", "gone.example.com"} {
		if err := s.ChangeIdentity(ctx, acme, name, func(*email.Identity) (*email.Identity, error) { return &email.Identity{Created: january}, nil }); err != nil {
			t.Fatalf("ChangeIdentity = %v, want nil", err)
		}
	}
	err = s.ChangeIdentity(ctx, acme, "example.com", func(i *email.Identity) (*email.Identity, error) {
		i.Topics["Bounce"] = "another" // of a copy
		return nil, errNo
	})
	if !errors.Is(err, errNo) {
		t.Errorf("ChangeIdentity that is refused = %v, want %v", err, errNo)
	}
	for range 2 {
		if err := s.ChangeIdentity(ctx, acme, "gone.example.com", func(*email.Identity) (*email.Identity, error) { return nil, nil }); err != nil {
			t.Errorf("ChangeIdentity to nothing = %v, want nil", err)
		}
	}
	twice(t, s, func(t *testing.T, s *Store) {
		if got, ok, err := s.Identity(ctx, acme, "example.com"); !ok || err != nil || diff(want, got) != "" {
			t.Errorf("Identity = %v, %v (-want +got):\n%s", ok, err, diff(want, got))
		}
		if _, ok, err := s.Identity(ctx, acme, "gone.example.com"); ok || err != nil {
			t.Errorf("Identity of what was removed = %v, %v, want none", ok, err)
		}
		if _, ok, err := s.Identity(ctx, other, "example.com"); ok || err != nil {
			t.Errorf("Identity of another region = %v, %v, want none", ok, err)
		}
		all, more, err := s.Identities(ctx, acme, "", 9)
		if len(all) != 2 || all[0].Name != "a@example.com" || more || err != nil || diff(want, all[1]) != "" {
			t.Errorf("Identities = %v, %v, %v, want two", all, more, err)
		}
	})
}

// Many who change the same identity, or the same settings, lose nothing.
func TestChangesAreOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	const callers = 20
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			err := s.ChangeIdentity(within(t), acme, "example.com", func(i *email.Identity) (*email.Identity, error) {
				if i == nil {
					i = &email.Identity{}
				}
				i.Token += "x"
				return i, nil
			})
			if err != nil {
				t.Errorf("ChangeIdentity = %v, want nil", err)
			}
			err = s.ChangeSettings(within(t), acme, func(x *email.Settings) error {
				x.Suppression = append(x.Suppression, fmt.Sprint(i))
				return nil
			})
			if err != nil {
				t.Errorf("ChangeSettings = %v, want nil", err)
			}
		})
	}
	all.Wait()
	if i, _, err := s.Identity(within(t), acme, "example.com"); err != nil || len(i.Token) != callers {
		t.Errorf("Identity has counted %q, %v, want %d", i.Token, err, callers)
	}
	if x, err := s.Settings(within(t), acme); err != nil || len(x.Suppression) != callers {
		t.Errorf("Settings have %q, %v, want %d", x.Suppression, err, callers)
	}
}

func TestSuppressed(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	ctx := within(t)
	entry := func(i int) *email.Suppressed {
		one := &email.Suppressed{Address: fmt.Sprintf("%d@example.com", i), Reason: "BOUNCE", Updated: january.Add(time.Duration(i) * time.Hour), Message: "m", Feed: "f"}
		if i%2 == 1 {
			one.Reason = "COMPLAINT"
		}
		return one
	}
	for i := range 9 {
		if err := s.PutSuppressed(ctx, acme, entry(i)); err != nil {
			t.Fatalf("PutSuppressed = %v, want nil", err)
		}
	}
	for _, want := range []bool{true, false} {
		if had, err := s.DeleteSuppressed(ctx, acme, "8@example.com"); had != want || err != nil {
			t.Errorf("DeleteSuppressed = %v, %v, want %v", had, err, want)
		}
	}
	at := func(i int) time.Time { return entry(i).Updated }
	twice(t, s, func(t *testing.T, s *Store) {
		if got, ok, err := s.Suppressed(ctx, acme, "3@example.com"); !ok || err != nil || diff(entry(3), got) != "" {
			t.Errorf("Suppressed = %v, %v (-want +got):\n%s", ok, err, diff(entry(3), got))
		}
		if _, ok, err := s.Suppressed(ctx, other, "3@example.com"); ok || err != nil {
			t.Errorf("Suppressed in another region = %v, %v, want not", ok, err)
		}
		for _, q := range []struct {
			reasons      []string
			since, until time.Time
			after        string
			limit        int
			want         string
			more         bool
		}{
			{limit: 9, want: "01234567"},
			{limit: 8, want: "01234567"},
			{limit: 7, want: "0123456", more: true},
			{limit: 2, after: "5@example.com", want: "67"},
			{limit: 2, reasons: []string{"COMPLAINT"}, want: "13", more: true},
			{limit: 4, reasons: []string{"COMPLAINT"}, want: "1357"},
			{limit: 9, since: at(2), until: at(5), want: "234"},
			{limit: 9, reasons: []string{"OTHER"}},
		} {
			all, more, err := s.SuppressedList(ctx, acme, q.reasons, q.since, q.until, q.after, q.limit)
			got := ""
			for _, one := range all {
				got += one.Address[:1]
			}
			if got != q.want || more != q.more || err != nil {
				t.Errorf("SuppressedList(%+v) = %q, %v, %v", q, got, more, err)
			}
		}
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	ctx := within(t)
	if got, err := s.Settings(ctx, acme); err != nil || got.Suppression != nil || got.Paused {
		t.Errorf("Settings = %+v, %v, want none", got, err)
	}
	err := s.ChangeSettings(ctx, acme, func(x *email.Settings) error {
		*x = email.Settings{Paused: true, Suppression: []string{}, Details: []byte("{}")}
		return nil
	})
	if err != nil {
		t.Errorf("ChangeSettings = %v, want nil", err)
	}
	err = s.ChangeSettings(ctx, acme, func(x *email.Settings) error {
		x.Details[0] = '!' // of a copy
		return errNo
	})
	if !errors.Is(err, errNo) {
		t.Errorf("ChangeSettings that is refused = %v, want %v", err, errNo)
	}
	twice(t, s, func(t *testing.T, s *Store) {
		got, err := s.Settings(ctx, acme)
		if err != nil || !got.Paused || got.Suppression == nil || len(got.Suppression) != 0 || string(got.Details) != "{}" {
			t.Errorf("Settings = %+v, %v, want them paused with no reasons", got, err)
		}
	})
}

func TestCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		begin := time.Now().Truncate(span)
		s.Count(acme, begin.Add(span), email.Counts{Attempts: 1})
		s.Count(acme, begin.Add(1), email.Counts{Attempts: 2, Bounces: 1})
		s.Count(acme, begin.Add(span-1), email.Counts{Complaints: 3, Rejections: 4})
		s.Count(other, begin, email.Counts{Attempts: 9})
		want := []email.Counts{
			{From: begin.UTC(), Attempts: 2, Bounces: 1, Complaints: 3, Rejections: 4},
			{From: begin.Add(span).UTC(), Attempts: 1},
		}
		check := func(s *Store, want []email.Counts, when string) {
			t.Helper()
			if got, err := s.Statistics(t.Context(), acme); err != nil || diff(want, got) != "" {
				t.Errorf("%s Statistics = %v (-want +got):\n%s", when, err, diff(want, got))
			}
		}
		check(s, want, "at once")
		time.Sleep(tidyEvery)
		synctest.Wait()
		if n := keys(t, s, bucketCounts); n != 3 {
			t.Errorf("%d counts are on disk after a minute, want 3", n)
		}
		s.Count(acme, begin, email.Counts{Attempts: 1}) // is written when the store closes
		want[0].Attempts++
		path := s.opts.Path
		shut(t, s)
		s = open(t, Options{Path: path})
		check(s, want, "after a restart")
		time.Sleep(counted)
		check(s, want[1:], "after two weeks")
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := keys(t, s, bucketCounts); n != 0 {
			t.Errorf("%d counts are on disk after two weeks, want none", n)
		}
		shut(t, s)
	})
}
