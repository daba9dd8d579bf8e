package siptrunk

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// Transport is how signalling travels to a trunk.
type Transport string

// The transports. The empty one is UDP.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp"
	TLS Transport = "tls"
)

// CallerID says which headers show the caller's number to a trunk.
type CallerID string

// The ways of showing the caller's number. In all of them the number is in From; trunks
// that demand their own user name there get the number in P-Asserted-Identity alone.
// The empty one is CallerIDBoth.
const (
	CallerIDFrom CallerID = "from" // From only
	CallerIDPAI  CallerID = "pai"  // P-Asserted-Identity (RFC 3325); From has the user name
	CallerIDBoth CallerID = "both" // both
)

// Config is one trunk as an operator describes it. The zero value serves no number.
type Config struct {
	Name   string // unique among the trunks, shown in logs, metrics and status
	Server string // host or host:port; without a port, SRV records of the host, then the transport's port
	Proxy  string // outbound proxy, host or host:port; "" = requests go to Server

	Transport Transport
	TLS       *tls.Config // for TLS; nil = the system's roots, at least TLS 1.2
	SRTP      bool        // demand SRTP with SDES keys (RFC 4568); false = plain RTP

	Username string // for digest authentication; "" = none
	Password string
	Realm    string // answer challenges of this realm only; "" = any
	Domain   string // host part of From and P-Asserted-Identity; "" = host of Server

	Register bool          // keep a registration alive
	Expires  time.Duration // of a registration; 0 = an hour
	Options  time.Duration // between two OPTIONS; 0 = 30 s; negative = none are sent

	Prefixes []string // of the numbers it serves, digits after a plus: "+1", "+4930"; "+" = every number
	Priority int      // among trunks whose prefix is as long, the lowest is tried first

	CallerID CallerID
	Plus     bool   // numbers are sent with a plus
	Dial     string // put in front of the number, after its plus was taken away: a tech prefix, or 011

	MaxCalls       int     // in progress at once; 0 = no limit
	CallsPerSecond float64 // begun in a second; 0 = no limit

	// Media and signalling are accepted from these, beside the addresses that Server and Proxy
	// resolve to and the address that the trunk's SDP names.
	Allow []netip.Prefix

	DeclineIsBusy bool // take 603 Decline for a busy line, as some carriers mean it
}
