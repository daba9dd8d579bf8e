package siptrunk

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxCallsPerSecond is far above what a trunk takes, and below what costs memory.
	maxCallsPerSecond = 10_000

	// minExpires is the shortest registration: shorter ones would be refreshed all the time.
	minExpires = 30 * time.Second

	maxName = 64
)

var (
	// prefixForm follows E.164: at most 15 digits, the first of a country code is not 0.
	prefixForm = regexp.MustCompile(`^\+([1-9][0-9]{0,14})?$`)

	// dialForm is what a telephone has keys for, and a plus.
	dialForm = regexp.MustCompile(`^\+?[0-9*#]*$`)

	// hostForm follows RFC 1123 2.1, and takes underscores, which exist.
	hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?$`)
)

// validate returns all that is wrong with the trunks, as one error of many lines.
func validate(configs []Config) error {
	var problems []error
	seen := map[string]bool{}
	for i, c := range configs {
		name := fmt.Sprintf("trunk %q", c.Name)
		if c.Name == "" {
			name = fmt.Sprintf("trunk %d", i+1)
		}
		for _, p := range c.problems() {
			problems = append(problems, fmt.Errorf("%s: %s", name, p))
		}
		if c.Name != "" && seen[c.Name] {
			problems = append(problems, fmt.Errorf("%s: another trunk has the same name", name))
		}
		seen[c.Name] = true
	}
	return errors.Join(problems...)
}

// problems lists what is wrong with the trunk by itself.
func (c Config) problems() []string {
	var found []string
	wrong := func(is bool, format string, args ...any) {
		if is {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	wrong(c.Name == "", "it has no name")
	wrong(len(c.Name) > maxName, "its name is longer than %d bytes", maxName)
	wrong(c.Server == "", "it has no server")
	wrong(c.Server != "" && !isServer(c.Server), "its server %q is neither a host nor host:port", c.Server)
	wrong(c.Proxy != "" && !isServer(c.Proxy), "its proxy %q is neither a host nor host:port", c.Proxy)
	wrong(c.Domain != "" && !isHost(c.Domain), "its domain %q is not a host", c.Domain)
	wrong(!slices.Contains([]Transport{"", UDP, TCP, TLS}, c.Transport), "its transport %q is none of udp, tcp, tls", c.Transport)
	wrong(c.TLS != nil && c.Transport != TLS, "it has settings for TLS, but its transport is %s", c.Network())
	wrong(c.Password != "" && c.Username == "", "it has a password, but no username")
	wrong(c.Register && c.Username == "", "it is to be registered, but has no username")
	wrong(c.Expires != 0 && c.Expires < minExpires, "its registration lasts %v, the shortest is %v", c.Expires, minExpires)
	wrong(c.Options > 0 && c.Options < time.Second, "its OPTIONS are %v apart, the least is 1s", c.Options)
	wrong(!slices.Contains([]CallerID{"", CallerIDFrom, CallerIDPAI, CallerIDBoth}, c.CallerID), "its caller ID %q is none of from, pai, both", c.CallerID)
	wrong(c.CallerID == CallerIDPAI && c.Username == "", "its caller ID is pai, so From needs the username, and it has none")
	wrong(!dialForm.MatchString(c.Dial), "what is dialled before the number, %q, is not digits, * and #", c.Dial)
	wrong(c.Dial != "" && c.Plus, "numbers cannot both be sent with a plus and have %q put in front", c.Dial)
	wrong(c.MaxCalls < 0, "it cannot have %d calls at once", c.MaxCalls)
	wrong(!(c.CallsPerSecond >= 0 && c.CallsPerSecond <= maxCallsPerSecond), "it cannot begin %v calls a second; the most is %d", c.CallsPerSecond, maxCallsPerSecond)
	wrong(slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return !p.IsValid() }), "one of its allowed networks is not a network")
	// A string with a line break would write headers of its own into a request.
	for _, s := range []struct{ what, text string }{
		{"name", c.Name}, {"username", c.Username}, {"password", c.Password}, {"realm", c.Realm},
	} {
		wrong(strings.ContainsFunc(s.text, unicode.IsControl), "its %s has a control character", s.what)
	}
	wrong(strings.ContainsAny(c.Username, " \"\\<>"), "its username has a character that cannot stand in a SIP header")
	return append(found, c.wrongPrefixes()...)
}

// wrongPrefixes lists what is wrong with the numbers that the trunk serves.
func (c Config) wrongPrefixes() []string {
	if len(c.Prefixes) == 0 {
		return []string{`it has no prefixes, so it would serve no number; "+" serves every number`}
	}
	var found []string
	for i, p := range c.Prefixes {
		switch {
		case !prefixForm.MatchString(p):
			found = append(found, fmt.Sprintf(`its prefix %q is not a plus and the first digits of numbers, like "+1" or "+4930"`, p))
		case slices.Contains(c.Prefixes[:i], p):
			found = append(found, fmt.Sprintf("its prefix %q is there twice", p))
		}
	}
	return found
}

// isServer reports whether s is a host name or an address, with or without a port. An IPv6
// address with a port is in brackets, as in a URI (RFC 3261 25.1).
func isServer(s string) bool {
	if isHost(s) {
		return true
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || !isHost(host) {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return true
	}
	return hostForm.MatchString(s)
}
