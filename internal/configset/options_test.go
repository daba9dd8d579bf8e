package configset_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func TestOptionsAreKept(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	given := configset.Options{
		RedirectDomain: "links.example.com", RequireTLS: true, MaxDelivery: time.Hour, Suppression: []string{"BOUNCE"},
		Tags: map[string]string{"team": "growth"}, Kept: map[string]string{"word": "X"},
	}
	if err := s.CreateWith(t.Context(), here, configset.Email, "news", given); err != nil {
		t.Fatalf("CreateWith = %v", err)
	}
	given.Tags["team"], given.Suppression[0], given.Kept["word"] = "changed", "COMPLAINT", "changed"
	set, err := s.Set(t.Context(), here, configset.Email, "news")
	want := configset.Options{
		RedirectDomain: "links.example.com", RequireTLS: true, MaxDelivery: time.Hour, Suppression: []string{"BOUNCE"},
		Tags: map[string]string{"team": "growth"}, Kept: map[string]string{"word": "X"},
	}
	if err != nil {
		t.Fatalf("Set = %v", err)
	}
	if diff := cmp.Diff(want, set.Options); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	set.Options.Tags["team"] = "the caller's own"
	if again, err := s.Set(t.Context(), here, configset.Email, "news"); err != nil || again.Options.Tags["team"] != "growth" {
		t.Errorf("Set once more = %v, %v: what was handed out must be the caller's own", again, err)
	}
	if err := s.CreateWith(t.Context(), here, configset.Email, "news", configset.Options{}); !fault.Is(err, fault.Exists) {
		t.Errorf("CreateWith of a name that is taken = %v", err)
	}
	if _, err := s.Set(t.Context(), there, configset.Email, "news"); !fault.Is(err, fault.NotFound) {
		t.Errorf("Set of another region = %v, want fault.NotFound", err)
	}
}

