package file

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"

	"tidings/internal/sink"
)

// maxElement bounds one element of a path in bytes. File systems take 255.
const maxElement = 200

// Folder returns where the records of the target are, as a slash-separated path below the
// driver's directory: service/region/account/name. Whatever the ARN holds, the path has
// these four elements and stays below the directory. ARNs that differ in one of the four
// have different folders.
func Folder(t sink.Target) string {
	return path.Join(element(t.ARN.Service), element(t.ARN.Region), element(t.ARN.Account), element(name(t)))
}

// name is the part of the ARN's resource that tells one target from another.
func name(t sink.Target) string {
	resource := t.ARN.Resource
	switch t.ARN.Service {
	case "logs":
		resource = strings.TrimSuffix(strings.TrimPrefix(resource, "log-group:"), ":*")
	case "firehose":
		resource = strings.TrimPrefix(resource, "deliverystream/")
	case "kinesis":
		resource = strings.TrimPrefix(resource, "stream/")
	}
	return resource
}

// element makes one legal, visible path element of s. Letters, digits, hyphen, underscore
// and, behind the first place, the dot stand for themselves, all other bytes become %XX.
// What gets too long is cut and ends in a hash behind a tilde, which nothing else
// produces.
func element(s string) string {
	if s == "" {
		return "~"
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	if b.Len() <= maxElement {
		return b.String()
	}
	sum := sha256.Sum256([]byte(s))
	hash := "~" + hex.EncodeToString(sum[:16])
	return b.String()[:maxElement-len(hash)] + hash
}
