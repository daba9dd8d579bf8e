package emailrest

import (
	"context"
	"errors"
	"time"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) createSet(ctx context.Context, t tenant.Tenant, in *createSetInput) (*empty, error) {
	o, err := a.options(&in.setOptions)
	if err != nil {
		return nil, err
	}
	if a.v2 {
		if err := errors.Join(in.ArchivingOptions.check(), setVDM(&o, in.VdmOptions)); err != nil {
			return nil, err
		}
	}
	return nil, a.config.Sets.CreateWith(ctx, t, configset.Email, in.ConfigurationSetName, o)
}

func (a *API) getSet(ctx context.Context, t tenant.Tenant, in *setInput) (*getSetOutput, error) {
	set, err := a.config.Sets.Set(ctx, t, configset.Email, in.ConfigurationSetName)
	if err != nil {
		return nil, err
	}
	return &getSetOutput{ConfigurationSetName: set.Name, setOptions: a.wireOptions(set.Options)}, nil
}

func (a *API) deleteSet(ctx context.Context, t tenant.Tenant, in *setInput) (*empty, error) {
	return nil, a.config.Sets.Delete(ctx, t, configset.Email, in.ConfigurationSetName)
}

func (a *API) putSending(ctx context.Context, t tenant.Tenant, in *putSendingInput) (*empty, error) {
	return a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		// Source: SES API Reference, "ReputationOptions", LastFreshStart: the metrics begin anew when
		// sending is enabled after it was disabled.
		if in.SendingEnabled && o.SendingPaused {
			o.FreshStart = a.now().UTC().Truncate(time.Millisecond)
		}
		o.SendingPaused = !in.SendingEnabled
		return nil
	})
}

func (a *API) putTracking(ctx context.Context, t tenant.Tenant, in *putTrackingInput) (*empty, error) {
	return a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		return a.setTracking(o, &in.trackingOptions)
	})
}

func (a *API) putDelivery(ctx context.Context, t tenant.Tenant, in *putDeliveryInput) (*empty, error) {
	return a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		return a.setDelivery(o, &in.deliveryOptions)
	})
}

func (a *API) putReputation(ctx context.Context, t tenant.Tenant, in *putReputationInput) (*empty, error) {
	return a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		o.ReputationMetrics = in.ReputationMetricsEnabled
		return nil
	})
}

func (a *API) putSetSuppression(ctx context.Context, t tenant.Tenant, in *putSetSuppressionInput) (*empty, error) {
	return a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		o.Suppression = in.SuppressedReasons
		return in.ValidationOptions.check()
	})
}

func (a *API) putVDM(ctx context.Context, t tenant.Tenant, in *putVDMInput) (*empty, error) {
	return a.changeSet(ctx, t, in.ConfigurationSetName, func(o *configset.Options) error {
		return setVDM(o, in.VdmOptions)
	})
}

// putArchiving changes nothing: there are no archives here, so that only their absence can be asked for.
func (a *API) putArchiving(ctx context.Context, t tenant.Tenant, in *putArchivingInput) (*empty, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	_, err := a.config.Sets.Set(ctx, t, configset.Email, in.ConfigurationSetName)
	return nil, err
}

func (a *API) changeSet(ctx context.Context, t tenant.Tenant, name string, edit func(*configset.Options) error) (*empty, error) {
	return nil, a.config.Sets.ChangeOptions(ctx, t, configset.Email, name, edit)
}

// check refuses what promises a copy of each mail that nobody would have.
func (w *archivingOptions) check() error {
	if w != nil && w.ArchiveArn != "" {
		return fault.New(fault.Invalid, fault.ConfigurationSet, "This server has no archives of mail: leave ArchiveArn out.")
	}
	return nil
}

// check refuses what promises to look at addresses before mail is sent to them.
func (w *validationOptions) check() error {
	if w != nil && w.ConditionThreshold != nil && w.ConditionThreshold.ConditionThresholdEnabled == "ENABLED" {
		return fault.New(fault.Invalid, fault.ConfigurationSet, "This server does not validate addresses before sending: ConditionThresholdEnabled can only be DISABLED.")
	}
	return nil
}
