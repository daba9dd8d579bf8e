package emailrest

import (
	"errors"
	"net/http"
	"strings"

	"tidings/internal/awsapi"
)

// absent are the parts of the APIs that this server has not, by how their paths begin below
// the version.
// Source: Pinpoint Email API Reference and SES API v2 Reference, the operations that are not
// in the routes.
var absent = []struct{ path, what string }{
	{"account/dedicated-ips/", "dedicated IP addresses"},
	{"account/pricing-attributes", "prices"},
	{"account/vdm", "Virtual Deliverability Manager"},
	{"contact-lists", "contact lists"},
	{"custom-verification-email-templates", "custom verification mails"},
	{"dedicated-ip-pools", "dedicated IP addresses"},
	{"dedicated-ips", "dedicated IP addresses"},
	{"deliverability-dashboard", "deliverability dashboard"},
	{"email-address-insights", "insights into addresses"},
	{"export-jobs", "export jobs"},
	{"identity/certificates", "certificates of identities"},
	{"import-jobs", "import jobs"},
	{"insights", "insights into messages"},
	{"list-export-jobs", "export jobs"},
	{"metrics", "metrics in its API"},
	{"multi-region-endpoints", "multi-region endpoints"},
	{"outbound-custom-verification-emails", "custom verification mails"},
	{"reputation", "reputation entities"},
	{"resources/tenants", "tenants"},
	{"tenant/", "tenants"},
	{"tenants", "tenants"},
	{"update-configuration-sets", "signatures of messages (S/MIME)"},
	{"vdm", "Virtual Deliverability Manager"},
}

// Resolve finds the operation by path and method. What AWS has at a path and this server has
// not, it names.
func (a *API) Resolve(r *http.Request, body []byte) (awsapi.Call, error) {
	call, err := a.Family.Resolve(r, body)
	refused, ok := errors.AsType[*awsapi.RefusedError](err)
	if !ok || refused.Reason != awsapi.UnknownOperation {
		return call, err
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(awsapi.RawPath(r), "/"), "/email/")
	for _, part := range absent {
		if strings.HasPrefix(path, part.path) {
			return call, &awsapi.RefusedError{Reason: awsapi.UnknownOperation, Msg: "This server does not have this operation: it has no " + part.what + "."}
		}
	}
	return call, err
}
