package sink

import (
	"fmt"
	"strings"

	"tidings/internal/arn"
)

// Pattern matches ARNs. It has the form of an ARN in which each part may hold stars; a
// star stands for any characters, also for none, of its own part. In the last part, the
// resource, that includes colons and slashes. "*" alone matches every ARN.
type Pattern struct {
	text  string
	parts []string // nil = everything
}

// ParsePattern reads a pattern such as "arn:aws:sns:*:*:alerts-*".
func ParsePattern(s string) (Pattern, error) {
	if s == "*" {
		return Pattern{text: s}, nil
	}
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return Pattern{}, fmt.Errorf("pattern %q: want arn:partition:service:region:account:resource with stars, or *", s)
	}
	for _, part := range []int{1, 2, 5} { // IAM has ARNs without region; none is without these
		if parts[part] == "" {
			return Pattern{}, fmt.Errorf("pattern %q: part %d is empty and would match nothing", s, part+1)
		}
	}
	return Pattern{text: s, parts: parts[1:]}, nil
}

// String prints the pattern as it was read.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern covers a. A log group matches with and without the
// ":*" that many tools print behind it.
func (p Pattern) Match(a arn.ARN) bool {
	if p.parts == nil {
		return true
	}
	for i, s := range []string{a.Partition, a.Service, a.Region, a.Account} {
		if !glob(p.parts[i], s) {
			return false
		}
	}
	resource := p.parts[4]
	if glob(resource, a.Resource) {
		return true
	}
	return a.Service == "logs" && glob(resource, strings.TrimSuffix(a.Resource, ":*")+":*")
}

// glob matches s against a pattern of literal characters and stars, in time proportional
// to their product at worst.
func glob(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for {
		piece, behind, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, piece)
		}
		i := strings.Index(s, piece) // the leftmost place leaves most for what follows
		if i < 0 {
			return false
		}
		s, rest = s[i+len(piece):], behind
	}
}

// Service returns the service that the pattern names; false = any.
func (p Pattern) Service() (string, bool) {
	if p.parts == nil || strings.Contains(p.parts[1], "*") {
		return "", false
	}
	return p.parts[1], true
}

// Covers reports whether everything that q matches is matched by p, as far as that can be
// told part by part.
func (p Pattern) Covers(q Pattern) bool {
	if p.parts == nil {
		return true
	}
	for i := range p.parts {
		if q.parts == nil || !glob(p.parts[i], q.parts[i]) { // no literal matches a star of q
			return false
		}
	}
	return true
}
