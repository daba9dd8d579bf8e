package configset_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
)

// metrics is an event destination of e-mail that becomes metrics with these dimensions.
func metrics(name string, dimensions ...configset.Dimension) configset.EventDestination {
	return configset.EventDestination{
		Name: name, Enabled: true, Types: []event.Type{event.EmailSend, event.EmailRenderingFailure},
		Destination: configset.Destination{Kind: configset.CloudWatch}, Dimensions: dimensions,
	}
}

var campaign = configset.Dimension{Name: "ses:campaign-id", Source: configset.MessageTag, Default: "none@example.com"}

func TestDimensionRules(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	if err := s.Create(t.Context(), here, configset.Email, "a"); err != nil {
		t.Fatalf("Create = %v", err)
	}
	with := func(edit func(*configset.Dimension)) []configset.Dimension {
		d := campaign
		edit(&d)
		return []configset.Dimension{d}
	}
	for name, tc := range map[string]struct {
		dimensions []configset.Dimension
		want       string // a part of the error text; "" = accepted
	}{
		"one":              {[]configset.Dimension{campaign}, ""},
		"a header":         {with(func(d *configset.Dimension) { d.Source, d.Name = configset.EmailHeader, "Subject" }), ""},
		"a tag named from": {with(func(d *configset.Dimension) { d.Name = "From" }), ""},
		"a link":           {with(func(d *configset.Dimension) { d.Source = configset.LinkTag }), ""},
		"none":             {nil, "has 1 to 10 dimensions, this one has 0"},
		"too many":         {make([]configset.Dimension, 11), "has 1 to 10 dimensions, this one has 11"},
		"no name":          {with(func(d *configset.Dimension) { d.Name = "" }), "The name of a dimension must be"},
		"a long name":      {with(func(d *configset.Dimension) { d.Name = strings.Repeat("x", 257) }), "The name of a dimension must be"},
		"a dot":            {with(func(d *configset.Dimension) { d.Name = "a.b" }), "The name of a dimension must be"},
		"no default":       {with(func(d *configset.Dimension) { d.Default = "" }), "The default value of the dimension"},
		"a bad default":    {with(func(d *configset.Dimension) { d.Default = "a b" }), "The default value of the dimension"},
		"no source":        {with(func(d *configset.Dimension) { d.Source = "" }), "must be messageTag, emailHeader or linkTag"},
		"a private header": {with(func(d *configset.Dimension) { d.Source, d.Name = configset.EmailHeader, "Message-ID" }), "The header Message-ID cannot be"},
	} {
		err := s.CreateDestination(t.Context(), here, configset.Email, "a", metrics("d", tc.dimensions...))
		if tc.want != "" {
			wantFault(t, name, err, fault.Invalid, fault.EventDestination, tc.want)
			continue
		}
		if err != nil {
			t.Errorf("CreateDestination with %s = %v, want nil", name, err)
			continue
		}
		got, err := s.Destinations(t.Context(), here, configset.Email, "a")
		if diff := cmp.Diff([]configset.EventDestination{metrics("d", tc.dimensions...)}, got); diff != "" || err != nil {
			t.Errorf("Destinations with %s: %v\n%s", name, err, diff)
		}
		got[0].Dimensions[0].Name = "changed"
		if again, _ := s.Destinations(t.Context(), here, configset.Email, "a"); again[0].Dimensions[0].Name == "changed" {
			t.Error("Destinations hands out the stored dimensions themselves")
		}
		if err := s.DeleteDestination(t.Context(), here, configset.Email, "a", "d"); err != nil {
			t.Fatalf("DeleteDestination = %v", err)
		}
	}
}

func TestWhereMetricsMayGo(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	mustCreate(t, s, here, "a")
	d := metrics("d", campaign)
	d.Types = []event.Type{event.VoiceBusy}
	wantFault(t, "metrics of calls", s.CreateDestination(t.Context(), here, configset.Voice, "a", d),
		fault.Invalid, fault.EventDestination, "Exactly one destination")
	if err := s.Create(t.Context(), here, configset.Email, "a"); err != nil {
		t.Fatalf("Create of the same name for e-mail = %v, want nil", err)
	}
	for what, edit := range map[string]func(*configset.EventDestination){
		"an ARN": func(d *configset.EventDestination) { d.Destination.ARN = topic },
		"a role": func(d *configset.EventDestination) { d.Destination.Role = role },
		"dimensions of SNS": func(d *configset.EventDestination) {
			d.Destination = configset.Destination{Kind: configset.SNS, ARN: topic}
		},
		"an event of a call":  func(d *configset.EventDestination) { d.Types = []event.Type{event.VoiceBusy} },
		"no event of any API": func(d *configset.EventDestination) { d.Types = nil },
	} {
		d := metrics("d", campaign)
		edit(&d)
		wantFault(t, what, s.CreateDestination(t.Context(), here, configset.Email, "a", d), fault.Invalid, fault.EventDestination, "")
	}
}
