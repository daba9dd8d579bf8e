package fanout_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/fanout"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a", "b"}, func(t *testing.T, r *rig) {
		registry := prometheus.NewPedanticRegistry()
		r.metrics = fanout.NewMetrics(registry)
		r.far.script("b", down)
		r.start(t)
		registry.MustRegister(r.courier)
		r.publish("s", 3)
		r.publish("", 2)
		synctest.Wait()
		r.far.script("a", refuse)
		r.publish("s", 1)
		after(100 * time.Second)
		failures := r.status(t, subscriber("s", "b")).Failures
		if tries := len(r.far.tried("b")); failures != tries || failures < 5 {
			t.Errorf("%d failures in a row after %d attempts", failures, tries)
		}
		want := strings.ReplaceAll(`
# HELP tidings_dead_letters Dead letters that wait for an operator.
# TYPE tidings_dead_letters gauge
tidings_dead_letters 1
# HELP tidings_deliveries_buried_total Deliveries that were given up and became dead letters.
# TYPE tidings_deliveries_buried_total counter
tidings_deliveries_buried_total 1
# HELP tidings_deliveries_parked Deliveries that are parked on disk, over all destinations.
# TYPE tidings_deliveries_parked gauge
tidings_deliveries_parked 4
# HELP tidings_deliveries_pending Deliveries that wait in memory, over all destinations.
# TYPE tidings_deliveries_pending gauge
tidings_deliveries_pending 0
# HELP tidings_delivery_lag_seconds Age of the oldest event not yet delivered, of the destinations that lag most.
# TYPE tidings_delivery_lag_seconds gauge
tidings_delivery_lag_seconds{destination="123456789012/us-east-1/voice/s/b"} 100
# HELP tidings_destination_failures Attempts that failed in a row, of the destinations with most of them.
# TYPE tidings_destination_failures gauge
tidings_destination_failures{destination="123456789012/us-east-1/voice/s/b"} FAILURES
# HELP tidings_destinations_failing Event destinations that are failing or disabled.
# TYPE tidings_destinations_failing gauge
tidings_destinations_failing 1
# HELP tidings_events_routed_total Events read from the log, by whether any event destination wanted them.
# TYPE tidings_events_routed_total counter
tidings_events_routed_total{wanted="false"} 2
tidings_events_routed_total{wanted="true"} 4
`, "FAILURES", strconv.Itoa(failures))
		err := testutil.GatherAndCompare(registry, strings.NewReader(want), "tidings_dead_letters", "tidings_deliveries_buried_total", "tidings_deliveries_parked", "tidings_deliveries_pending",
			"tidings_delivery_lag_seconds", "tidings_destination_failures", "tidings_destinations_failing", "tidings_events_routed_total")
		if err != nil {
			t.Error(err)
		}
	})
}

func TestEveryAttemptIsTimed(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"a"}, func(t *testing.T, r *rig) {
		registry := prometheus.NewPedanticRegistry()
		r.metrics = fanout.NewMetrics(registry)
		r.far.limits.Count = 1
		learn(t, r, "a", time.Millisecond, 4)
		gather(t, r, "a", 20)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "tidings_delivery_attempt_seconds" {
				continue
			}
			if n := f.GetMetric()[0].GetHistogram().GetSampleCount(); n != 22 {
				t.Errorf("%d attempts were timed, want 22", n)
			}
			return
		}
		t.Error("no attempt was timed")
	})
}
