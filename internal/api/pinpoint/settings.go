package pinpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tidings/internal/tenant"
)

// Campaigns and journeys do not run here, so their settings change nothing. They are kept,
// because Terraform's aws_pinpoint_app and other tools read back what they wrote.

func (a *API) getSettings(ctx context.Context, t tenant.Tenant, in *appInput) (*settingsResource, error) {
	app, err := a.config.Apps.App(ctx, t, in.ID)
	if err != nil {
		return nil, err
	}
	return readSettings(in.ID, app.Settings)
}

func (a *API) updateSettings(ctx context.Context, t tenant.Tenant, in *updateSettingsInput) (*settingsResource, error) {
	var out *settingsResource
	err := a.config.Apps.UpdateSettings(ctx, t, in.ID, func(kept []byte, now time.Time) (_ []byte, err error) {
		if out, err = readSettings(in.ID, kept); err != nil {
			return nil, err
		}
		in.over(&out.settings)
		out.LastModifiedDate = timestamp(now)
		return json.Marshal(out.settings)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// over puts what the client gives into the settings. What it leaves out stays.
func (in *updateSettingsInput) over(s *settings) {
	if in.CampaignHook != nil {
		s.CampaignHook = *in.CampaignHook
	}
	if in.JourneyLimits != nil {
		s.JourneyLimits = in.JourneyLimits
	}
	if in.Limits != nil {
		s.Limits = *in.Limits
	}
	if in.QuietTime != nil {
		s.QuietTime = *in.QuietTime
	}
}

// readSettings reads what is kept of an app's settings; nothing kept = nothing is set.
func readSettings(app string, kept []byte) (*settingsResource, error) {
	out := &settingsResource{ApplicationId: app}
	if len(kept) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(kept, &out.settings); err != nil {
		return nil, fmt.Errorf("read the settings of app %s: %w", app, err)
	}
	return out, nil
}
