package email

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/tenant"
)

// The reasons for which addresses are not sent to. Source: SES API v2 Reference, "SuppressedDestination".
const (
	suppressedForBounce    = "BOUNCE"
	suppressedForComplaint = "COMPLAINT"
)

// suppressionList is the account's list of addresses that are not sent to.
type suppressionList struct{ registry Registry }

// reasons returns for which reasons the list counts: those of the set, else those of the account.
// Source: SES Developer Guide, "Using configuration set-level suppression to override your account-level suppression list".
func (l suppressionList) reasons(ctx context.Context, t tenant.Tenant, set *configset.Set) ([]string, error) {
	if set != nil && set.Options.Suppression != nil {
		return set.Options.Suppression, nil
	}
	settings, err := l.registry.Settings(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read the settings of %s: %w", t, err)
	}
	if settings.Suppression == nil {
		return []string{suppressedForBounce, suppressedForComplaint}, nil
	}
	return settings.Suppression, nil
}

// sift parts the open recipients into those on the suppression list, who get their reply without an attempt, and the others.
func (t *taken) sift() (listed []Reply, open []int, err error) {
	defer recoveredAs(&err)
	list := suppressionList{t.r.Registry}
	reasons, err := list.reasons(t.hours.Taking, t.m.Tenant, t.set)
	if err != nil || len(reasons) == 0 {
		return nil, t.s.Open, err
	}
	var on []int
	for _, i := range t.s.Open {
		address := t.m.Recipients[i]
		if isSimulated(address) {
			open = append(open, i)
			continue
		}
		entry, ok, err := t.r.Registry.Suppressed(t.hours.Taking, t.m.Tenant, strings.ToLower(address))
		switch {
		case err != nil:
			return nil, nil, err
		case ok && slices.Contains(reasons, entry.Reason):
			on = append(on, i)
		default:
			open = append(open, i)
		}
	}
	if len(on) > 0 {
		listed = []Reply{{
			Recipients: on, Verdict: Refused, Enhanced: "5.1.1", Bounce: BounceType{permanent, onSuppressionList},
			Text: "Tidings did not send the message to this address because it is on the suppression list of the account.",
		}}
	}
	return listed, open, nil
}

// learn puts the addresses that h is about on the list, if it tells of a hard bounce or a complaint and the account, or the set,
// wants that.
func (l suppressionList) learn(ctx context.Context, m *Message, set *configset.Set, h *happening) error {
	reason := ""
	switch {
	case h.kind == event.EmailBounce && h.bounce.Type == permanent && h.bounce.SubType != onSuppressionList && h.bounce.SubType != onGlobalList:
		reason = suppressedForBounce
	case h.kind == event.EmailComplaint && h.complaint.Type != "not-spam" && h.complaint.SubType != onSuppressionList:
		reason = suppressedForComplaint
	default:
		return nil
	}
	reasons, err := l.reasons(ctx, m.Tenant, set)
	if err != nil || !slices.Contains(reasons, reason) {
		return err
	}
	var failed error
	for _, address := range h.recipients {
		if isSimulated(address) {
			continue
		}
		err := l.registry.PutSuppressed(ctx, m.Tenant, &Suppressed{
			Address: strings.ToLower(address), Reason: reason, Updated: h.at, Message: m.ID, Feed: feedbackID(h),
		})
		failed = errors.Join(failed, err)
	}
	return failed
}
