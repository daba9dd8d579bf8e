package quota

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func BenchmarkTake(b *testing.B) {
	w := NewWindows()
	recipients := make([]string, 100_000)
	for i := range recipients {
		recipients[i] = fmt.Sprintf("123456789012/us-east-1/1206%07d", i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		now := noon
		for pb.Next() {
			now = now.Add(time.Millisecond)
			_, _ = w.Take(now,
				Use{Name: VoicePerDay, Key: "123456789012/us-east-1", Limit: 10_000},
				Use{Name: VoicePerRecipient, Key: recipients[rand.IntN(len(recipients))], Limit: 5},
				Use{Name: VoicePerMinute, Key: "123456789012/us-east-1", Limit: 100_000},
			)
		}
	})
}
