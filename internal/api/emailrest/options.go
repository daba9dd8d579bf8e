package emailrest

import (
	"maps"
	"slices"
	"time"

	"tidings/internal/awsapi/restjson"
	"tidings/internal/configset"
	"tidings/internal/fault"
)

// options are what a new set is to have.
func (a *API) options(w *setOptions) (configset.Options, error) {
	o := configset.Options{Tags: tagMap(w.Tags)}
	if w.TrackingOptions != nil {
		if w.TrackingOptions.CustomRedirectDomain == "" {
			return o, fault.New(fault.Invalid, fault.TrackingOptions, "TrackingOptions lacks a CustomRedirectDomain.")
		}
		if err := a.setTracking(&o, w.TrackingOptions); err != nil {
			return o, err
		}
	}
	if w.DeliveryOptions != nil {
		if err := a.setDelivery(&o, w.DeliveryOptions); err != nil {
			return o, err
		}
	}
	if r := w.ReputationOptions; r != nil {
		o.ReputationMetrics, o.FreshStart = r.ReputationMetricsEnabled, r.LastFreshStart.Time
	}
	if s := w.SendingOptions; s != nil {
		o.SendingPaused = !s.SendingEnabled
	}
	if s := w.SuppressionOptions; s != nil && a.v2 {
		o.Suppression = s.SuppressedReasons
		return o, s.ValidationOptions.check()
	}
	return o, nil
}

// setTracking replaces the tracking options, as far as the API knows them.
func (a *API) setTracking(o *configset.Options, w *trackingOptions) error {
	o.RedirectDomain = w.CustomRedirectDomain
	if !a.v2 {
		return nil
	}
	var err error
	o.HTTPSLinks, err = httpsPolicies.Read(fault.TrackingOptions, w.HttpsPolicy)
	return err
}

// setDelivery replaces the delivery options, as far as the API knows them.
func (a *API) setDelivery(o *configset.Options, w *deliveryOptions) error {
	var err error
	if o.RequireTLS, err = tlsPolicies.Read(fault.DeliveryOptions, w.TlsPolicy); err != nil {
		return err
	}
	keep(o, keptTLSPolicy, w.TlsPolicy)
	o.Pool = w.SendingPoolName
	if !a.v2 {
		return nil
	}
	o.MaxDelivery = 0
	if s := w.MaxDeliverySeconds; s != nil {
		// What is far out of bounds must not become something within them by overflow.
		const day = 24 * 60 * 60
		o.MaxDelivery = time.Duration(min(max(*s, 1), day)) * time.Second
	}
	return nil
}

// wireOptions are a set's options as the API shows them.
func (a *API) wireOptions(o configset.Options) setOptions {
	w := setOptions{
		ReputationOptions: &reputationOptions{LastFreshStart: restjson.Time{Time: o.FreshStart}, ReputationMetricsEnabled: o.ReputationMetrics},
		SendingOptions:    &sendingOptions{SendingEnabled: !o.SendingPaused},
		Tags:              tagList(o.Tags),
	}
	delivery, tracking := deliveryOptions{SendingPoolName: o.Pool, TlsPolicy: o.Kept[keptTLSPolicy]}, trackingOptions{CustomRedirectDomain: o.RedirectDomain}
	if o.RequireTLS {
		delivery.TlsPolicy = "REQUIRE"
	} else if delivery.TlsPolicy != "" { // SES's first API knows nothing of what is kept
		delivery.TlsPolicy = "OPTIONAL"
	}
	if a.v2 {
		tracking.HttpsPolicy = o.HTTPSLinks
		if o.MaxDelivery > 0 {
			delivery.MaxDeliverySeconds = new(int64(o.MaxDelivery / time.Second))
		}
		if o.Suppression != nil {
			w.SuppressionOptions = &suppressionOptions{SuppressedReasons: o.Suppression}
		}
		w.VdmOptions = keptVDM(o)
	}
	if delivery != (deliveryOptions{}) {
		w.DeliveryOptions = &delivery
	}
	if tracking != (trackingOptions{}) {
		w.TrackingOptions = &tracking
	}
	return w
}

// What sets keep, besides what has an effect: words that stand for the default, and those of
// the Virtual Deliverability Manager, which this server has not. Tools that compare what a set
// has with what it should have find them again.
const (
	keptTLSPolicy  = "TlsPolicy"
	keptEngagement = "EngagementMetrics"
	keptGuardian   = "OptimizedSharedDelivery"
)

// keep remembers a word; "" forgets it.
func keep(o *configset.Options, name, word string) {
	if word == "" {
		delete(o.Kept, name)
		return
	}
	if o.Kept == nil {
		o.Kept = map[string]string{}
	}
	o.Kept[name] = word
}

// setVDM replaces the options of the Virtual Deliverability Manager.
func setVDM(o *configset.Options, w *vdmOptions) error {
	var engagement, guardian string
	if w != nil && w.DashboardOptions != nil {
		engagement = w.DashboardOptions.EngagementMetrics
	}
	if w != nil && w.GuardianOptions != nil {
		guardian = w.GuardianOptions.OptimizedSharedDelivery
	}
	for _, word := range []string{engagement, guardian} {
		if _, err := features.Read(fault.ConfigurationSet, word); err != nil {
			return err
		}
	}
	keep(o, keptEngagement, engagement)
	keep(o, keptGuardian, guardian)
	return nil
}

func keptVDM(o configset.Options) *vdmOptions {
	w := vdmOptions{}
	if word := o.Kept[keptEngagement]; word != "" {
		w.DashboardOptions = &dashboardOptions{EngagementMetrics: word}
	}
	if word := o.Kept[keptGuardian]; word != "" {
		w.GuardianOptions = &guardianOptions{OptimizedSharedDelivery: word}
	}
	if w == (vdmOptions{}) {
		return nil
	}
	return &w
}

// tagMap is a list of tags by key. Of a key that is there twice, the last one counts.
func tagMap(list []tag) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]string, len(list))
	for _, t := range list {
		m[t.Key] = t.Value
	}
	return m
}

// tagList is tags in the order of their keys.
func tagList(m map[string]string) []tag {
	list := make([]tag, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, tag{Key: key, Value: m[key]})
	}
	return list
}
