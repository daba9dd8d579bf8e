// Package deps is the import law of this repository: which room may import which, and
// which room owns which library. Its tests hold the code and docs/ARCHITECTURE.md to it.
//
// It is a table and not a linter's setting, so that a breach can be answered with what to
// do about it.
package deps

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// everything, as the only entry of a list, lets a room import all others.
const everything = "everything"

// rooms says what each room may import of our own. A room is a folder below internal/, or
// a command; "x/*" stands for every folder below x that has no row of its own. The same
// table stands in docs/ARCHITECTURE.md, section "Rooms". Test files are exempt.
//
// A room that wants something that is not on its list is asking for an interface in its
// own package, or for a different room.
var rooms = map[string][]string{
	// The floor: words and small tools.
	"arn":       {},
	"tenant":    {},
	"fault":     {},
	"lifecycle": {},
	"crew":      {},
	"event":     {"tenant"},

	// Features: types, rules, and the interfaces they need.
	"quota":     {"fault"},
	"account":   {"quota", "tenant"},
	"configset": {"arn", "event", "fault", "quota", "tenant"},
	"ssml":      {"fault"},
	"voice":     {"account", "configset", "crew", "event", "fault", "quota", "ssml", "tenant"},
	"pinpoint":  {"arn", "configset", "event", "fault", "quota", "tenant"},

	"email": {"account", "arn", "configset", "crew", "event", "fault", "mailmsg", "mailtemplate", "quota", "tenant"},

	// Mail.
	"mailmsg":      {},
	"mailtemplate": {},
	"tracking":     {"email", "mailmsg"},
	"dkim":         {"email", "mailmsg", "tenant"},
	"virus":        {"email"},
	"smtpout":      {"email", "tenant"},
	"smtpin":       {"account", "email", "fault", "feedback", "returnpath", "tenant"},
	"feedback":     {},
	"returnpath":   {"email"},
	"mailsim":      {"email"},

	// Speech and calls.
	"audio":     {},
	"tts":       {"audio", "fault", "ssml", "tts/wav", "voice"},
	"tts/*":     {"audio", "fault", "ssml", "tts", "tts/wav", "voice"},
	"tts/wav":   {},
	"simulator": {"event", "fault", "tenant", "tts/wav", "voice"},
	"sdp":       {},
	"rtpaudio":  {},
	"siptrunk":  {},
	"sipcall":   {"audio", "event", "rtpaudio", "sdp", "siptrunk", "tts/wav", "voice"},
	"phone":     {"audio", "rtpaudio", "sdp", "simulator", "tts/wav"},

	// Carrying events.
	"sink":          {"arn", "configset", "event", "fault", "tenant"},
	"sink/*":        {"arn", "configset", "event", "fault", "sink", "tenant"},
	"sink/sinktest": {"arn", "configset", "event", "fault", "sink", "tenant"},
	"fanout":        {"arn", "configset", "event", "fault", "quota", "sink", "tenant"},
	"alarm":         {"configset", "event", "fanout", "sink", "tenant"},

	// The disk.
	"datadir":   {},
	"natsstore": {"configset", "datadir", "event", "fanout", "fault", "pinpoint", "sink", "tenant", "voice"},
	"boltfile":  {"fault"},
	"boltstore": {"boltfile", "fault", "pinpoint", "tenant"},
	"mailstore": {"boltfile", "email", "event", "fault", "tenant"},

	// Edges: wire to domain.
	"awsapi":      {"account", "fault", "tenant"},
	"awsapi/*":    {"account", "awsapi", "fault", "tenant"},
	"api/apitest": {"account", "awsapi", "awsapi/sigv4", "configset", "fault", "quota", "tenant"},
	"api/*":       {"account", "arn", "awsapi", "awsapi/*", "configset", "email", "event", "fault", "pinpoint", "quota", "tenant", "voice"},

	// The house.
	"config":      {"account", "arn", "quota", "tenant"},
	"awscli":      {"arn", "configset"},
	"admin":       {"awscli", "configset", "event", "fanout", "fault", "tenant", "voice"},
	"app":         {everything},
	"cli":         {"admin", "app", "awscli", "config", "event", "mailsim", "phone", "quota", "simulator", "smtpin"},
	"cmd/tidings": {"cli"},
	"deps":        {},
}

