package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tidings/internal/fault"
)

func TestFromFindsTheFaultInTheChain(t *testing.T) {
	t.Parallel()
	f := fault.New(fault.NotFound, fault.ConfigurationSet, "Configuration set %s does not exist.", "a")
	if got := fault.From(fmt.Errorf("create event destination: %w", f)); got != f {
		t.Errorf("From(wrapped) = %v, want the fault itself", got)
	}
	if !fault.Is(f, fault.NotFound) || fault.Is(f, fault.Invalid) {
		t.Error("Is does not tell the kind")
	}
}

func TestFromHidesWhatNobodyClassified(t *testing.T) {
	t.Parallel()
	cause := errors.New("password=hunter2")
	got := fault.From(cause)
	if got.Kind != fault.Internal || strings.Contains(got.Msg, "hunter2") {
		t.Errorf("From(%v) = %+v, want Internal without the cause's text", cause, got)
	}
	if !errors.Is(got, cause) {
		t.Error("the cause is lost to the log")
	}
	if fault.From(nil) != nil {
		t.Error("From(nil) is not nil")
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "a": "a",
		strings.Repeat("ü", 64):             strings.Repeat("ü", 64),
		strings.Repeat("ü", 64) + "x":       strings.Repeat("ü", 64) + "…",
		strings.Repeat("a", 63) + "\xff":    strings.Repeat("a", 63) + "\xff",
		strings.Repeat("a", 63) + "\xffbcd": strings.Repeat("a", 63) + "\uFFFD…",
	} {
		if got := fault.Shorten(s); got != want {
			t.Errorf("Shorten(%q) = %q, want %q", s, got, want)
		}
	}
}
