package emailrest

import (
	"context"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) sendBulk(ctx context.Context, t tenant.Tenant, in *bulkInput) (*bulkOutput, error) {
	if err := checkWays(in.EndpointId, in.TenantName); err != nil {
		return nil, err
	}
	b, err := a.bulk(ctx, in)
	if err != nil {
		return nil, err
	}
	results, err := a.config.Mail.SendBulk(ctx, t, b)
	if err != nil {
		return nil, err
	}
	out := &bulkOutput{BulkEmailEntryResults: make([]bulkResult, len(results))}
	for i, r := range results {
		out.BulkEmailEntryResults[i] = bulkResult{MessageId: r.ID, Status: bulkStatus(r)}
		if r.Err != nil {
			out.BulkEmailEntryResults[i].Error = fault.From(r.Err).Msg
		}
	}
	return out, nil
}

func (a *API) bulk(ctx context.Context, in *bulkInput) (email.Bulk, error) {
	b := email.Bulk{Request: email.Request{
		Operation: sendBulkEmail, Origin: originOf(ctx), Large: a.v2, From: in.FromEmailAddress, FromARN: in.FromEmailAddressIdentityArn, ReplyTo: in.ReplyToAddresses,
		ReturnPath: in.FeedbackForwardingEmailAddress, Set: in.ConfigurationSetName, Tags: tags(in.DefaultEmailTags),
	}}
	if in.DefaultContent == nil || in.DefaultContent.Template == nil {
		return b, invalidParameter("DefaultContent.Template is missing.")
	}
	if err := a.fillTemplate(&b.Request, in.DefaultContent.Template); err != nil {
		return b, err
	}
	for i := range in.BulkEmailEntries {
		e, err := in.BulkEmailEntries[i].entry()
		if err != nil {
			return b, err
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}

func (w *bulkEntry) entry() (email.BulkEntry, error) {
	e := email.BulkEntry{Tags: tags(w.ReplacementTags)}
	if d := w.Destination; d != nil {
		e.To, e.Cc, e.Bcc = d.ToAddresses, d.CcAddresses, d.BccAddresses
	}
	if c := w.ReplacementEmailContent; c != nil && c.ReplacementTemplate != nil {
		e.Data = c.ReplacementTemplate.ReplacementTemplateData
	}
	var err error
	e.Headers, err = headers(w.ReplacementHeaders)
	return e, err
}
