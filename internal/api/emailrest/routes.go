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
	return append(a.sharedRoutes(router{root: "/v1/email/", rates: a.config.Rates}),
		restjson.Route{Method: http.MethodPost, Path: "/v1/email/" + outboundPath, Operation: awsapi.Op(sendEmail, a.pinpointSend)})
}

// sharedRoutes are the operations that both APIs have, under the same names and paths.
func (a *API) sharedRoutes(r router) []restjson.Route {
	return []restjson.Route{
		r.on(http.MethodPost, setsPath, awsapi.Op("CreateConfigurationSet", a.createSet)),
		r.on(http.MethodGet, setsPath, awsapi.Op(listConfigurationSets, a.listSets)),
		r.on(http.MethodGet, setPath, awsapi.Op("GetConfigurationSet", a.getSet)),
		r.on(http.MethodDelete, setPath, awsapi.Op("DeleteConfigurationSet", a.deleteSet)),
		r.on(http.MethodPut, setPath+"/sending", awsapi.Op("PutConfigurationSetSendingOptions", a.putSending)),
		r.on(http.MethodPut, setPath+"/tracking-options", awsapi.Op("PutConfigurationSetTrackingOptions", a.putTracking)),
		r.on(http.MethodPut, setPath+"/delivery-options", awsapi.Op("PutConfigurationSetDeliveryOptions", a.putDelivery)),
		r.on(http.MethodPut, setPath+"/reputation-options", awsapi.Op("PutConfigurationSetReputationOptions", a.putReputation)),

		r.on(http.MethodPost, destinationsPath, awsapi.Op("CreateConfigurationSetEventDestination", a.createDestination)),
		r.on(http.MethodGet, destinationsPath, awsapi.Op("GetConfigurationSetEventDestinations", a.getDestinations)),
		r.on(http.MethodPut, destinationPath, awsapi.Op("UpdateConfigurationSetEventDestination", a.updateDestination)),
		r.on(http.MethodDelete, destinationPath, awsapi.Op("DeleteConfigurationSetEventDestination", a.deleteDestination)),

		r.on(http.MethodPost, identitiesPath, awsapi.Op("CreateEmailIdentity", a.createIdentity)),
		r.on(http.MethodGet, identitiesPath, awsapi.Op(listEmailIdentities, a.listIdentities)),
		r.on(http.MethodGet, identityPath, awsapi.Op("GetEmailIdentity", a.getIdentity)),
		r.on(http.MethodDelete, identityPath, awsapi.Op("DeleteEmailIdentity", a.deleteIdentity)),
		r.on(http.MethodPut, identityPath+"/dkim", awsapi.Op("PutEmailIdentityDkimAttributes", a.putDKIM)),
		r.on(http.MethodPut, identityPath+"/feedback", awsapi.Op("PutEmailIdentityFeedbackAttributes", a.putFeedback)),
		r.on(http.MethodPut, identityPath+"/mail-from", awsapi.Op("PutEmailIdentityMailFromAttributes", a.putMailFrom)),

		r.on(http.MethodGet, "account", awsapi.Op("GetAccount", a.getAccount)),
		r.on(http.MethodPut, "account/sending", awsapi.Op("PutAccountSendingAttributes", a.putAccountSending)),

		r.on(http.MethodPost, tagsPath, awsapi.Op("TagResource", a.tag)),
		r.on(http.MethodDelete, tagsPath, awsapi.Op("UntagResource", a.untag)),
		r.on(http.MethodGet, tagsPath, awsapi.Op("ListTagsForResource", a.listTags)),
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
		r.on(http.MethodPost, outboundPath, awsapi.Op(sendEmail, a.v2Send)),
		r.on(http.MethodPost, "outbound-bulk-emails", awsapi.Op(sendBulkEmail, a.sendBulk)),

		r.on(http.MethodPost, "list-"+setsPath, awsapi.Op(listConfigurationSets, a.listFilteredSets)),
		r.on(http.MethodPost, "list-"+identitiesPath, awsapi.Op(listEmailIdentities, a.listFilteredIdentities)),

		r.on(http.MethodPut, setPath+"/suppression-options", awsapi.Op("PutConfigurationSetSuppressionOptions", a.putSetSuppression)),
		r.on(http.MethodPut, setPath+"/vdm-options", awsapi.Op("PutConfigurationSetVdmOptions", a.putVDM)),
		r.on(http.MethodPut, setPath+"/archiving-options", awsapi.Op("PutConfigurationSetArchivingOptions", a.putArchiving)),

		r.on(http.MethodPost, templates, awsapi.Op("CreateEmailTemplate", a.createTemplate)),
		r.on(http.MethodGet, templates, awsapi.Op(listEmailTemplates, a.listTemplates)),
		r.on(http.MethodGet, template, awsapi.Op("GetEmailTemplate", a.getTemplate)),
		r.on(http.MethodPut, template, awsapi.Op("UpdateEmailTemplate", a.updateTemplate)),
		r.on(http.MethodDelete, template, awsapi.Op("DeleteEmailTemplate", a.deleteTemplate)),
		r.on(http.MethodPost, template+"/render", awsapi.Op("TestRenderEmailTemplate", a.renderTemplate)),

		r.on(http.MethodPut, identityPath+"/dkim/signing", awsapi.Op("PutEmailIdentityDkimSigningAttributes", a.putDKIMSigning)),
		r.on(http.MethodPut, identityPath+"/configuration-set", awsapi.Op("PutEmailIdentityConfigurationSetAttributes", a.putIdentitySet)),
		r.on(http.MethodGet, policies, awsapi.Op("GetEmailIdentityPolicies", a.getPolicies)),
		r.on(http.MethodPost, policy, awsapi.Op("CreateEmailIdentityPolicy", a.createPolicy)),
		r.on(http.MethodPut, policy, awsapi.Op("UpdateEmailIdentityPolicy", a.updatePolicy)),
		r.on(http.MethodDelete, policy, awsapi.Op("DeleteEmailIdentityPolicy", a.deletePolicy)),

		r.on(http.MethodPost, "account/details", awsapi.Op("PutAccountDetails", a.putAccountDetails)),
		r.on(http.MethodPut, "account/suppression", awsapi.Op("PutAccountSuppressionAttributes", a.putAccountSuppression)),

		r.on(http.MethodPut, suppressed, awsapi.Op("PutSuppressedDestination", a.putSuppressed)),
		r.on(http.MethodGet, suppressed, awsapi.Op(listSuppressed, a.listSuppressed)),
		r.on(http.MethodGet, address, awsapi.Op("GetSuppressedDestination", a.getSuppressed)),
		r.on(http.MethodDelete, address, awsapi.Op("DeleteSuppressedDestination", a.deleteSuppressed)),
	)
}
