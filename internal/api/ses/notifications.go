package ses

import (
	"context"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

const (
	setNotificationTopic = "SetIdentityNotificationTopic"
	setForwarding        = "SetIdentityFeedbackForwardingEnabled"
	setHeaders           = "SetIdentityHeadersInNotificationsEnabled"
)

// The words of NotificationType. Source: SES API Reference, "SetIdentityNotificationTopic".
const (
	ofBounces    = "Bounce"
	ofComplaints = "Complaint"
	ofDeliveries = "Delivery"
)

// checkNotificationType fails unless the word is a NotificationType.
func checkNotificationType(word string) error {
	if word == "" {
		return missing("notificationType")
	}
	return oneOf("notificationType", word, ofBounces, ofComplaints, ofDeliveries)
}

func (a *API) getNotifications(ctx context.Context, t tenant.Tenant, in *identitiesInput) (*notificationsOutput, error) {
	out := &notificationsOutput{NotificationAttributes: map[string]notifications{}}
	err := a.attributes(ctx, t, in, func(name string, one *email.Identity) {
		out.NotificationAttributes[name] = notifications{
			BounceTopic: one.Topics[ofBounces], ComplaintTopic: one.Topics[ofComplaints], DeliveryTopic: one.Topics[ofDeliveries],
			ForwardingEnabled:                      one.Forwarding,
			HeadersInBounceNotificationsEnabled:    one.HeadersIn[ofBounces],
			HeadersInComplaintNotificationsEnabled: one.HeadersIn[ofComplaints],
			HeadersInDeliveryNotificationsEnabled:  one.HeadersIn[ofDeliveries],
		}
	})
	return out, err
}

// setNotificationTopic sets the topic for notifications of a type; none takes it away.
func (a *API) setNotificationTopic(ctx context.Context, t tenant.Tenant, in *setTopicInput) (*empty, error) {
	if err := checkNotificationType(in.NotificationType); err != nil {
		return nil, err
	}
	return nil, a.changeIdentity(ctx, t, in.Identity, func(one *email.Identity) error {
		if in.SnsTopic == "" {
			delete(one.Topics, in.NotificationType)
			return nil
		}
		if one.Topics == nil {
			one.Topics = map[string]string{}
		}
		one.Topics[in.NotificationType] = in.SnsTopic
		return nil
	})
}

func (a *API) setForwarding(ctx context.Context, t tenant.Tenant, in *setForwardingInput) (*empty, error) {
	if in.ForwardingEnabled == nil {
		return nil, missing("forwardingEnabled")
	}
	return nil, a.changeIdentity(ctx, t, in.Identity, func(one *email.Identity) error {
		one.Forwarding = *in.ForwardingEnabled
		return nil
	})
}

func (a *API) setHeaders(ctx context.Context, t tenant.Tenant, in *setHeadersInput) (*empty, error) {
	if err := checkNotificationType(in.NotificationType); err != nil {
		return nil, err
	}
	if in.Enabled == nil {
		return nil, missing("enabled")
	}
	return nil, a.changeIdentity(ctx, t, in.Identity, func(one *email.Identity) error {
		if one.HeadersIn == nil {
			one.HeadersIn = map[string]bool{}
		}
		one.HeadersIn[in.NotificationType] = *in.Enabled
		return nil
	})
}
