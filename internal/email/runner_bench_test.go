package email

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tidings/internal/event"
)

// runSupply is a spool with so many messages.
type runSupply struct {
	runLife
	left     int
	finished chan struct{}
}

func (s *runSupply) Next(ctx context.Context) (Job, error) {
	if s.left == 0 {
		<-ctx.Done()
		return Job{}, ctx.Err()
	}
	s.left--
	m := runSampleMessage()
	m.ID, m.Failure, m.Recipients, m.Set = fmt.Sprintf("0100019b75ab8000-61b59c11-9236-41e6-8f96-%012d-000000", s.left), "", m.Recipients[:1], "cs"
	return Job{
		Message: m, State: State{Open: []int{0}}, Done: func() { s.finished <- struct{}{} },
		Save:    func(context.Context, State) error { return nil },
		Content: func(context.Context) ([]byte, error) { return nil, nil },
	}, nil
}

func (s *runSupply) Publish(context.Context, ...event.Event) error { return nil }

// BenchmarkRunner is the life of a mail that is delivered, two events, with everything around it instant.
func BenchmarkRunner(b *testing.B) {
	s := &runSupply{runLife: newRunDisk().crash(), left: b.N, finished: make(chan struct{}, 1024)}
	r := &Runner{Spool: s, Publisher: s, Registry: s, Sets: s, Transport: runSays(runTaken)}
	ctx, stop := context.WithCancel(b.Context())
	returned := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		defer close(returned)
		_ = r.Run(ctx)
	}()
	for range b.N {
		<-s.finished
	}
	b.ReportMetric(float64(2*b.N)/b.Elapsed().Seconds(), "events/s")
	stop()
	<-returned
}

// BenchmarkRecord is the making of one record of each type.
func BenchmarkRecord(b *testing.B) {
	m := runSampleMessage()
	r := Recorder{Host: "mail.example.org"}
	for name, h := range runSampleHappenings(&m) {
		if strings.Contains(name, "_") {
			continue
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(r.record(&m, &h))))
			}
		})
	}
}
