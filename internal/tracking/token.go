package tracking

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"net/url"
	"strings"
)

// The paths of links and pixels: /L0/TARGET/PACKED/MAC and /I0/PACKED/MAC. They look like those of SES.
const (
	linkPath  = "/L0/"
	pixelPath = "/I0/"
)

// macLen is how many bytes of an HMAC-SHA256 are kept. Source: RFC 2104 section 5: at least half of them.
const macLen = sha256.Size / 2

// maxToken is how long the path of a link or pixel may be.
const maxToken = 16 << 10

var encoding = base64.RawURLEncoding

// token is what a link or a pixel says.
type token struct {
	target string // where the link leads; "" = it is a pixel
	id     string // of the message
	tags   string // of the link, as "k:v;k2:v2;"
}

// link returns the URL that leads to the target by way of us.
func (m *maker) link(target, tags string) string {
	base := m.base
	if strings.HasPrefix(strings.ToLower(target), "http:") {
		base = m.plain
	}
	packed := pack(m.id, tags)
	return base + linkPath + url.PathEscape(target) + "/" + encoding.EncodeToString(packed) + "/" + encoding.EncodeToString(sign(m.mac, target, packed))
}

// pixel returns the URL of the message's pixel.
func (m *maker) pixel() string {
	packed := pack(m.id, "")
	return m.base + pixelPath + encoding.EncodeToString(packed) + "/" + encoding.EncodeToString(sign(m.mac, "", packed))
}

// sign returns the signature of a link to the target, "" = of a pixel. Both parts are there with their lengths, so that no two
// tokens are signed alike.
func sign(mac hash.Hash, target string, packed []byte) []byte {
	mac.Reset()
	var sizes [8]byte
	binary.BigEndian.PutUint32(sizes[:4], uint32(len(target)))
	binary.BigEndian.PutUint32(sizes[4:], uint32(len(packed)))
	mac.Write(sizes[:])
	mac.Write([]byte(target))
	mac.Write(packed)
	return mac.Sum(nil)[:macLen]
}

// The forms of a packed ID.
const (
	idAsText = iota // its length, then its text
	idOfSES         // 8 and 16 bytes that stand for 16 hex digits, a UUID, and -000000
)

// pack puts an ID and tags together.
func pack(id, tags string) []byte {
	out := make([]byte, 1, 64+len(tags))
	if short, ok := packID(id); ok {
		out[0] = idOfSES
		out = append(out, short...)
	} else {
		out = binary.AppendUvarint(out, uint64(len(id)))
		out = append(out, id...)
	}
	return append(out, tags...)
}

// lengths of the parts of an ID, which hyphens join
var idParts = [...]int{16, 8, 4, 4, 4, 12}

const idTail = "-000000"

// packID halves an ID of the form that SES has.
func packID(id string) ([]byte, bool) {
	rest, ok := strings.CutSuffix(id, idTail)
	digits := strings.ReplaceAll(rest, "-", "")
	short, err := hex.DecodeString(digits)
	if !ok || err != nil || len(short) != 24 || unpackID(short) != id { // another spelling has to stay what it is
		return nil, false
	}
	return short, true
}

func unpackID(short []byte) string {
	digits := hex.EncodeToString(short)
	var b strings.Builder
	for i, n := range idParts {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(digits[:n])
		digits = digits[n:]
	}
	return b.String() + idTail
}

// errToken says that a path is no link or pixel of ours.
var errToken = errors.New("not a tracking link of this server")

func unpack(packed []byte) (id, tags string, err error) {
	if len(packed) == 0 {
		return "", "", errToken
	}
	form, rest := packed[0], packed[1:]
	switch form {
	case idOfSES:
		if len(rest) < 24 {
			return "", "", errToken
		}
		return unpackID(rest[:24]), string(rest[24:]), nil
	case idAsText:
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return "", "", errToken
		}
		rest = rest[n:]
		return string(rest[:size]), string(rest[size:]), nil
	}
	return "", "", errToken
}

// read returns what the escaped path of a request says, if we signed it.
func (l *Links) read(path string) (token, error) {
	if len(path) > maxToken || l.base == nil {
		return token{}, errToken
	}
	if _, rest, ok := strings.Cut(path, linkPath); ok {
		return l.readLink(rest)
	}
	if _, rest, ok := strings.Cut(path, pixelPath); ok {
		return l.verify("", rest)
	}
	return token{}, errToken
}

// readLink takes a target as it was written, or as a proxy leaves it that undoes escapes on the way.
func (l *Links) readLink(rest string) (token, error) {
	at := strings.LastIndexByte(rest, '/')
	if at < 0 {
		return token{}, errToken
	}
	if at = strings.LastIndexByte(rest[:at], '/'); at <= 0 {
		return token{}, errToken
	}
	escaped, proof := rest[:at], rest[at+1:]
	if target, err := url.PathUnescape(escaped); err == nil && target != "" {
		if t, err := l.verify(target, proof); err == nil {
			return t, nil
		}
	}
	return l.verify(escaped, proof)
}

// verify reads PACKED/MAC.
func (l *Links) verify(target, proof string) (token, error) {
	first, second, ok := strings.Cut(proof, "/")
	packed, err := encoding.Strict().DecodeString(first)
	if !ok || err != nil {
		return token{}, errToken
	}
	mac, err := encoding.Strict().DecodeString(second)
	if err != nil || !hmac.Equal(mac, sign(hmac.New(sha256.New, l.secret), target, packed)) {
		return token{}, errToken
	}
	t := token{target: target}
	if t.id, t.tags, err = unpack(packed); err != nil {
		return token{}, err
	}
	return t, nil
}

// parseTags reads the tags of a link: "k:v;k2:v2;". What is no pair is left out; nil = there are none.
// Source: SES Developer Guide, "Email sending metrics FAQs", "Can I tag links".
func parseTags(s string) map[string][]string {
	var all map[string][]string
	for pair := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(pair, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			continue
		}
		if all == nil {
			all = map[string][]string{}
		}
		all[name] = append(all[name], value)
	}
	return all
}
