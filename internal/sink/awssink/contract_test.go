package awssink

import (
	"bytes"
	"net/http"
	"testing"

	"tidings/internal/sink/sinktest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	poisons := map[string][]byte{"sns": []byte("\xff\xfe"), "firehose": []byte("{\n"), "kinesis": []byte("\n"), "logs": []byte(" ")}
	for service, target := range targets() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
				d := newDouble(tb)
				return &sinktest.Harness{
					Driver: newDriver(tb, d.settings()), Target: target, Poison: poisons[service],
					Received: func(tb testing.TB) [][]byte { return withoutEnds(d.received(tb)) },
					Contacts: d.contacts,
					Break: func(testing.TB) func() {
						d.say(failing(http.StatusServiceUnavailable, "ServiceUnavailableException", "Slow down."))
						return func() { d.say(nil) }
					},
					Hang: d.hang,
				}
			})
		})
	}
}

// TestPoisonOfTheFarEnd runs the contract with a record that the service refuses.
func TestPoisonOfTheFarEnd(t *testing.T) {
	t.Parallel()
	for service, target := range targets() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
				d := newDouble(tb)
				s := d.settings()
				s.AssumeRole = true
				return &sinktest.Harness{
					Driver: newDriver(tb, s), Target: target, Poison: []byte(`{"text":` + poison + `}`),
					Received: func(tb testing.TB) [][]byte { return withoutEnds(d.received(tb)) },
				}
			})
		})
	}
}

// withoutEnds takes off the newline that stands behind records in Firehose.
func withoutEnds(records [][]byte) [][]byte {
	for i := range records {
		records[i] = bytes.TrimSuffix(records[i], []byte("\n"))
	}
	return records
}
