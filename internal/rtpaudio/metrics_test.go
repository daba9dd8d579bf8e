package rtpaudio

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	w, stop := stoppable(t, Options{Registerer: reg})
	c, s := listening(t, loopback), open(t, w)
	if got := gathered(t, reg)["tidings_rtp_streams"]; got != 1 {
		t.Errorf("tidings_rtp_streams = %v, want 1", got)
	}
	start(t, s, c.peer(sound(800, 0)), 0, 20*time.Millisecond)
	c.hear(t, 6)
	for _, seq := range []uint16{1, 3, 4} {
		say(t, c.rtp, there(s, 0), words(t, seq, 0, PCMU, make([]byte, 88)))
	}
	say(t, c.rtp, there(s, 0), []byte("garbage"))
	s.Close()
	stop()
	got := gathered(t, reg)
	if got["tidings_rtp_wheel_late_seconds"] == 0 {
		t.Errorf("tidings_rtp_wheel_late_seconds has no observation")
	}
	delete(got, "tidings_rtp_wheel_late_seconds")
	delete(got, "tidings_rtp_wheel_slips_total") // a busy machine may have some
	want := map[string]float64{
		"tidings_rtp_streams":                0,
		"tidings_rtp_packets_sent_total":     6,
		"tidings_rtp_bytes_sent_total":       6 * 172,
		"tidings_rtp_packets_received_total": 3,
		"tidings_rtp_bytes_received_total":   300,
		"tidings_rtp_packets_dropped_total":  1,
		"tidings_rtp_packets_lost_total in":  1,
		"tidings_rtp_packets_lost_total out": 0,
		"tidings_rtp_send_errors_total":      0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics differ (-want +got):\n%s", diff)
	}
}

// gathered is the values of all metrics, by name and labels; of histograms, the number of observations.
func gathered(t testing.TB, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatalf("Gather() = %v, want nil", err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}
