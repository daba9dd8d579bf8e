package emailrest

import (
	"net/http"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/restjson"
)

// The names of operations that something depends on.
const (
	sendEmail             = "SendEmail"
	sendBulkEmail         = "SendBulkEmail"
	listConfigurationSets = "ListConfigurationSets"
	listEmailIdentities   = "ListEmailIdentities"
	listEmailTemplates    = "ListEmailTemplates"
	listSuppressed        = "ListSuppressedDestinations"
)

// router makes routes below a root, with the documented rate on all but those that send.
type router struct {
	root  string
	rates bool
}

func (r router) on(method, path string, op awsapi.Operation) restjson.Route {
	route := restjson.Route{Method: method, Path: r.root + path, Operation: op}
	if r.rates && op.Name != sendEmail && op.Name != sendBulkEmail {
		route.Rate = documentedRate
	}
	return route
}

// The paths that both APIs have below their roots.
const (
	setsPath         = "configuration-sets"
	setPath          = setsPath + "/{ConfigurationSetName}"
	destinationsPath = setPath + "/event-destinations"
	destinationPath  = destinationsPath + "/{EventDestinationName}"
	identitiesPath   = "identities"
	identityPath     = identitiesPath + "/{EmailIdentity}"
	outboundPath     = "outbound-emails"
	tagsPath         = "tags"
)

// pinpointRoutes are the operations of Pinpoint Email.
func (a *API) pinpointRoutes() []restjson.Route {
	r := router{root: "/v1/email/", rates: a.config.Rates}
	return append(a.sharedRoutes(r),
		// An operation of the API v2 that AWS first had here, so that SDKs up to 2024 ask for it here.
		// Source: AWS SDK for Go v1.55.8, service/sesv2.
		r.on(http.MethodPut, identityPath+"/dkim/signing", awsapi.TenantOp("PutEmailIdentityDkimSigningAttributes", a.putDKIMSigning)),
		restjson.Route{Method: http.MethodPost, Path: "/v1/email/" + outboundPath, Operation: awsapi.TenantOp(sendEmail, a.pinpointSend)})
}

// sharedRoutes are the operations that both APIs have, under the same names and paths.
func (a *API) sharedRoutes(r router) []restjson.Route {
	return []restjson.Route{
		r.on(http.MethodPost, setsPath, awsapi.TenantOp("CreateConfigurationSet", a.createSet)),
		r.on(http.MethodGet, setsPath, awsapi.TenantOp(listConfigurationSets, a.listSets)),
		r.on(http.MethodGet, setPath, awsapi.TenantOp("GetConfigurationSet", a.getSet)),
		r.on(http.MethodDelete, setPath, awsapi.TenantOp("DeleteConfigurationSet", a.deleteSet)),
		r.on(http.MethodPut, setPath+"/sending", awsapi.TenantOp("PutConfigurationSetSendingOptions", a.putSending)),
		r.on(http.MethodPut, setPath+"/tracking-options", awsapi.TenantOp("PutConfigurationSetTrackingOptions", a.putTracking)),
		r.on(http.MethodPut, setPath+"/delivery-options", awsapi.TenantOp("PutConfigurationSetDeliveryOptions", a.putDelivery)),
		r.on(http.MethodPut, setPath+"/reputation-options", awsapi.TenantOp("PutConfigurationSetReputationOptions", a.putReputation)),

		r.on(http.MethodPost, destinationsPath, awsapi.TenantOp("CreateConfigurationSetEventDestination", a.createDestination)),
		r.on(http.MethodGet, destinationsPath, awsapi.TenantOp("GetConfigurationSetEventDestinations", a.getDestinations)),
		r.on(http.MethodPut, destinationPath, awsapi.TenantOp("UpdateConfigurationSetEventDestination", a.updateDestination)),
		r.on(http.MethodDelete, destinationPath, awsapi.TenantOp("DeleteConfigurationSetEventDestination", a.deleteDestination)),

		r.on(http.MethodPost, identitiesPath, awsapi.TenantOp("CreateEmailIdentity", a.createIdentity)),
		r.on(http.MethodGet, identitiesPath, awsapi.TenantOp(listEmailIdentities, a.listIdentities)),
		r.on(http.MethodGet, identityPath, awsapi.TenantOp("GetEmailIdentity", a.getIdentity)),
		r.on(http.MethodDelete, identityPath, awsapi.TenantOp("DeleteEmailIdentity", a.deleteIdentity)),
		r.on(http.MethodPut, identityPath+"/dkim", awsapi.TenantOp("PutEmailIdentityDkimAttributes", a.putDKIM)),
		r.on(http.MethodPut, identityPath+"/feedback", awsapi.TenantOp("PutEmailIdentityFeedbackAttributes", a.putFeedback)),
		r.on(http.MethodPut, identityPath+"/mail-from", awsapi.TenantOp("PutEmailIdentityMailFromAttributes", a.putMailFrom)),

		r.on(http.MethodGet, "account", awsapi.TenantOp("GetAccount", a.getAccount)),
		r.on(http.MethodPut, "account/sending", awsapi.TenantOp("PutAccountSendingAttributes", a.putAccountSending)),

		r.on(http.MethodPost, tagsPath, awsapi.TenantOp("TagResource", a.tag)),
		r.on(http.MethodDelete, tagsPath, awsapi.TenantOp("UntagResource", a.untag)),
		r.on(http.MethodGet, tagsPath, awsapi.TenantOp("ListTagsForResource", a.listTags)),
	}
}

