package webhook

import (
	"net/http"
	"testing"

	"tidings/internal/sink/sinktest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	for name, batch := range map[string]int{"single": 0, "batch": 100, "largest": maxBatch} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
				f := newFarEnd(tb)
				s := local(f.URL + "/{service}/{region}/{account}/{name}")
				s.Batch = batch
				return harness(tb, f, newDriver(tb, s), `{"n":`, func(tb testing.TB) [][]byte { return f.records(tb, secretA) })
			})
		})
	}
}

func TestContractSNS(t *testing.T) {
	t.Parallel()
	for name, unconfirmed := range map[string]bool{"confirmed": false, "unconfirmed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
				c := newConsumer(tb)
				d := newDriver(tb, Settings{
					URL: c.URL + "/{name}", Format: FormatSNS, Topics: newTopics(tb, &notebook{}), AllowPrivate: true, Unconfirmed: unconfirmed,
				})
				return harness(tb, c.farEnd, d, "\xff", func(tb testing.TB) [][]byte {
					var records [][]byte
					for _, m := range c.messages(tb, typeNotification) {
						records = append(records, []byte(m.Message))
					}
					return records
				})
			})
		})
	}
}

func harness(tb testing.TB, f *farEnd, d *Driver, poison string, received func(testing.TB) [][]byte) *sinktest.Harness {
	tb.Helper()
	usual := f.answer
	return &sinktest.Harness{
		Driver: d, Target: target(), Received: received, Poison: []byte(poison), Hang: f.hangs,
		Contacts: func(testing.TB) int { return int(f.contacts.Load()) },
		Break: func(testing.TB) func() {
			f.answers(status(http.StatusServiceUnavailable))
			return func() { f.answers(usual) }
		},
	}
}
