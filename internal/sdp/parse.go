package sdp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds on what is read. A description of a telephone has some twenty lines.
const (
	maxSize    = 64 << 10
	maxStreams = 16
	maxFormats = 64
	maxCryptos = 16
)

// Crypto is one line of keys that the far side offers or accepts (RFC 4568).
type Crypto struct {
	Tag   int
	Suite string
	Key   []byte // KeyLength bytes; nil if we cannot use the line
}

// Description is what the far side says about itself.
type Description struct {
	Address   netip.Addr // where it hears; not valid if it gave none, or a name
	Port      int        // for RTP; 0 = it refuses
	RTCP      netip.AddrPort
	Formats   []uint8       // payload types, the one it likes best first
	Events    uint8         // payload type of telephone-event; 0 = none
	Packet    time.Duration // sound in a packet that it wants; 0 = it did not say
	Direction Direction
	Secure    bool // SRTP
	Cryptos   []Crypto

	streams []stream // all media lines, as an answer has to repeat them
	audio   int      // index of the one that counts
}

// stream is one media line and the attributes that belong to it.
type stream struct {
	kind, proto string
	port        int
	formats     []string
	address     netip.Addr
	attributes  []string
}

// Parse reads a description. It fails with ErrNoAudio if no line of it is audio over RTP,
// or if the body is empty.
func Parse(body []byte) (*Description, error) {
	if len(body) > maxSize {
		return nil, fmt.Errorf("sdp: %d bytes, more than %d", len(body), maxSize)
	}
	var session stream // what stands before the first media line
	d := &Description{audio: -1}
	at := &session
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		if len(line) < 2 || line[1] != '=' {
			continue // blank, or not SDP; what matters will be missed below
		}
		value := strings.TrimSpace(line[2:])
		switch line[0] {
		case 'm':
			s, err := parseStream(value)
			if err != nil {
				return nil, err
			}
			if len(d.streams) == maxStreams {
				return nil, fmt.Errorf("sdp: more than %d media lines", maxStreams)
			}
			d.streams = append(d.streams, s)
			at = &d.streams[len(d.streams)-1]
		case 'c':
			// More than one per line is a multicast hierarchy; the first one counts.
			if a, ok := parseConnection(value); ok && !at.address.IsValid() {
				at.address = a
			}
		case 'a':
			at.attributes = append(at.attributes, value)
		}
	}
	d.audio = slices.IndexFunc(d.streams, stream.live)
	if d.audio < 0 {
		d.audio = slices.IndexFunc(d.streams, stream.spoken)
	}
	if d.audio < 0 {
		return nil, ErrNoAudio
	}
	d.describe(&session, &d.streams[d.audio])
	return d, nil
}

// spoken reports whether the line is audio over RTP, live also whether it is not refused.
func (s stream) spoken() bool {
	switch strings.ToUpper(s.proto) {
	case "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF":
		return strings.EqualFold(s.kind, "audio")
	}
	return false
}

func (s stream) live() bool { return s.spoken() && s.port > 0 }

// parseStream reads a media line: "audio 49170 RTP/AVP 0 8 101".
func parseStream(value string) (stream, error) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return stream{}, fmt.Errorf("sdp: media line %.40q", value)
	}
	first, _, _ := strings.Cut(f[1], "/") // number of ports
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return stream{}, fmt.Errorf("sdp: port in media line %.40q", value)
	}
	if len(f) > 3+maxFormats {
		return stream{}, fmt.Errorf("sdp: more than %d formats", maxFormats)
	}
	return stream{kind: f[0], port: int(port), proto: f[2], formats: f[3:]}, nil
}

// parseConnection reads "IN IP4 192.0.2.1", with or without a time to live.
func parseConnection(value string) (netip.Addr, bool) {
	f := strings.Fields(value)
	if len(f) < 3 || !strings.EqualFold(f[0], "IN") {
		return netip.Addr{}, false
	}
	address, _, _ := strings.Cut(f[2], "/")
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}, false // a name: allowed, but no trunk writes one
	}
	return a.Unmap().WithZone(""), true
}

