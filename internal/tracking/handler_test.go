package tracking

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/gif"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/email"
)

// told is what an intake was told.
type told struct {
	ID, Link string
	Visit    email.Visit
	Tags     map[string][]string
}

// intake notes what it is told.
type intake struct {
	mu   sync.Mutex
	told []told
	fail int           // so many times
	hold chan struct{} // nil = nothing waits
}

func (i *intake) take(ctx context.Context, one told) error {
	if i.hold != nil {
		select {
		case <-i.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail > 0 {
		i.fail--
		return errors.New("the disk is full")
	}
	i.told = append(i.told, one)
	return nil
}

func (i *intake) Opened(ctx context.Context, id string, v email.Visit) error {
	return i.take(ctx, told{ID: id, Visit: v})
}

func (i *intake) Clicked(ctx context.Context, id string, v email.Visit, link string, tags map[string][]string) error {
	return i.take(ctx, told{ID: id, Link: link, Visit: v, Tags: tags})
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a handler, its intake, and what is counted.
type rig struct {
	*Handler
	intake  *intake
	metrics *Metrics
	link    string // paths
	pixel   string
}

func newRig(tb testing.TB, in *intake, change func(*Options)) *rig {
	tb.Helper()
	l := links(tb)
	m := l.maker(messageID, "")
	o := Options{Links: l, Intake: in, Now: func() time.Time { return noon }, Metrics: NewMetrics(prometheus.NewRegistry())}
	if change != nil {
		change(&o)
	}
	r := &rig{Handler: NewHandler(o), intake: in, metrics: o.Metrics}
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whoever wants to wait has closed it before
		_ = r.Close(ctx)
	})
	r.link = strings.TrimPrefix(m.link("https://example.com/a?b=1#c", "k:v;k:w"), "https://track.example")
	r.pixel = strings.TrimPrefix(m.pixel(), "https://track.example")
	return r
}

// get serves one request.
func (r *rig) get(method, path string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, nil)
	req.RemoteAddr = "192.0.2.7:4711"
	req.Header.Set("User-Agent", "Browser/1.0")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func (r *rig) count(kind, result string) float64 {
	return testutil.ToFloat64(r.metrics.requests.WithLabelValues(kind, result))
}

func TestHandlerServes(t *testing.T) {
	t.Parallel()
	r := newRig(t, &intake{}, nil)
	pixel := r.get("GET", r.pixel)
	if pixel.Code != 200 || pixel.Header().Get("Content-Type") != "image/gif" || pixel.Body.Len() != 43 || !strings.Contains(pixel.Header().Get("Cache-Control"), "no-store") {
		t.Errorf("the pixel is %d %v, %d bytes", pixel.Code, pixel.Header(), pixel.Body.Len())
	}
	image, err := gif.Decode(bytes.NewReader(pixel.Body.Bytes()))
	if err != nil || image.Bounds().Dx() != 1 || image.Bounds().Dy() != 1 {
		t.Fatalf("Decode of the pixel = %v, %v, want one pixel", image, err)
	}
	if _, _, _, alpha := image.At(0, 0).RGBA(); alpha != 0 {
		t.Errorf("the pixel is not transparent: %v", image.At(0, 0))
	}
	link := r.get("GET", r.link)
	if link.Code != http.StatusFound || link.Header().Get("Location") != "https://example.com/a?b=1#c" || !strings.Contains(link.Header().Get("Cache-Control"), "no-store") {
		t.Errorf("the link is %d %v", link.Code, link.Header())
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatalf("Close = %v", err)
	}
	visit := email.Visit{IP: "192.0.2.7", UserAgent: "Browser/1.0", At: noon}
	want := map[string]told{
		"":                            {ID: messageID, Visit: visit},
		"https://example.com/a?b=1#c": {ID: messageID, Visit: visit, Link: "https://example.com/a?b=1#c", Tags: map[string][]string{"k": {"v", "w"}}},
	}
	got := map[string]told{}
	for _, one := range r.intake.told {
		got[one.Link] = one
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if r.count("open", "accepted") != 1 || r.count("click", "accepted") != 1 {
		t.Errorf("counted %v opens and %v clicks, want one of each", r.count("open", "accepted"), r.count("click", "accepted"))
	}
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("Close, once more = %v", err)
	}
	if late := r.get("GET", r.link); late.Code != http.StatusFound || r.count("click", "dropped") != 1 {
		t.Errorf("a link after Close is %d, %v dropped, want a redirect, and 1", late.Code, r.count("click", "dropped"))
	}
}

func TestHandlerHead(t *testing.T) {
	t.Parallel()
	r := newRig(t, &intake{}, nil)
	if w := r.get("HEAD", r.link); w.Code != http.StatusFound || w.Header().Get("Location") == "" {
		t.Errorf("HEAD of a link = %d %v", w.Code, w.Header())
	}
	if w := r.get("HEAD", r.pixel); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "43" {
		t.Errorf("HEAD of a pixel = %d %v, %d bytes", w.Code, w.Header(), w.Body.Len())
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if len(r.intake.told) != 0 || r.count("click", "looked") != 1 || r.count("open", "looked") != 1 {
		t.Errorf("told %+v, want nothing", r.intake.told)
	}
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, &intake{}, nil)
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", strings.Replace(r.link, "example.com", "evil.example", 1), 400},
		{"GET", r.link + "A", 400},
		{"GET", "/L0/https:%2F%2Fevil.example%2F", 400},
		{"GET", "/L0/https:%2F%2Fevil.example%2F/AAAA/AAAA", 400},
		{"GET", "/I0/", 400},
		{"GET", strings.Replace(r.pixel, "/I0/", "/I0/A", 1), 400},
		{"GET", "/", 404},
		{"GET", "/favicon.ico", 404},
		{"POST", r.link, 405},
		{"DELETE", r.pixel, 405},
	} {
		w := r.get(c.method, c.path)
		if w.Code != c.want || w.Header().Get("Location") != "" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s = %d %v, want %d and a plain page", c.method, c.path, w.Code, w.Header(), c.want)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if len(r.intake.told) != 0 || r.count("other", "invalid") != 10 {
		t.Errorf("told %+v, counted %v, want nothing and 10", r.intake.told, r.count("other", "invalid"))
	}
}

func TestHandlerAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trust  bool
		header []string
		want   string
	}{
		"none":           {true, nil, "192.0.2.7"},
		"not trusted":    {false, []string{"X-Forwarded-For", "198.51.100.1"}, "192.0.2.7"},
		"trusted":        {true, []string{"X-Forwarded-For", "198.51.100.1"}, "198.51.100.1"},
		"last":           {true, []string{"X-Forwarded-For", "203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"last of two":    {true, []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "2001:db8::1"}, "2001:db8::1"},
		"no address":     {true, []string{"X-Forwarded-For", "unknown"}, "192.0.2.7"},
		"mapped address": {true, []string{"X-Forwarded-For", "::ffff:198.51.100.1"}, "198.51.100.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &intake{}, func(o *Options) { o.TrustProxy = c.trust })
			r.get("GET", r.pixel, append(c.header, "User-Agent", "x")...)
			if err := r.Close(t.Context()); err != nil {
				t.Fatalf("Close = %v", err)
			}
			if len(r.intake.told) != 1 || r.intake.told[0].Visit.IP != c.want {
				t.Errorf("told %+v, want the address %s", r.intake.told, c.want)
			}
		})
	}
}

// TestHandlerSlowIntake sees that visitors are served although nobody takes in their visits, and that what does not fit is dropped.
func TestHandlerSlowIntake(t *testing.T) {
	t.Parallel()
	in := &intake{hold: make(chan struct{})}
	const room = 5
	r := newRig(t, in, func(o *Options) { o.Queue = room })
	const visits = room + tellers + 20
	for range visits {
		if w := r.get("GET", r.link); w.Code != http.StatusFound {
			t.Fatalf("the link is %d", w.Code)
		}
	}
	dropped := r.count("click", "dropped")
	if dropped < 20 || r.count("click", "accepted") != visits-dropped {
		t.Errorf("%v visits were dropped, %v accepted, want at least 20 dropped", dropped, r.count("click", "accepted"))
	}
	close(in.hold)
	if err := r.Close(t.Context()); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if len(in.told) != int(visits-dropped) {
		t.Errorf("%d visits were told, want %v", len(in.told), visits-dropped)
	}
}

func TestHandlerCloseGivesUp(t *testing.T) {
	t.Parallel()
	in := &intake{hold: make(chan struct{})}
	r := newRig(t, in, nil)
	r.get("GET", r.link)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close = %v, want Canceled", err)
	}
	if r.count("click", "failed") != 1 || len(in.told) != 0 {
		t.Errorf("told %+v, counted %v, want one that failed", in.told, r.count("click", "failed"))
	}
}

func TestHandlerTriesAgain(t *testing.T) {
	t.Parallel()
	for fail, want := range map[int]int{0: 1, attempts - 1: 1, attempts: 0} {
		t.Run(fmt.Sprint(fail), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in := &intake{fail: fail}
				r := newRig(t, in, nil)
				r.get("GET", r.pixel)
				if err := r.Close(t.Context()); err != nil {
					t.Fatalf("Close = %v", err)
				}
				if len(in.told) != want || r.count("open", "failed") != float64(1-want) {
					t.Errorf("told %d times, %v failed, want %d told", len(in.told), r.count("open", "failed"), want)
				}
			})
		})
	}
}

// TestHandlerOverHTTP follows a link through a real server, as a browser does.
func TestHandlerOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t, &intake{}, nil)
	server := &http.Server{Handler: r.Handler, ReadHeaderTimeout: time.Minute}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("Listen = %v", err)
	}
	var wait sync.WaitGroup
	wait.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(wait.Wait)
	t.Cleanup(func() { _ = server.Close() })
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]int{r.link: 302, r.pixel: 200, r.link + "x": 400} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+path, nil)
		if err != nil {
			t.Fatalf("NewRequest = %v", err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("Do = %v", err)
		}
		if err := res.Body.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if res.StatusCode != want || want == 302 && res.Header.Get("Location") != "https://example.com/a?b=1#c" {
			t.Errorf("GET %s = %d %v, want %d", path, res.StatusCode, res.Header, want)
		}
	}
}

func BenchmarkHandler(b *testing.B) {
	r := newRig(b, &intake{}, nil)
	req := httptest.NewRequest(http.MethodGet, r.link, nil)
	b.ReportAllocs()
	for b.Loop() {
		r.ServeHTTP(httptest.NewRecorder(), req)
	}
}
