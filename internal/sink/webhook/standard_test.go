package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings/internal/sink"

	"github.com/google/go-cmp/cmp"
)

func TestTheBody(t *testing.T) {
	t.Parallel()
	const one = `{"id":"msg_0a603f072c19a1b9f5e23455f2424c93","type":"voice.answered","timestamp":"2026-11-05T14:00:00.123Z",` +
		`"account":"123456789012","region":"us-east-1","configurationSet":"calls","eventDestination":"hook",` +
		`"target":"arn:aws:sns:us-east-1:123456789012:alerts","data":{"a": 1, "b":"<\u00e9> ü"}}`
	for batch, want := range map[int]string{0: one, 1: one, 2: "[" + one + "]"} {
		f := newFarEnd(t)
		s := local(f.URL + "/hooks/{name}?from={service}")
		s.Batch = batch
		deliver(t, openSink(t, newDriver(t, s)), `{"a": 1, "b":"<\u00e9> ü"}`)
		got := f.only(t)
		if diff := cmp.Diff(want, string(got.body)); diff != "" {
			t.Errorf("batch %d (-want +got):\n%s", batch, diff)
		}
		if got.method != http.MethodPost || got.uri != "/hooks/alerts?from=sns" {
			t.Errorf("%s %s, want POST /hooks/alerts?from=sns", got.method, got.uri)
		}
	}
}

func TestNamesAreData(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	d := newDriver(t, local(f.URL))
	odd := target()
	odd.ARN.Resource = "a\"\\b"
	s, err := d.Open(odd)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer s.Close()
	batch := batchOf(`{}`)
	batch[0].Set, batch[0].Destination = "a\n\x01\xff", "b\t\r日"
	batch[0].ID = "x\r\nEvil: 1"
	if err := s.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	got := envelopes(t, f.only(t).body)[0]
	if got.ConfigurationSet != "a\n\x01\uFFFD" || got.EventDestination != "b\t\r日" || got.Target != odd.ARN.String() {
		t.Errorf("the names became %q, %q, %q", got.ConfigurationSet, got.EventDestination, got.Target)
	}
}

func TestTheIDIsStableAndTheTimeIsNot(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 10} {
		f := newFarEnd(t)
		settings := local(f.URL)
		settings.Batch = size
		now := time.Now()
		for i := range 3 {
			d := newDriver(t, settings) // as after a restart
			d.now = func() time.Time { return now.Add(time.Duration(i) * time.Minute) }
			deliver(t, openSink(t, d), `{"n":1}`)
		}
		all := f.got()
		for i, r := range all {
			verifies(t, r, secretA, true)
			if got, want := r.header.Get("Webhook-Timestamp"), strconv.FormatInt(now.Unix()+int64(i)*60, 10); got != want {
				t.Errorf("attempt %d: webhook-timestamp %s, want %s", i, got, want)
			}
			id := r.header.Get("Webhook-Id")
			if id != all[0].header.Get("Webhook-Id") || !bytes.Equal(r.body, all[0].body) {
				t.Errorf("attempt %d of batch %d: webhook-id %q and body %s differ from the first", i, size, id, r.body)
			}
			if !strings.HasPrefix(id, "msg_") || len(id) != 36 || strings.Contains(id, ".") {
				t.Errorf("webhook-id %q", id)
			}
		}
	}
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	settings := local(f.URL)
	settings.Batch = 3
	s := openSink(t, newDriver(t, settings))
	batch := batchOf(`{}`, `{}`, `{}`)
	for _, part := range [][]sink.Delivery{batch, batch[:2], batch[1:], batch[:1], {batch[1], batch[0]}} {
		if err := s.Deliver(t.Context(), part); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	seen := map[string]bool{}
	for _, r := range f.got() {
		seen[r.header.Get("Webhook-Id")] = true
	}
	for _, e := range envelopes(t, f.got()[0].body) {
		seen[e.ID] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d different IDs of 5 requests and 3 events, want 8", len(seen))
	}
}

