package pinpoint

import (
	"context"
	"time"

	"tidings/internal/tenant"
)

// UpdateSettings lets edit change what is kept of the app's settings, which it gets as it
// left it the last time, nil at first, together with the time. When it fails, nothing
// changes. Other changes of the app wait meanwhile.
func (s *Service) UpdateSettings(ctx context.Context, t tenant.Tenant, app string, edit func(settings []byte, now time.Time) ([]byte, error)) error {
	return s.changeApp(ctx, t, app, func(a *App) error {
		settings, err := edit(a.Settings, s.now())
		if err != nil {
			return err
		}
		a.Settings = settings
		return nil
	})
}
