package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// SIP is how calls reach the telephone network.
type SIP struct {
	Listen        string        `yaml:"listen"`
	PublicAddress string        `yaml:"public_address"`
	RTPPorts      PortRange     `yaml:"rtp_ports"`
	RTPThreads    int           `yaml:"rtp_threads"`
	RingTimeout   time.Duration `yaml:"ring_timeout"`
	AnswerTimeout time.Duration `yaml:"answer_timeout"`
	GreetingDelay time.Duration `yaml:"greeting_delay"`
	Tail          time.Duration `yaml:"tail"`
	Trunks        []Trunk       `yaml:"trunks"`
}

// Trunk is one way into the telephone network.
type Trunk struct {
	Name            string        `yaml:"name"`
	Server          string        `yaml:"server"`
	Proxy           string        `yaml:"proxy"`
	Transport       string        `yaml:"transport"` // udp, tcp, tls; "" = udp
	TLS             TrunkTLS      `yaml:"tls"`
	SRTP            bool          `yaml:"srtp"`
	Username        string        `yaml:"username"`
	Password        Secret        `yaml:"password"`
	Realm           string        `yaml:"realm"`
	Domain          string        `yaml:"domain"`
	Register        bool          `yaml:"register"`
	Expires         time.Duration `yaml:"expires"`
	OptionsInterval time.Duration `yaml:"options_interval"` // negative = no OPTIONS
	Prefixes        []string      `yaml:"prefixes"`
	Priority        int           `yaml:"priority"`
	CallerID        string        `yaml:"caller_id"` // from, pai, both; "" = both
	OmitPlus        bool          `yaml:"omit_plus"`
	DialPrefix      string        `yaml:"dial_prefix"`
	MaxCalls        int           `yaml:"max_calls"`
	CallsPerSecond  float64       `yaml:"calls_per_second"`
	Allow           []string      `yaml:"allow"`
	DeclineIsBusy   bool          `yaml:"decline_is_busy"`
}

// TrunkTLS says whom to trust on a trunk with transport tls.
type TrunkTLS struct {
	CA          string `yaml:"ca"`          // PEM file; "" = the system's roots
	Certificate string `yaml:"certificate"` // PEM file, shown to the trunk; "" = none
	Key         string `yaml:"key"`
	ServerName  string `yaml:"server_name"` // the name on the trunk's certificate; "" = the host of server
}

// PortRange is a range of ports, written 20000-39999; "any" is every free port.
type PortRange string

// Bounds returns the first and the last port, 0 and 0 for any.
func (r PortRange) Bounds() (first, last uint16, err error) {
	if r == "any" {
		return 0, 0, nil
	}
	a, b, ok := strings.Cut(string(r), "-")
	low, errLow := strconv.ParseUint(a, 10, 16)
	high, errHigh := strconv.ParseUint(b, 10, 16)
	const fewest = 2 // one for the sound, one for its reports
	if !ok || errLow != nil || errHigh != nil || low == 0 || high+1 < low+fewest {
		return 0, 0, fmt.Errorf("write two ports, such as 20000-39999, or any")
	}
	return uint16(low), uint16(high), nil
}

func (c *Config) checkSIP(p *Problems, getenv func(string) string) {
	s := &c.SIP
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		p.add("sip.listen", s.Listen, "write it as host:port: %v", err)
	}
	if s.PublicAddress != "" {
		if _, err := netip.ParseAddr(s.PublicAddress); err != nil {
			p.add("sip.public_address", s.PublicAddress, "write the IP address that trunks see")
		}
	}
	if _, _, err := s.RTPPorts.Bounds(); err != nil {
		p.add("sip.rtp_ports", s.RTPPorts, "%v", err)
	}
	between(p, "sip.rtp_threads", s.RTPThreads, 0, 64)
	between(p, "sip.ring_timeout", s.RingTimeout, time.Second, 5*time.Minute)
	between(p, "sip.answer_timeout", s.AnswerTimeout, 100*time.Millisecond, 32*time.Second)
	between(p, "sip.greeting_delay", s.GreetingDelay, 0, 10*time.Second)
	between(p, "sip.tail", s.Tail, 0, 10*time.Second)
	for i := range s.Trunks {
		s.Trunks[i].check(p, fmt.Sprintf("sip.trunks[%d]", i), getenv)
	}
	oneOf(p, "voice.carrier", c.Voice.Carrier, "auto", "simulator", "sip")
	if c.Voice.Carrier == "sip" && len(s.Trunks) == 0 {
		p.add("voice.carrier", c.Voice.Carrier, "needs a trunk: list one in sip.trunks")
	}
	between(p, "voice.guards.calls_per_day", c.Voice.Guards.CallsPerDay, 0, 1_000_000_000)
	for i, prefix := range c.Voice.Guards.Prefixes {
		checkPrefix(p, fmt.Sprintf("voice.guards.prefixes[%d]", i), prefix)
	}
}

// prefixForm: country codes begin with any digit but 0.
var prefixForm = regexp.MustCompile(`^\+([1-9][0-9]{0,18})?$`)

func checkPrefix(p *Problems, key, prefix string) {
	if !prefixForm.MatchString(prefix) {
		p.add(key, prefix, `write a plus and the first digits of the numbers, such as "+1" or "+4930"; "+" is every number`)
	}
}

// check looks at what package siptrunk cannot see: secrets, files and spellings. What makes
// no sense for a trunk is told by siptrunk itself.
func (t *Trunk) check(p *Problems, at string, getenv func(string) string) {
	resolve(p, at+".password", &t.Password, getenv)
	oneOf(p, at+".transport", t.Transport, "", "udp", "tcp", "tls")
	oneOf(p, at+".caller_id", t.CallerID, "", "from", "pai", "both")
	for i, prefix := range t.Prefixes {
		checkPrefix(p, fmt.Sprintf("%s.prefixes[%d]", at, i), prefix)
	}
	for i, network := range t.Allow {
		if _, err := netip.ParsePrefix(network); err != nil {
			p.add(fmt.Sprintf("%s.allow[%d]", at, i), network, "write a network, such as 203.0.113.0/24")
		}
	}
	if t.TLS != (TrunkTLS{}) && t.Transport != "tls" {
		p.add(at+".tls", t.Transport, "is of transport tls")
	}
	checkClientFiles(p, at+".tls", t.TLS.CA, t.TLS.Certificate, t.TLS.Key)
}
