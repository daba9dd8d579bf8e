package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// checkTree compares the files below the rig's directory; packed ones by what is in them.
func checkTree(tb testing.TB, dir string, want map[string]string) {
	tb.Helper()
	got := tree(tb, dir)
	for name, text := range got {
		if strings.HasSuffix(name, ".gz") {
			got[name] = unpack(tb, text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("the files differ (-want +got):\n%s", diff)
	}
}

func TestASweepPacksOnlyWhatIsOverForAnHour(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, t.TempDir(), Settings{Gzip: true})
	put(t, r.dir, alerts+"2026/11/05/14.ndjson", "now\n")
	put(t, r.dir, alerts+"2026/11/05/13.ndjson", "ended 30 minutes ago\n")
	put(t, r.dir, alerts+"2026/11/05/12.ndjson", "ended 90 minutes ago\n")
	put(t, r.dir, alerts+"2026/10/31/23.ndjson", "long ago\n")
	put(t, r.dir, alerts+"2027/01/01/00.ndjson", "in the future\n")
	put(t, r.dir, alerts+"2026/11/04/00.ndjson", "")
	for _, foreign := range []string{
		"readme", alerts + "notes", alerts + "2026/11/05/10.ndjson.old", alerts + "2026/11/05/24.ndjson", alerts + "2026/11/05/+1.ndjson",
		alerts + "2026/13/05/10.ndjson", alerts + "2026/11/5/10.ndjson", alerts + "deeper/2026/11/05/10.ndjson", "2026/11/05/10.ndjson",
		alerts + "2026/11/05/10.ndjson.closing-", alerts + "2026/11/05/10.ndjson.closing--1", alerts + "2026/11/05/10.ndjson.closing-07",
	} {
		put(t, r.dir, foreign, "not ours\n")
	}
	want := tree(t, r.dir)
	for _, name := range []string{alerts + "2026/11/05/12.ndjson", alerts + "2026/10/31/23.ndjson"} {
		want[name+".gz"] = want[name]
		delete(want, name)
	}
	delete(want, alerts+"2026/11/04/00.ndjson")
	r.sweepAll(t)
	checkTree(t, r.dir, want)
}

func TestASweepClosesTheFileOfAQuietDestination(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, t.TempDir(), Settings{Gzip: true})
	s := r.open(t, "alerts")
	mustDeliver(t, s, `{"n":1}`)
	r.clock.set(r.clock.now().Add(3 * time.Hour))
	r.sweepAll(t)
	if r.disk.open != 0 {
		t.Errorf("%d files are open, want none", r.disk.open)
	}
	r.clock.set(r.clock.now().Add(-3 * time.Hour)) // and the clock was wrong
	mustDeliver(t, s, `{"n":2}`)
	checkTree(t, r.dir, map[string]string{alerts + "2026/11/05/14.ndjson.gz": "{\"n\":1}\n", alerts + "2026/11/05/14.ndjson": "{\"n\":2}\n"})
	r.clock.set(r.clock.now().Add(3 * time.Hour))
	r.sweepAll(t)
	checkTree(t, r.dir, map[string]string{alerts + "2026/11/05/14.ndjson.gz": "{\"n\":1}\n{\"n\":2}\n"})
}

// TestASetBackClockKeepsASweepAway has the clock set back after a sweep found an hour over.
func TestASetBackClockKeepsASweepAway(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, t.TempDir(), Settings{Gzip: true, Keep: time.Hour})
	put(t, r.dir, ten, "{\"n\":1}\n")
	k := r.keeper()
	r.clock.set(time.Date(2026, 11, 5, 10, 59, 0, 0, time.UTC))
	f := &found{hour: hourAt(strings.TrimSuffix(alerts, "/"), r.clock.now()), hasPlain: true}
	_, sealed, sealErr := k.seal(t.Context(), f.hour)
	gone, dropErr := k.drop(t.Context(), f)
	if sealed || gone > 0 || !errors.Is(sealErr, errNotOver) || !errors.Is(dropErr, errNotOver) {
		t.Errorf("seal = %v, %v, drop = %d, %v, want neither", sealed, sealErr, gone, dropErr)
	}
	checkTree(t, r.dir, map[string]string{ten: "{\"n\":1}\n"})
}

