package voice

import (
	"strings"

	"tidings/internal/fault"
	"tidings/internal/quota"
)

// Guards bound what the calls of the whole server can cost, whatever its accounts may do:
// who gets hold of a key must not be able to run up a telephone bill. The zero value
// guards nothing.
type Guards struct {
	// Prefixes are of the numbers that may be called, digits after a plus; none = all.
	Prefixes []string
	// CallsPerDay is how many messages are accepted within 24 hours, of all accounts
	// together; 0 = any number.
	CallsPerDay int64
}

// everybody is the key under which the messages of all accounts are counted. No tenant is
// written like this.
const everybody = "server"

// admit fails with fault.Invalid if the number is none that this server calls.
func (g *Guards) admit(p Phone) error {
	if len(g.Prefixes) == 0 {
		return nil
	}
	number := p.E164()
	for _, prefix := range g.Prefixes {
		if strings.HasPrefix(number, prefix) {
			return nil
		}
	}
	return fault.New(fault.Invalid, fault.VoiceMessage,
		"DestinationPhoneNumber does not begin with a prefix that this server calls. The operator can allow more.")
}

// use counts the message towards the bound of all accounts.
func (g *Guards) use() quota.Use {
	return quota.Use{Name: quota.VoicePerDay, Key: everybody, Limit: g.CallsPerDay}
}
