package awscli

import (
	"maps"
	"slices"
	"strings"

	"tidings/internal/arn"
	"tidings/internal/configset"
)

// pinpoint reads what aws pinpoint prints, and the bodies of the service itself. It reports
// whether it knows the document.
func (r *Reader) pinpoint(o *object) bool {
	switch {
	case o.has("ApplicationsResponse"):
		list := o.child("ApplicationsResponse")
		r.appList(list)
		list.end()
	case o.has("Item"):
		r.appList(o)
	case o.has("ApplicationResponse"):
		one := o.child("ApplicationResponse")
		r.app(one)
		one.end()
	case o.has("Id") && (o.has("Arn") || o.has("Name")):
		r.app(o)
	case o.has("EventStream"):
		one := o.child("EventStream")
		r.stream(one)
		one.end()
	case o.has("ApplicationId") && o.has("DestinationStreamArn"):
		r.stream(o)
	default:
		return false
	}
	return true
}

func (r *Reader) appList(o *object) {
	for _, one := range o.objects("Item") {
		r.app(one)
		one.end()
	}
	r.page(o, "NextToken")
}

func (r *Reader) app(o *object) {
	before := len(o.found)
	a := App{ID: o.required("Id"), Name: o.text("Name"), Tags: o.table("tags"), Created: o.when("CreationDate")}
	a.Owner = r.ownerOf(o, a.ID)
	for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
		if strings.HasPrefix(strings.ToLower(key), "aws:") { // set by CloudFormation, for one
			r.warn("app %s: the tag %s is AWS's own and is left out", shorten(a.ID), shorten(key))
			delete(a.Tags, key)
		}
	}
	if len(o.found) > before {
		return
	}
	key := a.Account + "/" + a.Region + "/" + a.ID
	if at, known := r.apps.find(key); !known {
		r.apps.add(key, o.where, a)
	} else if len(a.DiffersFrom(r.apps.all[at])) > 0 {
		o.add("%s differs from what %s says of app %s", o.at("Id"), r.apps.where[at], shorten(a.ID))
	}
}

// ownerOf finds whose an app is: as its ARN says, unless the user says otherwise.
func (r *Reader) ownerOf(o *object, id string) Owner {
	owner := r.owner()
	text := o.text("Arn")
	if text == "" {
		if owner.Account == "" || owner.Region == "" {
			o.add("%s is missing, which would tell account and region: use --account and --region", o.at("Arn"))
		}
		return owner
	}
	a, err := arn.Parse(text)
	if err != nil {
		o.add("%s: %v", o.at("Arn"), err)
		return owner
	}
	if a.Service != "mobiletargeting" || a.Resource != "apps/"+id || a.Region == "" || a.Account == "" {
		o.add("%s must have the form arn:aws:mobiletargeting:REGION:ACCOUNT:apps/%s, not %s", o.at("Arn"), shorten(id), shown(text))
	}
	if owner.Account == "" {
		owner.Account = a.Account
	} else if owner.Account != a.Account {
		r.warn("apps of account %s become those of account %s", a.Account, owner.Account)
	}
	if owner.Region == "" {
		owner.Region = a.Region
	} else if owner.Region != a.Region {
		r.warn("apps of region %s become those of region %s", a.Region, owner.Region)
	}
	return owner
}

func (r *Reader) stream(o *object) {
	before := len(o.found)
	s := Stream{
		App: o.required("ApplicationId"), ARN: o.text("DestinationStreamArn"), Role: o.text("RoleArn"),
		Modified: o.when("LastModifiedDate"), By: o.text("LastUpdatedBy"),
	}
	o.skip("ExternalId") // deprecated, and nothing the stream needs
	if len(o.found) > before {
		return
	}
	if at, known := r.streams.find(s.App); !known {
		r.streams.add(s.App, o.where, s)
	} else if len(s.DiffersFrom(r.streams.all[at])) > 0 {
		o.add("the event stream differs from that of app %s in %s", shorten(s.App), r.streams.where[at])
	}
}

// smsVoice reads what aws pinpoint-sms-voice prints. It reports whether it knows the
// document.
func (r *Reader) smsVoice(file string, o *object) bool {
	known := false
	if _, isObject := o.first("ConfigurationSets").(map[string]any); o.has("ConfigurationSets") && !isObject {
		known = true
		for _, name := range o.texts("ConfigurationSets") {
			r.set(o.problems, o.where, Set{Name: name})
		}
		r.listed = true
		r.page(o, "NextToken")
	}
	if o.has("EventDestinations") && !o.has("ConfigurationSet") {
		known = true
		before := len(o.found)
		all := r.destinations(o)
		name := o.text("ConfigurationSetName")
		switch {
		case len(o.found) > before:
		case name == "":
			r.unnamed = append(r.unnamed, unnamed{o.where, file, all})
		default:
			r.set(o.problems, o.where, Set{Name: name, Destinations: all, Whole: true})
		}
	}
	return known
}