func TestTornLinesOfFinishedHoursAreCutOff(t *testing.T) {
	t.Parallel()
	const whole, torn = "{\"n\":1}\n", "{\"n\":1}\n{\"n\":"
	r := newRigWith(t, t.TempDir(), Settings{Metrics: NewMetrics(nil)})
	put(t, r.dir, alerts+"2026/11/05/14.ndjson", torn) // the next delivery sees to it
	put(t, r.dir, alerts+"2026/11/05/13.ndjson", torn)
	put(t, r.dir, alerts+"2026/11/05/12.ndjson", torn)
	put(t, r.dir, alerts+"2026/11/05/11.ndjson", whole)
	put(t, r.dir, alerts+"2026/01/01/00.ndjson", "{")
	r.sweepAll(t)
	want := map[string]string{
		alerts + "2026/11/05/14.ndjson": torn, alerts + "2026/11/05/13.ndjson": whole, alerts + "2026/11/05/12.ndjson": whole,
		alerts + "2026/11/05/11.ndjson": whole, alerts + "2026/01/01/00.ndjson": "",
	}
	checkTree(t, r.dir, want)
	mustDeliver(t, r.open(t, "alerts"), `{"n":2}`)
	want[alerts+"2026/11/05/14.ndjson"] = whole + "{\"n\":2}\n"
	checkTree(t, r.dir, want)
	if got := testutil.ToFloat64(r.driver.settings.Metrics.mended); got != 4 {
		t.Errorf("mended = %v, want 4", got)
	}
}

func TestOldHoursAreDeletedWithTheirDirectories(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, t.TempDir(), Settings{Gzip: true, Keep: 24 * time.Hour, Metrics: NewMetrics(nil)})
	const other, gone = "logs/us-east-1/123456789012/calls/", "sns/us-east-1/123456789012/gone/"
	for _, name := range []string{
		alerts + "2026/11/04/13.ndjson", alerts + "2026/11/04/12.ndjson.gz", alerts + "2026/11/04/12.ndjson", alerts + "2025/01/01/10.ndjson.closing-0",
		gone + "2026/10/31/23.ndjson.gz", gone + "2026/11/01/00.ndjson.gz.tmp", gone + "2026/11/01/00.ndjson",
	} {
		put(t, r.dir, name, "old\n")
	}
	want := map[string]string{
		alerts + "2026/11/04/14.ndjson.gz":     packed(t, "ended 23.5 hours ago\n"),
		other + "2024/12/31/10.ndjson.archive": "an operator's\n",
	}
	for name, text := range want {
		put(t, r.dir, name, text)
		want[name] = strings.ReplaceAll(text, want[alerts+"2026/11/04/14.ndjson.gz"], "ended 23.5 hours ago\n")
	}
	put(t, r.dir, other+"2024/12/31/11.ndjson", "old\n")
	for _, empty := range []string{"sns/operators/own", alerts + "2026/02/03", alerts + "2026/11/05"} {
		if err := os.MkdirAll(filepath.Join(r.dir, filepath.FromSlash(empty)), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	r.sweepAll(t)
	checkTree(t, r.dir, want)
	for name, kept := range map[string]bool{
		alerts + "2025": false, alerts + "2026/02": false, alerts + "2026/11/05": true, gone: false, "sns/operators/own": true, other + "2024/12/31": true,
	} {
		if _, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(name))); (err == nil) != kept {
			t.Errorf("the directory %s: %v, kept = %v", name, err, kept)
		}
	}
	if got := testutil.ToFloat64(r.driver.settings.Metrics.deleted); got != 8 {
		t.Errorf("deleted = %v, want 8", got)
	}
}

