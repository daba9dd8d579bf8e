package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidings/internal/sink/sinktest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]string{"of the sink": " ", "of the broker": `{"text":"poison"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(tb testing.TB) *sinktest.Harness {
				c := newCluster(tb)
				c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: -1, When: holds("poison")})
				return &sinktest.Harness{
					Driver: newDriver(tb, c.settings()), Target: target("alerts"), Poison: []byte(poison),
					Received: c.received, Hang: c.hang,
					Contacts: func(testing.TB) int { return int(c.contacts.Load()) },
					Break: func(testing.TB) func() {
						return c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1}).Remove
					},
				}
			})
		})
	}
}