func TestChangeOptions(t *testing.T) {
	t.Parallel()
	s, m := newService(t)
	if err := s.Create(t.Context(), here, configset.Email, "news"); err != nil {
		t.Fatalf("Create = %v", err)
	}
	m.overtake = 2
	tries := 0
	pause := func(o *configset.Options) error { tries++; o.SendingPaused = true; return nil }
	if err := s.ChangeOptions(t.Context(), here, configset.Email, "news", pause); err != nil || tries != 3 {
		t.Fatalf("ChangeOptions = %v after %d tries, want 3", err, tries)
	}
	no := errors.New("no")
	refuse := func(o *configset.Options) error { o.SendingPaused = false; return no }
	if err := s.ChangeOptions(t.Context(), here, configset.Email, "news", refuse); !errors.Is(err, no) {
		t.Errorf("ChangeOptions that is refused = %v, want %v", err, no)
	}
	bad := func(o *configset.Options) error {
		o.SendingPaused, o.RedirectDomain = false, "not a domain"
		return nil
	}
	if err := s.ChangeOptions(t.Context(), here, configset.Email, "news", bad); !fault.Is(err, fault.Invalid) {
		t.Errorf("ChangeOptions with a bad domain = %v, want fault.Invalid", err)
	}
	if set, err := s.Set(t.Context(), here, configset.Email, "news"); err != nil || !set.Options.SendingPaused {
		t.Errorf("Set = %+v, %v: a refused change must change nothing", set, err)
	}
	if err := s.ChangeOptions(t.Context(), here, configset.Email, "none", pause); !fault.Is(err, fault.NotFound) {
		t.Errorf("ChangeOptions of no set = %v, want fault.NotFound", err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	tags := func(n int) map[string]string {
		all := map[string]string{}
		for i := range n {
			all[fmt.Sprintf("t%d", i)] = ""
		}
		return all
	}
	for name, test := range map[string]struct {
		options  configset.Options
		resource string // of the fault; "" = none
	}{
		"a domain":                {configset.Options{RedirectDomain: "a-b.Example.co"}, ""},
		"a domain without a dot":  {configset.Options{RedirectDomain: "localhost"}, fault.TrackingOptions},
		"a URL":                   {configset.Options{RedirectDomain: "https://a.example"}, fault.TrackingOptions},
		"a domain that is long":   {configset.Options{RedirectDomain: strings.Repeat("a.", 130) + "example"}, fault.TrackingOptions},
		"reasons":                 {configset.Options{Suppression: []string{"BOUNCE", "COMPLAINT"}}, ""},
		"a reason that is none":   {configset.Options{Suppression: []string{"bounce"}}, fault.ConfigurationSet},
		"the shortest delivery":   {configset.Options{MaxDelivery: 5 * time.Minute}, ""},
		"the longest delivery":    {configset.Options{MaxDelivery: 14 * time.Hour}, ""},
		"too short a delivery":    {configset.Options{MaxDelivery: 299 * time.Second}, fault.DeliveryOptions},
		"too long a delivery":     {configset.Options{MaxDelivery: 14*time.Hour + 1}, fault.DeliveryOptions},
		"50 tags":                 {configset.Options{Tags: tags(50)}, ""},
		"51 tags":                 {configset.Options{Tags: tags(51)}, fault.ConfigurationSet},
		"a tag without a key":     {configset.Options{Tags: map[string]string{"": "x"}}, fault.ConfigurationSet},
		"a key of AWS":            {configset.Options{Tags: map[string]string{"AWS:x": "x"}}, fault.ConfigurationSet},
		"a key that is long":      {configset.Options{Tags: map[string]string{strings.Repeat("ü", 129): ""}}, fault.ConfigurationSet},
		"a key that is just good": {configset.Options{Tags: map[string]string{strings.Repeat("ü", 128): ""}}, ""},
		"a value that is long":    {configset.Options{Tags: map[string]string{"x": strings.Repeat("ü", 257)}}, fault.ConfigurationSet},
	} {
		s, _ := newService(t)
		err := s.CreateWith(t.Context(), here, configset.Email, "news", test.options)
		if test.resource == "" {
			if err != nil {
				t.Errorf("%s: CreateWith = %v", name, err)
			}
			continue
		}
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Invalid || f.Resource != test.resource {
			t.Errorf("%s: CreateWith = %v, want fault.Invalid about %s", name, err, test.resource)
		}
	}
}

// TestPinpointDestinations are of e-mail alone, and whether there is such an app the server says.
func TestPinpointDestinations(t *testing.T) {
	t.Parallel()
	const app = "arn:aws:mobiletargeting:us-east-1:123456789012:apps/810c7aab86d42fb2b56c8c9661234567"
	s, _ := newService(t)
	asked := map[string]tenant.Tenant{}
	s.Check = func(owner tenant.Tenant, d configset.Destination) error {
		if asked[d.ARN] = owner; owner == there {
			return fault.New(fault.Invalid, fault.EventDestination, "There is no such app.")
		}
		return nil
	}
	for _, where := range []tenant.Tenant{here, there} {
		if err := s.Create(t.Context(), where, configset.Email, "news"); err != nil {
			t.Fatalf("Create = %v", err)
		}
	}
	mustCreate(t, s, here, "calls")
	to := func(arn, role string, what event.Type) configset.EventDestination {
		return configset.EventDestination{Name: "d", Types: []event.Type{what}, Destination: configset.Destination{Kind: configset.Pinpoint, ARN: arn, Role: role}}
	}
	for name, test := range map[string]struct {
		owner tenant.Tenant
		scope configset.Scope
		set   string
		d     configset.EventDestination
		want  string // the end of the fault's text
	}{
		"an ARN of a topic":  {here, configset.Email, "news", to(topic, "", event.EmailSend), "apps/ID, not \"" + topic + "\"."},
		"an app's child":     {here, configset.Email, "news", to(app+"/events", "", event.EmailSend), "/events\"."},
		"a role":             {here, configset.Email, "news", to(app, role, event.EmailSend), "takes no IAM role."},
		"a set of calls":     {here, configset.Voice, "calls", to(app, "", event.VoiceBusy), "Exactly one destination must be specified."},
		"no app of theirs":   {there, configset.Email, "news", to(app, "", event.EmailSend), "There is no such app."},
		"a greeting of ours": {here, configset.Email, "news", to(app, "", event.EmailValidation), "is no event type of the email channel."},
	} {
		err := s.CreateDestination(t.Context(), test.owner, test.scope, test.set, test.d)
		if !fault.Is(err, fault.Invalid) || !strings.HasSuffix(fault.From(err).Msg, test.want) {
			t.Errorf("%s: CreateDestination = %v, want a fault that ends in %q", name, err, test.want)
		}
	}
	if err := s.CreateDestination(t.Context(), here, configset.Email, "news", to(app, "", event.EmailSend)); err != nil || asked[app] != here {
		t.Errorf("CreateDestination = %v, asked for %v", err, asked[app])
	}
}
