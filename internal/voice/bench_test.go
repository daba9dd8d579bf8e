package voice

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tidings/internal/event"
	"tidings/internal/quota"
)

// nowhere is a Queue that accepts everything and keeps nothing.
type nowhere struct{}

func (nowhere) Put(context.Context, Message) error { return nil }

func (nowhere) Next(ctx context.Context) (Job, error) {
	<-ctx.Done()
	return Job{}, ctx.Err()
}

func BenchmarkSend(b *testing.B) {
	for name, content := range map[string]Content{
		"plain": {Kind: PlainText, Text: "Your appointment is tomorrow at nine thirty in the morning.", Language: "en-US", Voice: "Joanna"},
		"ssml":  {Kind: SSML, Text: "<speak>" + strings.Repeat("<s>Your appointment is <emphasis>tomorrow</emphasis>.</s>", 10) + "</speak>", Language: "en-US", Voice: "Joanna"},
	} {
		for _, mode := range []quota.Mode{quota.Off, quota.Production} {
			b.Run(name+"/"+string(mode), func(b *testing.B) {
				s := &Service{
					Queue: nowhere{}, Sets: sets{"cs-1": true}, Windows: quota.NewWindows(),
					Accounts: directory(mode, nil),
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					r := Request{Destination: fmt.Sprintf("+1425%07d", i%10_000_000), Origination: fmt.Sprintf("+1206%07d", i%10_000_000), Set: "cs-1", Content: content}
					// In production mode nearly all are refused, with 429, at the last check.
					if _, err := s.Send(b.Context(), owner, r); err != nil && mode == quota.Off {
						b.Fatal(err)
					}
					i++
				}
			})
		}
	}
}

// supply is a Queue with b.N messages.
type supply struct {
	left     int
	finished chan struct{}
}

func (s *supply) Put(context.Context, Message) error { return nil }

func (s *supply) Next(ctx context.Context) (Job, error) {
	if s.left == 0 {
		<-ctx.Done()
		return Job{}, ctx.Err()
	}
	s.left--
	m := message(fmt.Sprintf("567f6c11-6e8b-4352-9749-%012d", s.left))
	return Job{Message: m, Done: func() { s.finished <- struct{}{} }, Release: func() {}}, nil
}

// discard is a Publisher that keeps nothing.
type discard struct{}

func (discard) Publish(context.Context, ...event.Event) error { return nil }

// BenchmarkRunner is the life of a call of four events with everything around it instant.
func BenchmarkRunner(b *testing.B) {
	instant := dialer(func(_ context.Context, c Call, p func(event.Type) error) (Outcome, error) {
		if err := p(event.VoiceRinging); err != nil {
			return Outcome{}, err
		}
		if err := p(event.VoiceAnswered); err != nil {
			return Outcome{}, err
		}
		return Outcome{Type: event.VoiceCompleted, Talk: c.Speech.Duration}, nil
	})
	q := &supply{left: b.N, finished: make(chan struct{}, 1024)}
	r := &Runner{Queue: q, Publisher: discard{}, Synthesizer: speaker(nil), Dialer: instant}
	ctx, stop := context.WithCancel(b.Context())
	returned := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		defer close(returned)
		_ = r.Run(ctx)
	}()
	for range b.N {
		<-q.finished
	}
	b.ReportMetric(float64(4*b.N)/b.Elapsed().Seconds(), "events/s")
	stop()
	<-returned
}