// v2Routes are the operations of the SES API v2.
func (a *API) v2Routes() []restjson.Route {
	const (
		policies   = identityPath + "/policies"
		policy     = policies + "/{PolicyName}"
		templates  = "templates"
		template   = templates + "/{TemplateName}"
		suppressed = "suppression/addresses"
		address    = suppressed + "/{EmailAddress}"
	)
	r := router{root: "/v2/email/", rates: a.config.Rates}
	return append(a.sharedRoutes(r),
		r.on(http.MethodPost, outboundPath, awsapi.TenantOp(sendEmail, a.v2Send)),
		r.on(http.MethodPost, "outbound-bulk-emails", awsapi.TenantOp(sendBulkEmail, a.sendBulk)),

		r.on(http.MethodPost, "list-"+setsPath, awsapi.TenantOp(listConfigurationSets, a.listFilteredSets)),
		r.on(http.MethodPost, "list-"+identitiesPath, awsapi.TenantOp(listEmailIdentities, a.listFilteredIdentities)),

		r.on(http.MethodPut, setPath+"/suppression-options", awsapi.TenantOp("PutConfigurationSetSuppressionOptions", a.putSetSuppression)),
		r.on(http.MethodPut, setPath+"/vdm-options", awsapi.TenantOp("PutConfigurationSetVdmOptions", a.putVDM)),
		r.on(http.MethodPut, setPath+"/archiving-options", awsapi.TenantOp("PutConfigurationSetArchivingOptions", a.putArchiving)),

		r.on(http.MethodPost, templates, awsapi.TenantOp("CreateEmailTemplate", a.createTemplate)),
		r.on(http.MethodGet, templates, awsapi.TenantOp(listEmailTemplates, a.listTemplates)),
		r.on(http.MethodGet, template, awsapi.TenantOp("GetEmailTemplate", a.getTemplate)),
		r.on(http.MethodPut, template, awsapi.TenantOp("UpdateEmailTemplate", a.updateTemplate)),
		r.on(http.MethodDelete, template, awsapi.TenantOp("DeleteEmailTemplate", a.deleteTemplate)),
		r.on(http.MethodPost, template+"/render", awsapi.TenantOp("TestRenderEmailTemplate", a.renderTemplate)),

		r.on(http.MethodPut, identityPath+"/dkim/signing", awsapi.TenantOp("PutEmailIdentityDkimSigningAttributes", a.putDKIMSigning)),
		r.on(http.MethodPut, identityPath+"/configuration-set", awsapi.TenantOp("PutEmailIdentityConfigurationSetAttributes", a.putIdentitySet)),
		r.on(http.MethodGet, policies, awsapi.TenantOp("GetEmailIdentityPolicies", a.getPolicies)),
		r.on(http.MethodPost, policy, awsapi.TenantOp("CreateEmailIdentityPolicy", a.createPolicy)),
		r.on(http.MethodPut, policy, awsapi.TenantOp("UpdateEmailIdentityPolicy", a.updatePolicy)),
		r.on(http.MethodDelete, policy, awsapi.TenantOp("DeleteEmailIdentityPolicy", a.deletePolicy)),

		r.on(http.MethodPost, "account/details", awsapi.TenantOp("PutAccountDetails", a.putAccountDetails)),
		r.on(http.MethodPut, "account/suppression", awsapi.TenantOp("PutAccountSuppressionAttributes", a.putAccountSuppression)),

		r.on(http.MethodPut, suppressed, awsapi.TenantOp("PutSuppressedDestination", a.putSuppressed)),
		r.on(http.MethodGet, suppressed, awsapi.TenantOp(listSuppressed, a.listSuppressed)),
		r.on(http.MethodGet, address, awsapi.TenantOp("GetSuppressedDestination", a.getSuppressed)),
		r.on(http.MethodDelete, address, awsapi.TenantOp("DeleteSuppressedDestination", a.deleteSuppressed)),
	)
}