func TestASweepFollowsNoSymbolicLink(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	put(t, outside, "us-east-1/123456789012/alerts/2026/11/05/10.ndjson", "{\"torn")
	put(t, outside, "10.ndjson", "{\"torn")
	r := newRigWith(t, t.TempDir(), Settings{Gzip: true, Keep: time.Hour})
	put(t, r.dir, alerts+"2026/11/05/11.ndjson", "old\n")
	for from, to := range map[string]string{"logs": outside, ten: filepath.Join(outside, "10.ndjson"), ten + ".gz.tmp": filepath.Join(outside, "made")} {
		if err := os.Symlink(to, filepath.Join(r.dir, filepath.FromSlash(from))); err != nil {
			t.Fatal(err)
		}
	}
	before := tree(t, outside)
	r.sweepAll(t)
	if diff := cmp.Diff(before, tree(t, outside)); diff != "" {
		t.Errorf("outside the directory (-before +after):\n%s", diff)
	}
}

// TestFilesAnOperatorMovesDoNotComeBack takes files away while they are compressed.
func TestFilesAnOperatorMovesDoNotComeBack(t *testing.T) {
	t.Parallel()
	first := packed(t, "{\"n\":1}\n")
	closing := fmt.Sprintf("%s.closing-%d", ten, len(first))
	for name, tc := range map[string]struct {
		taken  string
		before [2]string // this operation on this file
		want   string
	}{
		"the hour":                         {ten, [2]string{"open", ten}, "{\"n\":1}\n"},
		"the hour before it is sealed":     {ten, [2]string{"stat", ten}, "{\"n\":1}\n"},
		"the sealed file":                  {closing, [2]string{"open", closing}, "{\"n\":1}\n"},
		"the sealed file while compressed": {closing, [2]string{"stat", closing}, "{\"n\":1}\n"},
		"the packed file":                  {ten + ".gz", [2]string{"open", closing}, "{\"n\":2}\n"},
		"the packed file while compressed": {ten + ".gz", [2]string{"open", ten + ".gz.tmp"}, "{\"n\":2}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigWith(t, t.TempDir(), Settings{Gzip: true})
			put(t, r.dir, ten+".gz", first)
			put(t, r.dir, ten, "{\"n\":2}\n")
			reached := false
			r.driver.disk.gate = func(op string, names ...string) error {
				if [2]string{op, names[0]} != tc.before {
					return nil
				}
				file := filepath.Join(r.dir, filepath.FromSlash(tc.taken))
				if _, err := os.Stat(file); err == nil {
					reached = true
				}
				return os.RemoveAll(file)
			}
			r.sweepAll(t)
			r.driver.disk.gate = nil
			r.sweepAll(t)
			if !reached {
				t.Error("the moment to take the file never came")
			}
			checkTree(t, r.dir, map[string]string{ten + ".gz": tc.want})
		})
	}
}

func TestNothingIsAddedToADamagedFile(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, t.TempDir(), Settings{Gzip: true, Metrics: NewMetrics(nil)})
	damaged := packed(t, "{\"n\":1}\n")[:20]
	put(t, r.dir, ten+".gz", damaged)
	put(t, r.dir, ten, "{\"n\":2}\n")
	k := r.keeper()
	k.sweep(t.Context(), true)
	if k.failed != 1 || testutil.ToFloat64(r.driver.settings.Metrics.failed) != 1 {
		t.Errorf("the sweep failed %d times, want once", k.failed)
	}
	want := map[string]string{ten + ".gz": damaged, ten + ".closing-20": "{\"n\":2}\n"}
	if diff := cmp.Diff(want, tree(t, r.dir)); diff != "" {
		t.Errorf("the files differ (-want +got):\n%s", diff)
	}
	if err := os.Remove(filepath.Join(r.dir, filepath.FromSlash(ten+".gz"))); err != nil { // as the log says
		t.Fatal(err)
	}
	r.sweepAll(t)
	checkTree(t, r.dir, map[string]string{ten + ".gz": "{\"n\":2}\n"})
}