// ses reads what aws ses prints. It reports whether it knows the document.
func (r *Reader) ses(o *object) bool {
	known := false
	first := o.first("ConfigurationSets")
	if one, _ := first.(map[string]any); o.has("ConfigurationSets") && (first == nil || one["Name"] != nil) {
		known = true
		for _, one := range o.objects("ConfigurationSets") {
			r.set(o.problems, o.where, Set{Name: one.text("Name")})
			one.end()
		}
		r.page(o, "NextToken")
	}
	if o.has("ConfigurationSet") {
		known = true
		r.described(o)
	}
	return known
}

// described reads what aws ses describe-configuration-set prints.
func (r *Reader) described(o *object) {
	before := len(o.found)
	head := o.child("ConfigurationSet")
	s := Set{Name: head.required("Name"), Whole: o.has("EventDestinations")}
	head.end()
	s.Destinations = r.destinations(o)
	for _, options := range []string{"TrackingOptions", "DeliveryOptions", "ReputationOptions"} {
		if o.has(options) {
			r.warn("configuration set %q: its %s are not kept", shorten(s.Name), options)
		}
		o.skip(options)
	}
	if !s.Whole {
		r.warn("%s has no EventDestinations: either the set has none, or --configuration-set-attribute-names eventDestinations was forgotten", o.where)
	}
	if len(o.found) == before {
		r.set(o.problems, o.where, s)
	}
}

// destinations reads the event destinations of a document.
func (r *Reader) destinations(o *object) []Destination {
	var out []Destination
	for _, one := range o.objects("EventDestinations") {
		d := Destination{Name: one.text("Name"), Enabled: one.flag("Enabled")}
		d.Types = one.texts("MatchingEventTypes")
		if r.Service == SES {
			one.emailKind(&d)
		} else {
			one.voiceKind(&d)
		}
		one.end()
		out = append(out, d)
	}
	return out
}

// voiceKind reads where an event destination of SMS and Voice leads. Without exactly one
// place it has no kind, and the rules will say so.
func (o *object) voiceKind(d *Destination) {
	places := 0
	if o.has("CloudWatchLogsDestination") {
		in := o.child("CloudWatchLogsDestination")
		d.Kind, d.ARN, d.Role = configset.CloudWatchLogs, in.text("LogGroupArn"), in.text("IamRoleArn")
		in.end()
		places++
	}
	if o.has("KinesisFirehoseDestination") {
		in := o.child("KinesisFirehoseDestination")
		d.Kind, d.ARN, d.Role = configset.KinesisFirehose, in.text("DeliveryStreamArn"), in.text("IamRoleArn")
		in.end()
		places++
	}
	if o.has("SnsDestination") {
		in := o.child("SnsDestination")
		d.Kind, d.ARN, d.Role = configset.SNS, in.text("TopicArn"), ""
		in.end()
		places++
	}
	d.onePlace(places)
}

// emailKind reads where an event destination of SES leads, as voiceKind. Mind the other
// spelling of ARN.
func (o *object) emailKind(d *Destination) {
	places := 0
	if o.has("KinesisFirehoseDestination") {
		in := o.child("KinesisFirehoseDestination")
		d.Kind, d.ARN, d.Role = configset.KinesisFirehose, in.text("DeliveryStreamARN"), in.text("IAMRoleARN")
		in.end()
		places++
	}
	if o.has("SNSDestination") {
		in := o.child("SNSDestination")
		d.Kind, d.ARN, d.Role = configset.SNS, in.text("TopicARN"), ""
		in.end()
		places++
	}
	if o.has("PinpointDestination") {
		in := o.child("PinpointDestination")
		d.Kind, d.ARN, d.Role = configset.Pinpoint, in.text("ApplicationArn"), ""
		in.end()
		places++
	}
	if o.has("CloudWatchDestination") {
		in := o.child("CloudWatchDestination")
		d.Kind, d.ARN, d.Role = configset.CloudWatch, "", ""
		for _, one := range in.objects("DimensionConfigurations") {
			d.Dimensions = append(d.Dimensions, configset.Dimension{
				Name: one.text("DimensionName"), Source: configset.DimensionSource(one.text("DimensionValueSource")), Default: one.text("DefaultDimensionValue"),
			})
			one.end()
		}
		in.end()
		places++
	}
	d.onePlace(places)
}

func (d *Destination) onePlace(places int) {
	if places != 1 {
		d.Kind, d.ARN, d.Role, d.Dimensions = "", "", "", nil
	}
}