// describe fills the description from the session's and the stream's lines; the stream's
// win.
func (d *Description) describe(session, s *stream) {
	d.Address, d.Port = s.address, s.port
	if !d.Address.IsValid() {
		d.Address = session.address
	}
	d.Secure = strings.HasPrefix(strings.ToUpper(s.proto), "RTP/SAVP")
	names := map[uint8]string{}
	for _, a := range session.attributes {
		d.direct(a)
	}
	var longest time.Duration
	for _, a := range s.attributes {
		d.direct(a)
		key, value, _ := strings.Cut(a, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "rtpmap":
			number, name, _ := strings.Cut(value, " ")
			if pt, err := strconv.ParseUint(number, 10, 7); err == nil {
				names[uint8(pt)] = strings.ToLower(strings.TrimSpace(name))
			}
		case "ptime":
			d.Packet = packet(value)
		case "maxptime":
			longest = packet(value)
		case "rtcp":
			d.RTCP = parseRTCP(value, d.Address)
		case "crypto":
			if c, err := parseCrypto(value); err == nil && len(d.Cryptos) < maxCryptos {
				d.Cryptos = append(d.Cryptos, c)
			}
		}
	}
	if longest > 0 && d.Packet == 0 && longest < DefaultPacket || longest > 0 && d.Packet > longest {
		d.Packet = longest
	}
	d.format(s.formats, names)
}

// direct takes over the attribute if it is a direction.
func (d *Description) direct(attribute string) {
	for _, dir := range []Direction{SendRecv, SendOnly, RecvOnly, Inactive} {
		if strings.EqualFold(attribute, dir.String()) {
			d.Direction = dir
		}
	}
}

// format sorts out the payload types. A number whose name contradicts the static table is
// not that codec.
func (d *Description) format(formats []string, names map[uint8]string) {
	for _, f := range formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		pt := uint8(n)
		name, _, _ := strings.Cut(names[pt], "/")
		switch {
		case name == "telephone-event" && pt > 0:
			if strings.HasPrefix(names[pt], "telephone-event/8000") && d.Events == 0 {
				d.Events = pt
			}
		case pt == PCMU && name != "" && name != "pcmu", pt == PCMA && name != "" && name != "pcma":
		default:
			d.Formats = append(d.Formats, pt)
		}
	}
}

// packet reads a packet time in milliseconds. What nobody can mean is taken as not said;
// more than 60 ms is taken as 60, since a packet may always be shorter than is wished.
func packet(value string) time.Duration {
	ms, err := strconv.ParseFloat(value, 64)
	if err != nil || !(ms >= 10 && ms <= 1000) {
		return 0
	}
	return min(time.Duration(ms)/10*10, 60) * time.Millisecond
}

// parseRTCP reads "53020" or "53020 IN IP4 192.0.2.1" (RFC 3605).
func parseRTCP(value string, host netip.Addr) netip.AddrPort {
	number, rest, _ := strings.Cut(value, " ")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}
	}
	if a, ok := parseConnection(rest); ok {
		host = a
	}
	return netip.AddrPortFrom(host, uint16(port))
}

// suite is the cipher that we know. It is the one that RFC 4568 section 6.2 makes
// mandatory to implement.
const suite = "AES_CM_128_HMAC_SHA1_80"

var errCrypto = errors.New("sdp: crypto line")

// parseCrypto reads "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31|1:4 PARAMETER…".
func parseCrypto(value string) (Crypto, error) {
	f := strings.Fields(value)
	if len(f) < 3 {
		return Crypto{}, errCrypto
	}
	tag, err := strconv.Atoi(f[0])
	if err != nil || tag < 0 || tag > 999_999_999 { // RFC 4568 section 4: at most nine digits
		return Crypto{}, errCrypto
	}
	c := Crypto{Tag: tag, Suite: f[1]}
	if strings.EqualFold(f[1], suite) && optional(f[3:]) {
		c.Key = inline(f[2])
	}
	return c, nil
}

// optional reports whether all session parameters may be ignored. RFC 4568 section 6.3: those
// with a minus may; WSH is a hint about replay windows.
func optional(parameters []string) bool {
	return !slices.ContainsFunc(parameters, func(p string) bool {
		return !strings.HasPrefix(p, "-") && !strings.HasPrefix(strings.ToUpper(p), "WSH=")
	})
}

// inline returns the key of "inline:KEY|lifetime", or nil. A lifetime does not matter: no
// call is 2^31 packets long. A key with an identifier (MKI) would need it in every packet.
func inline(parameter string) []byte {
	const method = "inline:"
	if len(parameter) < len(method) || !strings.EqualFold(parameter[:len(method)], method) || strings.Contains(parameter, ";") {
		return nil
	}
	parts := strings.Split(parameter[len(method):], "|")
	if slices.ContainsFunc(parts[1:], func(p string) bool { return strings.Contains(p, ":") }) {
		return nil
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[0], "="))
	if err != nil || len(key) != KeyLength {
		return nil
	}
	return key
}
