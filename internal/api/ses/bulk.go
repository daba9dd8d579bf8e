package ses

import (
	"context"
	"strconv"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) sendBulkTemplatedEmail(ctx context.Context, t tenant.Tenant, in *sendBulkInput) (*sendBulkOutput, error) {
	b, err := in.domain()
	if err != nil {
		return nil, err
	}
	b.Origin = origin(ctx)
	results, err := a.config.Mail.SendBulk(ctx, t, b)
	if err != nil {
		return nil, err
	}
	out := &sendBulkOutput{Status: []bulkStatus{}}
	for _, r := range results {
		if r.Err == nil {
			out.Status = append(out.Status, bulkStatus{Status: "Success", MessageId: r.ID})
			continue
		}
		f := fault.From(r.Err)
		out.Status = append(out.Status, bulkStatus{Status: bulkWord(f), Error: f.Msg})
	}
	return out, nil
}

func (in *sendBulkInput) domain() (email.Bulk, error) {
	if err := demand(
		member{"source", in.Source != ""},
		member{"template", in.Template != ""},
		member{"defaultTemplateData", in.DefaultTemplateData != nil},
		member{"destinations", len(in.Destinations) > 0},
	); err != nil {
		return email.Bulk{}, err
	}
	b := email.Bulk{Request: email.Request{
		Operation: sendBulkTemplatedEmail,
		From:      in.Source, FromARN: in.SourceArn,
		ReplyTo: in.ReplyToAddresses, ReturnPath: in.ReturnPath,
		Set: in.ConfigurationSetName, Tags: tags(in.DefaultTags),
		Templated: &email.Templated{Name: in.Template, Data: *in.DefaultTemplateData},
	}}
	for i, w := range in.Destinations {
		if w.Destination == nil {
			return b, missing("destinations." + strconv.Itoa(i+1) + ".member.destination")
		}
		b.Entries = append(b.Entries, email.BulkEntry{
			To: w.Destination.ToAddresses, Cc: w.Destination.CcAddresses, Bcc: w.Destination.BccAddresses,
			Data: w.ReplacementTemplateData, Tags: tags(w.ReplacementTags),
		})
	}
	return b, nil
}

// bulkWord is the word for why there is no mail to a destination.
// Source: SES API Reference, "BulkEmailDestinationStatus".
func bulkWord(f *fault.Error) string {
	switch f.Resource {
	case fault.ConfigurationSet:
		return "ConfigurationSetDoesNotExist"
	case fault.SetSending:
		return "ConfigurationSetSendingPaused"
	case fault.AccountSending:
		return "AccountSendingPaused"
	case fault.SendingRate:
		return "AccountThrottled"
	case fault.SendingQuota:
		return "AccountDailyQuotaExceeded"
	case fault.EmailMessage, fault.EmailIdentity:
		return "MessageRejected"
	}
	switch f.Kind {
	case fault.NotFound:
		if f.Resource == fault.EmailTemplate {
			return "TemplateDoesNotExist"
		}
	case fault.Invalid:
		return "InvalidParameterValue"
	case fault.Throttled:
		return "AccountThrottled"
	case fault.Internal, fault.Unavailable:
		return "TransientFailure"
	case fault.Exists, fault.LimitExceeded, fault.Denied: // of nothing that a mail is made of
	}
	return "Failed"
}