// libraries says which rooms may import which libraries, by the longest prefix of the
// import path that has a row. A technology lives in one room, so that it can be changed
// in one room. Metrics are fields of those that count, so their client may be anywhere.
var libraries = map[string][]string{
	"github.com/alecthomas/kong":          {"cli"},
	"github.com/aws/aws-sdk-go-v2":        {"api/apitest", "awsapi/sigv4", "cli", "sink/awssink", "tts/polly"}, // apitest and cli sign as clients do
	"github.com/aws/smithy-go":            {"sink/awssink", "tts/polly"},
	"github.com/emersion/go-msgauth":      {"dkim"},
	"github.com/emersion/go-sasl":         {"smtpin", "smtpout"},
	"github.com/emersion/go-smtp":         {"smtpin"},
	"github.com/emiago/sipgo":             {"phone", "sipcall", "siptrunk"},
	"github.com/fxamacker/cbor":           {"boltstore", "mailstore", "natsstore"},
	"github.com/goccy/go-yaml":            {"config"},
	"github.com/google/go-cmp":            {"api/apitest"}, // and tests, which are exempt
	"github.com/icholy/digest":            {"phone", "sipcall"},
	"github.com/nats-io":                  {"natsstore", "sink/nats"},
	"github.com/nyaruka/phonenumbers":     {"pinpoint", "voice"},
	"github.com/pion":                     {"rtpaudio"},
	"github.com/prometheus/client_golang": {everything},
	"github.com/rogpeppe/go-internal":     {"api/apitest"},
	"github.com/standard-webhooks":        {"sink/webhook"},
	"go.etcd.io/bbolt":                    {"boltfile", "boltstore", "mailstore"},
	"github.com/twmb/franz-go":            {"sink/kafka"},
	"golang.org/x":                        {everything},
}

// module is the path of this module, the beginning of the import path of every room.
const module = "tidings/"

// room names the room of an import path of ours: "sink/file", "cmd/tidings".
func room(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "internal/")
}

// row returns the row of a table that speaks for the name, given that a row "x/*" speaks
// for everything below x that has none of its own.
func row(table map[string][]string, name string) (key string, ok bool) {
	if _, ok := table[name]; ok {
		return name, true
	}
	for parent := name; strings.Contains(parent, "/"); {
		parent = parent[:strings.LastIndex(parent, "/")]
		if _, ok := table[parent+"/*"]; ok {
			return parent + "/*", true
		}
	}
	return "", false
}

// allows reports whether the list names the room, itself or by "x/*".
func allows(list []string, name string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		parent, star := strings.CutSuffix(entry, "*")
		return entry == everything || entry == name || star && strings.HasPrefix(name, parent)
	})
}

// breaches returns what is wrong with a package of ours that has these imports, each as a
// sentence that says what to do. The standard library is free to all.
func breaches(path string, imports []string) []string {
	name := room(path)
	key, ok := row(rooms, name)
	if !ok {
		return []string{fmt.Sprintf("%s has no row in the table of rooms: say in internal/deps and in docs/ARCHITECTURE.md what belongs there and what it may import", name)}
	}
	var found []string
	for _, i := range imports {
		switch {
		case strings.HasPrefix(i, module):
			if !allows(rooms[key], room(i)) {
				found = append(found, fmt.Sprintf("%s imports %s, which is not on its list: declare an interface in %[1]s for what it needs, or move the code to the room it belongs to; only if the law itself is wrong, change internal/deps and docs/ARCHITECTURE.md together", name, room(i)))
			}
		case !standard(i):
			found = append(found, libraryBreaches(name, i)...)
		}
	}
	return found
}

func libraryBreaches(name, path string) []string {
	key, ok := library(path)
	if !ok {
		return []string{fmt.Sprintf("%s imports %s, which no room owns: name its room in the table of libraries in internal/deps, and say in the commit why we cannot do without", name, path)}
	}
	if !allows(libraries[key], name) {
		return []string{fmt.Sprintf("%s imports %s, which belongs to %s alone: ask that room for what is needed", name, path, strings.Join(libraries[key], ", "))}
	}
	return nil
}

// library returns the longest prefix of the path that has a row.
func library(path string) (key string, ok bool) {
	for _, k := range slices.Sorted(maps.Keys(libraries)) {
		if path == k || strings.HasPrefix(path, k+"/") {
			key, ok = k, true // sorted: a longer prefix comes later
		}
	}
	return key, ok
}

// standard reports whether the path is of the standard library: its first element has no
// dot. Source: go command documentation, "Import path syntax".
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
