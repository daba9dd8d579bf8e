package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/internal/sink"
)

// deliver delivers one record, which must work.
func deliver(tb testing.TB, s sink.Sink, records ...string) {
	tb.Helper()
	if err := s.Deliver(tb.Context(), batchOf(records...)); err != nil {
		tb.Fatalf("Deliver(%q) = %v", records, err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	s := openSink(t, newDriver(t, local(f.URL)))
	now := time.Now()
	for _, tc := range []struct {
		status     int
		retryAfter string
		permanent  bool
		delay      time.Duration // 0 = none
	}{
		{status: 200},
		{status: 201},
		{status: 202, retryAfter: "5"},
		{status: 204},
		{status: 299},
		{status: 300},
		{status: 304},
		{status: 400},
		{status: 401},
		{status: 403},
		{status: 404},
		{status: 408},
		{status: 410, permanent: true, retryAfter: "5"},
		{status: 413, permanent: true},
		{status: 422},
		{status: 429, retryAfter: "7", delay: 7 * time.Second},
		{status: 429},
		{status: 500},
		{status: 502, retryAfter: " 3 ", delay: 3 * time.Second},
		{status: 503, retryAfter: now.Add(time.Hour).UTC().Format(http.TimeFormat), delay: time.Hour},
		{status: 503, retryAfter: now.Add(-time.Hour).UTC().Format(http.TimeFormat)},
		{status: 503, retryAfter: "99999999999999999999", delay: maxRetryAfter},
		{status: 503, retryAfter: "-5"},
		{status: 503, retryAfter: "soon"},
		{status: 599},
		{status: 999},
	} {
		f.answers(func(w http.ResponseWriter, _ *http.Request) {
			if tc.retryAfter != "" {
				w.Header().Set("Retry-After", tc.retryAfter)
			}
			w.WriteHeader(tc.status)
			if tc.status >= 300 && tc.status != 304 {
				fmt.Fprint(w, "because\x00\x1b[31m \r\n of\tthis \xff")
			}
		})
		err := s.Deliver(t.Context(), batchOf(`{}`))
		switch {
		case tc.status < 300:
			if err != nil {
				t.Errorf("%d: Deliver = %v, want nil", tc.status, err)
			}
			continue
		case tc.permanent:
			wantPermanent(t, err, fmt.Sprint(tc.status))
			continue
		}
		wantTemporary(t, err, fmt.Sprint(tc.status))
		if tc.status != 304 && !strings.HasSuffix(err.Error(), ": because[31m of this") {
			t.Errorf("the error ends in %q, want what is printable", err)
		}
		if got := sink.Delay(err); got > tc.delay || got < tc.delay-time.Minute || tc.delay > 0 && got == 0 {
			t.Errorf("%d with Retry-After %q: Delay = %v, want %v", tc.status, tc.retryAfter, got, tc.delay)
		}
	}
}

func TestTheExcerptIsShort(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	f.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		w.Write(bytes.Repeat([]byte("日本"), 1<<20)) // more than is read
	})
	err := openSink(t, newDriver(t, local(f.URL))).Deliver(t.Context(), batchOf(`{}`))
	wantTemporary(t, err, "500", "日本日本")
	if len(err.Error()) > 400 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	s := openSink(t, newDriver(t, local(f.URL)))
	for _, answer := range []http.HandlerFunc{
		nil, status(204), status(500),
		func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxBody-1)) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			w.Write(make([]byte, maxBody-1))
		},
	} {
		f.answers(answer)
		s.Deliver(t.Context(), batchOf(`{}`))
	}
	f.answers(nil)
	deliver(t, s, `{}`)
	if got := f.contacts.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}

// A server that closes idle connections does so now and then while a request is on its way.
// That must not look like a failing destination.
func TestAClosedIdleConnectionIsNoFailure(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	s := openSink(t, newDriver(t, local(f.URL)))
	for range 20 {
		deliver(t, s, `{}`)
		f.CloseClientConnections()
	}
	if got := len(f.got()); got != 20 {
		t.Errorf("%d requests, want 20", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 11, 5, 14, 0, 0, 0, time.UTC)
	for _, s := range []string{"", "0", "120", "-1", "1e3", "99999999999999999999999", "Thu, 05 Nov 2026 15:00:00 GMT", "Thursday, 05-Nov-26 15:00:00 GMT", "Thu Nov  5 15:00:00 2026"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := retryAfter(s, now)
		if d < 0 || d > maxRetryAfter {
			t.Fatalf("retryAfter(%q) = %v", s, d)
		}
		if again := retryAfter(fmt.Sprint(int64(d/time.Second)), now); again != d.Truncate(time.Second) {
			t.Fatalf("retryAfter(%q) = %v, and of its seconds %v", s, d, again)
		}
	})
}
