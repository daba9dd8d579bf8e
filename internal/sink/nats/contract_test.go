package natssink

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/sink/sinktest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]string{"of the sink": " ", "of the stream": string(make([]byte, 100_000)) + "x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
				f := newFar(tb)
				f.addStream(tb, jetstream.StreamConfig{Name: theStream, Subjects: []string{"events.>"}, MaxMsgSize: 90_000})
				return &sinktest.Harness{
					Driver: newDriver(tb, f.settings()), Target: target("alerts"), Poison: []byte(poison),
					Received: f.received, Hang: f.proxy.hang, Break: f.proxy.refuse, Contacts: f.proxy.count,
				}
			})
		})
	}
}

func TestContractWithoutStream(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
		f := newFar(tb)
		s := f.settings()
		s.Core, s.Subject = true, "core.{account}.{name}"
		return &sinktest.Harness{
			Driver: newDriver(tb, s), Target: target("alerts"), Poison: make([]byte, 2<<20),
			Received: (&heard{f: f}).received, Hang: f.proxy.hang, Break: f.proxy.refuse, Contacts: f.proxy.count,
		}
	})
}
