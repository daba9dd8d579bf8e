package emailrest

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) getAccount(ctx context.Context, t tenant.Tenant, _ *empty) (*accountOutput, error) {
	q, err := a.config.Mail.Quota(ctx, t)
	if err != nil {
		return nil, err
	}
	s, err := a.config.Mail.Settings(ctx, t)
	if err != nil {
		return nil, err
	}
	out := &accountOutput{
		EnforcementStatus: "HEALTHY", ProductionAccessEnabled: !q.Sandbox, SendingEnabled: !s.Paused,
		SendQuota: sendQuota{Max24HourSend: q.PerDay, MaxSendRate: q.PerSecond, SentLast24Hours: q.Sent},
	}
	if !a.v2 {
		return out, nil
	}
	out.VdmAttributes = &vdmAttributes{VdmEnabled: "DISABLED"}
	out.SuppressionAttributes = &suppressionOptions{SuppressedReasons: s.Suppression}
	if s.Suppression == nil {
		out.SuppressionAttributes.SuppressedReasons = []string{"BOUNCE", "COMPLAINT"}
	}
	if s.Details != nil {
		out.Details = &accountDetails{}
		if err := json.Unmarshal(s.Details, out.Details); err != nil {
			return nil, fmt.Errorf("read the details of the account: %w", err)
		}
	}
	return out, nil
}

func (a *API) putAccountSending(ctx context.Context, t tenant.Tenant, in *sendingOptions) (*empty, error) {
	return a.changeSettings(ctx, t, func(s *email.Settings) error {
		s.Paused = !in.SendingEnabled
		return nil
	})
}

func (a *API) putAccountSuppression(ctx context.Context, t tenant.Tenant, in *accountSuppressionInput) (*empty, error) {
	if err := in.ValidationAttributes.check(); err != nil {
		return nil, err
	}
	return a.changeSettings(ctx, t, func(s *email.Settings) error {
		s.Suppression = append([]string{}, in.SuppressedReasons...) // no reasons are another thing than both
		return nil
	})
}

func (a *API) putAccountDetails(ctx context.Context, t tenant.Tenant, in *accountDetails) (*empty, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	details, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("write the details of the account: %w", err)
	}
	return a.changeSettings(ctx, t, func(s *email.Settings) error {
		s.Details = details
		return nil
	})
}

func (a *API) changeSettings(ctx context.Context, t tenant.Tenant, edit func(*email.Settings) error) (*empty, error) {
	return nil, a.config.Mail.ChangeSettings(ctx, t, edit)
}

// check reports whether details may be kept.
// Source: SES API v2 Reference, "PutAccountDetails".
func (w *accountDetails) check() error {
	const longestURL, longestUseCase, mostContacts, longestContact = 1000, 5000, 4, 254
	length := utf8.RuneCountInString
	switch {
	case w.MailType != "MARKETING" && w.MailType != "TRANSACTIONAL":
		return invalidDetails("MailType must be MARKETING or TRANSACTIONAL, not %q.", fault.Shorten(w.MailType))
	case w.WebsiteURL == "" || length(w.WebsiteURL) > longestURL:
		return invalidDetails("WebsiteURL must have 1 to %d characters.", longestURL)
	case w.ContactLanguage != "" && w.ContactLanguage != "EN" && w.ContactLanguage != "JA":
		return invalidDetails("ContactLanguage must be EN or JA, not %q.", fault.Shorten(w.ContactLanguage))
	case length(w.UseCaseDescription) > longestUseCase:
		return invalidDetails("UseCaseDescription has at most %d characters.", longestUseCase)
	case len(w.AdditionalContactEmailAddresses) > mostContacts:
		return invalidDetails("There are at most %d AdditionalContactEmailAddresses.", mostContacts)
	}
	for _, address := range w.AdditionalContactEmailAddresses {
		if length(address) > longestContact {
			return invalidDetails("An address has at most %d characters.", longestContact)
		}
	}
	return nil
}

func invalidDetails(format string, args ...any) error {
	return fault.New(fault.Invalid, "", format, args...)
}
