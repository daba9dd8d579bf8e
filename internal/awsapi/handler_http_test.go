package awsapi_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"tidings/internal/awsapi"
)

func TestCORSOrigin(t *testing.T) {
	t.Parallel()
	for origin, vary := range map[string]string{"": "", "*": "", "https://console.example": "Origin"} {
		g := newRig()
		g.options.CORSOrigin = origin
		h := g.post(t, "").Header()
		if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Vary") != vary {
			t.Errorf("origin %q: reply has %q and Vary %q, want Vary %q", origin, h.Get("Access-Control-Allow-Origin"), h.Get("Vary"), vary)
		}
	}
}

// TestABodyThatSaysItIsTooLargeIsNotRead sends one that cannot be read.
func TestABodyThatSaysItIsTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	g := newRig()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/words/x", io.NopCloser(broken{}))
	r.ContentLength = 1<<20 + 1
	if w := g.do(t, awsapi.NewHandler(g.options), r); w.Body.String() != " Refused3: The request body must be at most 1048576 bytes." {
		t.Errorf("reply = %q, want TooLarge", w.Body)
	}
}

// TestOrigin asks operations where their request came from.
func TestOrigin(t *testing.T) {
	t.Parallel()
	var got awsapi.Origin
	g := newRig()
	g.family.serve = func(ctx context.Context, _ http.ResponseWriter) error {
		got = awsapi.OriginOf(ctx)
		return nil
	}
	ask := func(remote string, state *tls.ConnectionState) awsapi.Origin {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/words/x", http.NoBody)
		r.RemoteAddr, r.TLS = remote, state
		g.do(t, awsapi.NewHandler(g.options), r)
		return got
	}
	for _, test := range []struct {
		remote string
		state  *tls.ConnectionState
		want   awsapi.Origin
	}{
		{"192.0.2.1:4711", nil, awsapi.Origin{IP: "192.0.2.1", Key: "AKID"}},
		{"[2001:db8::1]:4711", &tls.ConnectionState{Version: tls.VersionTLS13}, awsapi.Origin{IP: "2001:db8::1", TLS: "TLSv1.3", Key: "AKID"}},
		{"", &tls.ConnectionState{Version: tls.VersionTLS12}, awsapi.Origin{TLS: "TLSv1.2", Key: "AKID"}},
	} {
		if got := ask(test.remote, test.state); got != test.want {
			t.Errorf("from %q: %+v, want %+v", test.remote, got, test.want)
		}
	}
	if got := awsapi.OriginOf(t.Context()); got != (awsapi.Origin{}) {
		t.Errorf("origin of no request = %+v", got)
	}
	g.family.call.Open = true // nobody has signed
	if got := ask("192.0.2.1:1", nil); got != (awsapi.Origin{IP: "192.0.2.1"}) {
		t.Errorf("origin of an open operation = %+v", got)
	}
}
