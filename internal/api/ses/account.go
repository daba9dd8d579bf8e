package ses

import (
	"context"

	"tidings/internal/awsapi/query"
	"tidings/internal/email"
	"tidings/internal/tenant"
)

// noResult is the output of operations whose replies have no result element.
// Source: SES API Reference, the responses of these operations.
type noResult = query.NoResult

func (a *API) getQuota(ctx context.Context, t tenant.Tenant, _ *empty) (*quotaOutput, error) {
	q, err := a.config.Mail.Quota(ctx, t)
	if err != nil {
		return nil, err
	}
	return &quotaOutput{Max24HourSend: q.PerDay, MaxSendRate: q.PerSecond, SentLast24Hours: q.Sent}, nil
}

func (a *API) getStatistics(ctx context.Context, t tenant.Tenant, _ *empty) (*statisticsOutput, error) {
	spans, err := a.config.Mail.Statistics(ctx, t)
	if err != nil {
		return nil, err
	}
	out := &statisticsOutput{SendDataPoints: []dataPoint{}}
	for _, s := range spans {
		out.SendDataPoints = append(out.SendDataPoints, dataPoint{
			Timestamp: s.From, DeliveryAttempts: s.Attempts, Bounces: s.Bounces, Complaints: s.Complaints, Rejects: s.Rejections,
		})
	}
	return out, nil
}

func (a *API) getSendingEnabled(ctx context.Context, t tenant.Tenant, _ *empty) (*sendingEnabledOutput, error) {
	now, err := a.config.Mail.Settings(ctx, t)
	if err != nil {
		return nil, err
	}
	return &sendingEnabledOutput{Enabled: !now.Paused}, nil
}

// updateSendingEnabled takes no Enabled for false. Source: SES API Reference, "UpdateAccountSendingEnabled", which does not require it.
func (a *API) updateSendingEnabled(ctx context.Context, t tenant.Tenant, in *sendingEnabledInput) (*noResult, error) {
	return nil, a.config.Mail.ChangeSettings(ctx, t, func(s *email.Settings) error {
		s.Paused = !in.Enabled
		return nil
	})
}
