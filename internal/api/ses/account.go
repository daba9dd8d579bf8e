package ses

import (
	"context"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/query"
	"tidings/internal/email"
)

// noResult is the output of operations whose replies have no result element.
// Source: SES API Reference, the responses of these operations.
type noResult = query.NoResult

func (a *API) getQuota(ctx context.Context, _ *empty) (*quotaOutput, error) {
	t, err := awsapi.Caller(ctx)
	if err != nil {
		return nil, err
	}
	q, err := a.config.Mail.Quota(ctx, t)
	if err != nil {
		return nil, err
	}
	return &quotaOutput{Max24HourSend: q.PerDay, MaxSendRate: q.PerSecond, SentLast24Hours: q.Sent}, nil
}

func (a *API) getStatistics(ctx context.Context, _ *empty) (*statisticsOutput, error) {
	t, err := awsapi.Caller(ctx)
	if err != nil {
		return nil, err
	}
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

func (a *API) getSendingEnabled(ctx context.Context, _ *empty) (*sendingEnabledOutput, error) {
	t, err := awsapi.Caller(ctx)
	if err != nil {
		return nil, err
	}
	now, err := a.config.Mail.Settings(ctx, t)
	if err != nil {
		return nil, err
	}
	return &sendingEnabledOutput{Enabled: !now.Paused}, nil
}

// updateSendingEnabled takes no Enabled for false. Source: SES API Reference, "UpdateAccountSendingEnabled", which does not require it.
func (a *API) updateSendingEnabled(ctx context.Context, in *sendingEnabledInput) (*noResult, error) {
	t, err := awsapi.Caller(ctx)
	if err != nil {
		return nil, err
	}
	return nil, a.config.Mail.ChangeSettings(ctx, t, func(s *email.Settings) error {
		s.Paused = !in.Enabled
		return nil
	})
}