// TestDeliveriesAndSweepsAtOnce delivers while hours are swept and the clock is set back
// and forth. Every line must be there once in the end.
func TestDeliveriesAndSweepsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, t.TempDir(), Settings{Gzip: true, MaxOpen: 2})
	r.driver.disk.sync = func(*os.File) error { return nil } // nothing crashes here
	start := r.clock.now()
	ctx, cancel := context.WithCancel(t.Context())
	var sweeps, deliveries sync.WaitGroup
	sweeps.Go(func() {
		for ctx.Err() == nil {
			r.sweepAll(t)
		}
	})
	want := map[string]int{}
	for topic := range 4 {
		s := r.open(t, fmt.Sprint("topic-", topic))
		for n := range 150 {
			want[fmt.Sprintf(`{"topic":%d,"n":%d}`, topic, n)] = 1
		}
		deliveries.Go(func() {
			for n := range 150 {
				mustDeliver(t, s, fmt.Sprintf(`{"topic":%d,"n":%d}`, topic, n))
				r.clock.set(start.Add(time.Duration((n*7+topic)%9) * time.Hour))
			}
		})
	}
	deliveries.Wait()
	cancel()
	sweeps.Wait()
	r.clock.set(start.Add(100 * time.Hour))
	r.sweepAll(t)
	got := map[string]int{}
	for name, text := range tree(t, r.dir) {
		if !strings.HasSuffix(name, ".gz") {
			t.Errorf("there is %s", name)
			continue
		}
		for line := range strings.Lines(unpack(t, text)) {
			got[strings.TrimSuffix(line, "\n")]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines and how often they are there (-want +got):\n%s", diff)
	}
}

func TestRunSweepsWheneverAnHourIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Date(2026, 11, 5, 14, 30, 0, 0, time.UTC)
		time.Sleep(time.Until(start)) // the bubble's clock begins in 2000
		registry := prometheus.NewRegistry()
		r := newRigWith(t, t.TempDir(), Settings{Gzip: true, Metrics: NewMetrics(registry)})
		r.driver.settings.Now = time.Now
		stop := r.run(t)
		s := r.open(t, "alerts")
		for n := range 4 {
			mustDeliver(t, s, fmt.Sprintf(`{"n":%d}`, n))
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		// It is 18:30; the hour 16 ended 90 minutes ago.
		checkTree(t, r.dir, map[string]string{
			alerts + "2026/11/05/14.ndjson.gz": "{\"n\":0}\n", alerts + "2026/11/05/15.ndjson.gz": "{\"n\":1}\n",
			alerts + "2026/11/05/16.ndjson.gz": "{\"n\":2}\n", alerts + "2026/11/05/17.ndjson": "{\"n\":3}\n",
		})
		if got := testutil.ToFloat64(r.driver.settings.Metrics.compressed); got != 3 {
			t.Errorf("compressed = %v, want 3", got)
		}
		if err := r.driver.Run(t.Context()); err == nil {
			t.Error("a second Run at a time worked")
		}
		stop()
	})
}

// run runs the keeper until the returned function is called.
func (r *rig) run(tb testing.TB) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- r.driver.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run = %v", err)
		}
	}
}

// TestAWrongYearDeletesNothing sets the clock forward while Run works.
func TestAWrongYearDeletesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRigWith(t, t.TempDir(), Settings{Keep: 24 * time.Hour})
		var mu sync.Mutex
		var ahead time.Duration
		set := func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			ahead = d
		}
		base, began := r.clock.now(), time.Now()
		r.driver.settings.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return base.Add(time.Since(began) + ahead)
		}
		put(t, r.dir, alerts+"2026/11/05/13.ndjson", "{}\n")
		stop := r.run(t)
		time.Sleep(10 * time.Minute)
		set(10 * 365 * 24 * time.Hour)
		time.Sleep(50 * time.Minute)
		set(0)
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if len(tree(t, r.dir)) != 1 {
			t.Error("the file was deleted because the clock was wrong for a while")
		}
		set(48 * time.Hour) // this time it is right
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if files := tree(t, r.dir); len(files) != 0 {
			t.Errorf("there still are %q", slices.Collect(maps.Keys(files)))
		}
		stop()
	})
}
