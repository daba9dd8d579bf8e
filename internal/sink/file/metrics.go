package file

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what becomes of finished hours. A nil *Metrics counts nothing.
type Metrics struct {
	compressed, deleted, mended, failed prometheus.Counter
}

// NewMetrics registers the metrics. With a nil registerer they count for nobody.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		compressed: f.NewCounter(prometheus.CounterOpts{
			Name: "tidings_files_compressed_total", Help: "Finished hours of destination files that were compressed.",
		}),
		deleted: f.NewCounter(prometheus.CounterOpts{
			Name: "tidings_files_deleted_total", Help: "Destination files that were deleted because of their age.",
		}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "tidings_files_errors_total", Help: "Destination files that could not be compressed, mended or deleted. Each is tried again within the hour.",
		}),
		mended: f.NewCounter(prometheus.CounterOpts{
			Name: "tidings_files_mended_total", Help: "Destination files whose last line a crash or a full disk had torn, and that were cut back to whole lines.",
		}),
	}
}

func (m *Metrics) countCompressed() {
	if m != nil {
		m.compressed.Inc()
	}
}

func (m *Metrics) countDeleted() {
	if m != nil {
		m.deleted.Inc()
	}
}

func (m *Metrics) countMended() {
	if m != nil {
		m.mended.Inc()
	}
}

func (m *Metrics) countFailed() {
	if m != nil {
		m.failed.Inc()
	}
}
