package voice

import (
	"errors"
	"log/slog"
	"strings"
	"unicode/utf8"

	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/ssml"
)

// mostCharacters bounds a text where no limit does, so that one message cannot keep a
// speech engine busy for hours. It is ours.
const mostCharacters = 100_000

// LogValue tells what kind of content it is, never the text.
func (c Content) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("kind", string(c.Kind)),
		slog.Int("bytes", len(c.Text)),
		slog.String("language", c.Language),
		slog.String("voice", c.Voice),
	)
}

// memberOf names the API's member that holds content of this kind.
var memberOf = map[ContentKind]string{
	PlainText:        "PlainTextMessage",
	SSML:             "SSMLMessage",
	CallInstructions: "CallInstructionsMessage",
}

// checkContent returns the content as it will be spoken: with its voice and language
// found, and call instructions, where they are spoken at all, turned into plain text.
func checkContent(c Content, limits quota.Limits, speakInstructions bool) (Content, error) {
	member, known := memberOf[c.Kind]
	if !known {
		return Content{}, fault.New(fault.Invalid, fault.VoiceMessage,
			"Content must hold exactly one of CallInstructionsMessage, PlainTextMessage and SSMLMessage.")
	}
	if c.Kind == CallInstructions && !speakInstructions {
		return Content{}, fault.New(fault.Invalid, fault.VoiceMessage,
			"CallInstructionsMessage is not supported. Use PlainTextMessage or SSMLMessage.")
	}
	if strings.TrimSpace(c.Text) == "" {
		return Content{}, fault.New(fault.Invalid, fault.VoiceMessage, "Text of %s must not be empty.", member)
	}
	if !utf8.ValidString(c.Text) {
		return Content{}, fault.New(fault.Invalid, fault.VoiceMessage, "Text of %s is not valid UTF-8.", member)
	}
	if c.Kind == CallInstructions {
		c.Kind = PlainText
	}
	if err := checkLength(c, member, limits); err != nil {
		return Content{}, err
	}
	var err error
	c.Voice, c.Language, err = ResolveVoice(c.Voice, c.Language)
	return c, err
}

// checkLength counts characters: of plain text all are billable, of SSML those that are
// spoken. Source: SMS and Voice API Reference, "Service Limits"; Amazon Polly Developer
// Guide, "Quotas".
func checkLength(c Content, member string, limits quota.Limits) error {
	billable := utf8.RuneCountInString(c.Text)
	// Before the document is read: reading costs in proportion to its length.
	if err := checkCharacters(member, "characters", billable, limits.Of(quota.VoiceCharacters)); err != nil {
		return err
	}
	if c.Kind == SSML {
		doc, err := ssml.Parse(c.Text)
		if wrong, ok := errors.AsType[*ssml.Error](err); ok {
			return fault.New(fault.Invalid, fault.VoiceMessage, "Text of %s is not valid SSML: %s", member, sentence(wrong.Error()))
		}
		if err != nil {
			return err
		}
		billable = doc.Billable
	}
	return checkCharacters(member, "billable characters", billable, limits.Of(quota.VoiceBillable))
}

func checkCharacters(member, what string, n int, limit int64) error {
	if limit <= quota.Unlimited || limit > mostCharacters {
		limit = mostCharacters
	}
	if int64(n) > limit {
		return fault.New(fault.Invalid, fault.VoiceMessage, "Text of %s has %d %s. At most %d are allowed.", member, n, what, limit)
	}
	return nil
}

// sentence ends s with a full stop.
func sentence(s string) string {
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
