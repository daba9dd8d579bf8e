package awscli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one member that two things do not have in common, under the name that AWS
// gives it.
type Difference struct {
	Member string `json:"member"`
	Old    string `json:"old"` // "" = absent
	New    string `json:"new"` // "" = absent
}

// Over returns the app with what it does not say taken from the old one.
func (a App) Over(old App) App {
	if a.Created.IsZero() {
		a.Created = old.Created
	}
	if a.Tags == nil {
		a.Tags = old.Tags
	}
	return a
}

// DiffersFrom returns what the app would change of the old one, in the order of the
// members' names. What it does not say it would not change.
func (a App) DiffersFrom(old App) []Difference {
	a = a.Over(old)
	a.ARN, old.ARN = "", ""
	return differences(old.wire(), a.wire())
}

// Over returns the event stream with what it does not say taken from the old one.
func (s Stream) Over(old Stream) Stream {
	if s.Modified.IsZero() {
		s.Modified = old.Modified
	}
	if s.By == "" {
		s.By = old.By
	}
	return s
}

// DiffersFrom returns what the stream would change of the old one, as that of App.
func (s Stream) DiffersFrom(old Stream) []Difference {
	s = s.Over(old)
	return differences(old.wire(), s.wire())
}

// DiffersFrom returns what the event destination would change of the old one, as that of
// App. The order of event types is of no account: SES does not keep it.
func (d Destination) DiffersFrom(old Destination, service Service) []Difference {
	d.Types, old.Types = sorted(d.Types), sorted(old.Types)
	if service == SES {
		return differences(old.email(), d.email())
	}
	return differences(old.voice(), d.voice())
}

func sorted(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

// differences compares two shapes member by member.
func differences(from, to any) []Difference {
	old, now := map[string]string{}, map[string]string{}
	flatten(old, "", from)
	flatten(now, "", to)
	names := maps.Clone(old)
	maps.Copy(names, now)
	var all []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if old[name] != now[name] {
			all = append(all, Difference{Member: name, Old: old[name], New: now[name]})
		}
	}
	return all
}

// flatten puts the scalars of a shape into the table under their paths. An array of strings
// counts as a scalar.
func flatten(into map[string]string, path string, shape any) {
	text, err := json.Marshal(shape)
	if err != nil {
		return // our own shapes can always be encoded
	}
	var v any
	_ = json.Unmarshal(text, &v)
	spread(into, path, v)
}

func spread(into map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if path != "" {
				name = path + "." + name
			}
			spread(into, name, member)
		}
	case []any:
		var words []string
		for i, element := range v {
			if word, ok := element.(string); ok {
				words = append(words, word)
				continue
			}
			spread(into, fmt.Sprintf("%s[%d]", path, i), element)
		}
		if words != nil {
			into[path] = strings.Join(words, ", ")
		}
	default:
		into[path] = fmt.Sprint(v)
	}
}