func TestSecretsAreExchanged(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	for _, tc := range []struct {
		secrets []string
		want    map[string]bool
	}{
		{[]string{secretA}, map[string]bool{secretA: true, secretB: false}},
		{[]string{secretB, secretA}, map[string]bool{secretA: true, secretB: true, secretC: false}},
		{[]string{secretB}, map[string]bool{secretA: false, secretB: true}},
		{[]string{secretA, secretB, secretC}, map[string]bool{secretA: true, secretB: true, secretC: true}},
	} {
		s := local(f.URL)
		s.Secrets = tc.secrets
		deliver(t, openSink(t, newDriver(t, s)), `{}`)
		all := f.got()
		last := all[len(all)-1]
		for secret, want := range tc.want {
			verifies(t, last, secret, want)
		}
		if got := len(strings.Split(last.header.Get("Webhook-Signature"), " ")); got != len(tc.secrets) {
			t.Errorf("%d signatures, want %d", got, len(tc.secrets))
		}
	}
	s := local(f.URL)
	s.Secrets = nil
	deliver(t, openSink(t, newDriver(t, s)), `{}`)
	all := f.got()
	if _, ok := all[len(all)-1].header["Webhook-Signature"]; ok {
		t.Error("signed without a secret")
	}
}

func TestARequestThatIsTooLargeIsDivided(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	settings := local(f.URL)
	settings.Batch = 64
	s := openSink(t, newDriver(t, settings))
	var bodies []string
	for i := range 64 {
		bodies = append(bodies, fmt.Sprintf(`{"n":%d}`, i))
	}
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		if len(envelopes(t, readAll(t, r))) > 10 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	deliver(t, s, bodies...)
	if got := s.Limits().Count; got != 8 {
		t.Errorf("Limits().Count = %d, want 8: half of half of half of 64", got)
	}
	var got []string
	for _, r := range f.records(t, secretA) {
		got = append(got, string(r))
	}
	if !slices.Equal(got, bodies) {
		t.Errorf("%d records arrived as %v", len(got), got)
	}
	f.answers(status(http.StatusRequestEntityTooLarge))
	err := s.Deliver(t.Context(), batchOf(`{"n":1}`, `{"n":2}`))
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok || len(partial.Failed) != 2 {
		t.Fatalf("Deliver = %v, want both to fail by themselves", err)
	}
	for _, err := range partial.Failed {
		wantPermanent(t, err, "413")
	}
}

func readAll(tb testing.TB, r *http.Request) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		tb.Errorf("read the body: %v", err)
	}
	return b.Bytes()
}

func TestPoisonAndTroubleTogether(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	settings := local(f.URL)
	settings.Batch = 10
	s := openSink(t, newDriver(t, settings))
	batch := batchOf(`{"n":1}`, `{"n":`, `{"n":3}`, ``)
	for _, code := range []int{http.StatusServiceUnavailable, http.StatusOK} {
		f.answers(status(code))
		err := s.Deliver(t.Context(), batch)
		partial, ok := errors.AsType[*sink.PartialError](err)
		if !ok {
			t.Fatalf("%d: Deliver = %v, want a partial failure", code, err)
		}
		wantPermanent(t, partial.Failed[1], "no JSON")
		wantPermanent(t, partial.Failed[3], "no JSON")
		for _, good := range []int{0, 2} {
			if code == http.StatusOK && partial.Failed[good] != nil {
				t.Errorf("%d: delivery %d failed: %v", code, good, partial.Failed[good])
			} else if code != http.StatusOK {
				wantTemporary(t, partial.Failed[good], "503")
			}
		}
	}
	f.answers(status(http.StatusGone))
	if err := s.Deliver(t.Context(), batchOf(`{}`, `{}`)); !errors.Is(err, sink.ErrPermanent) {
		t.Errorf("Deliver = %v, want a permanent failure of all", err)
	}
	if got := len(f.got()); got != 1 {
		t.Errorf("%d requests were taken, want 1", got)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	d := newDriver(t, local(f.URL))
	s := openSink(t, d)
	deliver(t, s, `{}`)
	if err := d.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	deliver(t, s, `{}`) // what is open works on
	if _, err := d.Open(target()); err == nil {
		t.Error("Open after Close worked")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := s.Deliver(t.Context(), batchOf(`{}`)); !errors.Is(err, errClosed) {
		t.Errorf("Deliver after Close = %v, want %v", err, errClosed)
	}
}
