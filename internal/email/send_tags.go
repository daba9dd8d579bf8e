package email

import (
	"strings"

	"tidings/internal/fault"
)

// The limits of a message's tags. SES takes 255 characters, although its API Reference says 256; how many tags it takes is not
// known, and ours is what keeps events readable.
const (
	maxMessageTag  = 255
	maxMessageTags = 50
)

// The tags that SES adds to each message.
// Source: SES Developer Guide, "Monitoring email sending using event publishing", auto-tags.
const (
	tagOperation = "ses:operation"
	tagSet       = "ses:configuration-set"
	tagSourceIP  = "ses:source-ip"
	tagDomain    = "ses:from-domain"
	tagCaller    = "ses:caller-identity"
	tagSourceTLS = "ses:source-tls-version"
)

// The only tags of SES that a client may set. Source: SES Developer Guide, "Complaint feedback loops", feedback ID.
const (
	tagFeedbackA = "ses:feedback-id-a"
	tagFeedbackB = "ses:feedback-id-b"
)

// checkMessageTags holds tags to the rules, in the order and the words of SES.
func checkMessageTags(tags []Tag) error {
	if len(tags) > maxMessageTags {
		return badTag("A message has at most %d tags.", maxMessageTags)
	}
	for _, tag := range tags {
		switch {
		case tag.Name == "":
			return badTag("The tag name must be specified.")
		case len(tag.Name) > maxMessageTag:
			return badTag("Tag name cannot exceed %d characters.", maxMessageTag)
		case tag.Name != tagFeedbackA && tag.Name != tagFeedbackB && !isTagText(tag.Name, "_-"):
			return badTag("Invalid tag name <%s>: only alphanumeric ASCII characters, '_',  '-' are allowed.", tag.Name)
		case tag.Value == "":
			return badTag("The tag value must be specified.")
		case len(tag.Value) > maxMessageTag:
			return badTag("Tag value cannot exceed %d characters.", maxMessageTag)
		case !isTagText(tag.Value, "_-.@"):
			return badTag("Invalid tag value <%s>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed.", tag.Value)
		}
	}
	return nil
}

// isTagText reports whether s has only letters and digits of ASCII, and characters of more.
func isTagText(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}

func badTag(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EmailParameter, format, args...)
}

// parseTags reads the header field X-SES-MESSAGE-TAGS: "a=b, c=d".
// Source: SES Developer Guide, "Send email using Amazon SES event publishing".
func parseTags(field string) []Tag {
	var all []Tag
	for pair := range strings.SplitSeq(field, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, Tag{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return all
}

// allTags returns the tags of a message: the client's and the automatic ones.
func allTags(r *Request, set, domain string) map[string][]string {
	tags := make(map[string][]string, len(r.Tags)+6)
	for _, tag := range r.Tags {
		tags[tag.Name] = append(tags[tag.Name], tag.Value)
	}
	for _, tag := range [...]Tag{
		{tagOperation, r.Operation},
		{tagSet, set},
		{tagSourceIP, r.Origin.IP},
		{tagDomain, domain},
		{tagCaller, r.Origin.Caller},
		{tagSourceTLS, r.Origin.TLS},
	} {
		if tag.Value != "" {
			tags[tag.Name] = []string{tag.Value}
		}
	}
	return tags
}
