package sink_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tidings/internal/sink"
)

func TestDelay(t *testing.T) {
	t.Parallel()
	busy := errors.New("busy")
	tests := []struct {
		name string
		err  error
		want time.Duration
	}{
		{"none", nil, 0},
		{"said nothing", busy, 0},
		{"said", sink.RetryAfter(busy, time.Minute), time.Minute},
		{"wrapped", fmt.Errorf("post: %w", sink.RetryAfter(busy, time.Second)), time.Second},
		{"in the past", sink.RetryAfter(busy, -time.Second), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := sink.Delay(tt.err); got != tt.want {
				t.Errorf("Delay(%v) = %v, want %v", tt.err, got, tt.want)
			}
		})
	}
	if err := sink.RetryAfter(busy, time.Minute); !errors.Is(err, busy) || err.Error() != "busy" {
		t.Errorf("RetryAfter hides the error: %v", err)
	}
}
