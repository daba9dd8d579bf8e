package email

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/fault"
	"tidings/internal/quota"
)

func TestQuotaOfProductionIsUnlimited(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	r := svcSimple()
	r.To = []string{"a@example.net", "b@example.net", "success@simulator.amazonses.com"}
	h.letter(t, r)
	got, err := h.Quota(t.Context(), svcOwner)
	if want := (Quota{PerDay: -1, PerSecond: -1, Sent: 2}); err != nil || got != want {
		t.Errorf("Quota = %+v, %v, want %+v", got, err, want)
	}
}

func TestSandboxLimitsRateAndDay(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.limit(quota.Sandbox, map[quota.Name]int64{quota.EmailsPerDay: 5})
	h.Verified = []string{"example.com", "example.net"}
	now := svcNoon
	h.Now = func() time.Time { return now }
	send := func(recipients ...string) error {
		r := svcSimple()
		r.To = recipients
		_, err := h.Send(t.Context(), svcOwner, r)
		return err
	}
	if err := send("a@example.net", "b@example.net", "c@example.net"); err != nil {
		t.Fatalf("Send to 3 in an empty second = %v, want it to pass", err)
	}
	err := send("a@example.net")
	wantFault(t, "second Send in a second", err, fault.Throttled, fault.SendingRate, "Maximum sending rate exceeded.")
	if f := fault.From(err); f.RetryAfter != time.Second {
		t.Errorf("RetryAfter = %v, want a second", f.RetryAfter)
	}
	for range 3 {
		if err := send("success@simulator.amazonses.com"); err != nil {
			t.Errorf("Send to the simulator = %v, want it not to count", err)
		}
	}
	now = now.Add(time.Second)
	err = send("a@example.net", "b@example.net", "c@example.net")
	wantFault(t, "Send of 6 on a day", err, fault.Throttled, fault.SendingQuota, "Daily message quota exceeded.")
	if err := send("a@example.net", "b@example.net"); err != nil { // what the day refuses does not count in the second
		t.Errorf("Send of 5 on a day = %v, want it to pass", err)
	}
	now = now.Add(time.Second)
	if got, err := h.Quota(t.Context(), svcOwner); err != nil || got != (Quota{PerDay: 5, PerSecond: 1, Sent: 5, Sandbox: true}) {
		t.Errorf("Quota = %+v, %v, want 5 sent of 5 in the sandbox", got, err)
	}
	now = svcNoon.Add(24 * time.Hour)
	if got, err := h.Quota(t.Context(), svcOwner); err != nil || got.Sent != 2 {
		t.Errorf("Quota a day later = %+v, %v, want 2 sent", got, err)
	}
}

// TestMailToTheSimulatorIsNotRecounted sends to the simulator before anything that counts.
func TestMailToTheSimulatorIsNotRecounted(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailsPerDay: 1})
	r := svcSimple()
	r.To = []string{"success@simulator.amazonses.com", "bounce@simulator.amazonses.com"}
	h.letter(t, r)
	h.registry.counts[svcOwner.String()] = []Counts{{From: svcNoon, Attempts: 2}} // as it is once they were handed over
	r.To = []string{"a@example.net"}
	h.letter(t, r)
	if got, err := h.Quota(t.Context(), svcOwner); err != nil || got.Sent != 1 {
		t.Errorf("Quota after two mails to the simulator and one to a recipient = %+v, %v, want 1 sent", got, err)
	}
}

func TestRecountTheDayBeforeARestart(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	h.limit(quota.Production, map[quota.Name]int64{quota.EmailsPerDay: 10})
	h.registry.counts[svcOwner.String()] = []Counts{
		{From: svcNoon.Add(-25 * time.Hour), Attempts: 100},
		{From: svcNoon.Add(-23 * time.Hour), Attempts: 5},
		{From: svcNoon.Add(-time.Hour), Attempts: 4},
		{From: svcNoon.Add(-30 * time.Minute), Bounces: 1},
	}
	for range 2 { // it is recounted once
		if got, err := h.Quota(t.Context(), svcOwner); err != nil || got.Sent != 9 {
			t.Fatalf("Quota = %+v, %v, want 9 sent", got, err)
		}
	}
	h.letter(t, svcSimple())
	_, err := h.Send(t.Context(), svcOwner, svcSimple())
	wantFault(t, "Send", err, fault.Throttled, fault.SendingQuota, "Daily message quota exceeded.")
	if h.registry.asked != 1 {
		t.Errorf("statistics were read %d times, want once", h.registry.asked)
	}
	if got, err := h.Statistics(t.Context(), svcOwner); err != nil || len(got) != 4 || got[1].Attempts != 5 {
		t.Errorf("Statistics = %+v, %v, want the registry's", got, err)
	}
}

func TestChangeSettings(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	refusal := errors.New("no")
	for _, tt := range []struct {
		edit func(*Settings) error
		want error
	}{
		{func(s *Settings) error { s.Suppression = []string{"BOUNCE"}; return nil }, nil},
		{func(s *Settings) error { s.Paused = true; return refusal }, refusal},
	} {
		if err := h.ChangeSettings(t.Context(), svcOwner, tt.edit); !errors.Is(err, tt.want) {
			t.Errorf("ChangeSettings = %v, want %v", err, tt.want)
		}
	}
	err := h.ChangeSettings(t.Context(), svcOwner, func(s *Settings) error { s.Suppression = []string{"SPAM"}; return nil })
	wantFault(t, "ChangeSettings", err, fault.Invalid, fault.SuppressedAddress, `A reason for suppression is BOUNCE or COMPLAINT, not "SPAM".`)
	got, err := h.Settings(t.Context(), svcOwner)
	if diff := cmp.Diff(Settings{Suppression: []string{"BOUNCE"}}, got); err != nil || diff != "" {
		t.Errorf("Settings = %v (-want +got):\n%s", err, diff)
	}
}

func TestServiceMetrics(t *testing.T) {
	t.Parallel()
	h := newSvcHouse(t)
	reg := prometheus.NewRegistry()
	h.Metrics = NewServiceMetrics(reg)
	svcTemplate(t, h, svcGreeting())
	h.letter(t, svcSimple())
	bad := svcSimple()
	bad.Set = "gone"
	if _, err := h.Send(t.Context(), svcOwner, bad); err == nil {
		t.Error("Send = nil, want a fault")
	}
	if _, err := h.SendBulk(t.Context(), svcOwner, svcBulk(BulkEntry{To: []string{"a@example.net"}}, BulkEntry{})); err != nil {
		t.Errorf("SendBulk = %v", err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatalf("Gather = %v", err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"tidings_email_accepted_total SendEmail": 1, "tidings_email_accepted_total SendBulkTemplatedEmail": 1,
		"tidings_email_refused_total not found": 1, "tidings_email_refused_total invalid": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
