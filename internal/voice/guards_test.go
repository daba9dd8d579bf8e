package voice

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tidings/internal/account"
	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

func TestGuardsPrefixes(t *testing.T) {
	t.Parallel()
	s, p := service(quota.Off)
	s.Guards.Prefixes = []string{"+1425", "+49"}
	for number, want := range map[string]bool{
		"+14255550159": true, "14255550159": true, "+4930123456": true,
		"+14265550159": false, "+442071838750": false, "+4": false, "+142": false,
	} {
		r := good()
		r.Destination = number
		before := len(p.got)
		_, err := s.Send(t.Context(), owner, r)
		switch f, _ := errors.AsType[*fault.Error](err); {
		case want && err != nil:
			t.Errorf("Send to %s = %v, want nil", number, err)
		case want:
		case f == nil || f.Kind != fault.Invalid || strings.Contains(f.Error(), strings.TrimPrefix(number, "+")):
			t.Errorf("Send to %s = %v, want fault.Invalid without the number", number, err)
		case len(p.got) != before:
			t.Errorf("Send to %s accepted the message all the same", number)
		}
	}
}

func TestGuardsCallsPerDay(t *testing.T) {
	t.Parallel()
	other := tenant.Tenant{Account: "210987654321", Region: "eu-west-1"}
	a := &account.Account{ID: owner.Account, Limits: quota.For(quota.Off, nil)}
	b := &account.Account{ID: other.Account, Limits: quota.For(quota.Off, nil)}
	accounts := account.NewDirectory(&account.Key{ID: "a", Account: a}, &account.Key{ID: "b", Account: b})
	now := noon
	open := func() *Service {
		s, _ := service(quota.Off)
		s.Accounts, s.Now, s.Guards.CallsPerDay = accounts, func() time.Time { return now }, 2
		s.Sets = nil
		return s
	}
	send := func(s *Service, who tenant.Tenant) error {
		r := good()
		r.Set = ""
		_, err := s.Send(t.Context(), who, r)
		return err
	}
	s := open()
	for _, who := range []tenant.Tenant{owner, other} {
		if err := send(s, who); err != nil {
			t.Fatalf("Send as %v = %v, want nil", who, err)
		}
	}
	if f, _ := errors.AsType[*fault.Error](send(s, owner)); f == nil || f.Kind != fault.Throttled || f.RetryAfter != 24*time.Hour {
		t.Errorf("third Send = %v, want fault.Throttled for a day", f)
	}

	// A restart does not open the purse again.
	s = open()
	for _, who := range []tenant.Tenant{owner, other} {
		s.Recount(Message{Tenant: who, Accepted: now, Destination: "+14255550159", Origination: "+12065550153"})
	}
	if f, _ := errors.AsType[*fault.Error](send(s, other)); f == nil || f.Kind != fault.Throttled {
		t.Errorf("Send after a restart = %v, want fault.Throttled", f)
	}
	now = now.Add(24 * time.Hour)
	if err := send(s, owner); err != nil {
		t.Errorf("Send a day later = %v, want nil", err)
	}
}
