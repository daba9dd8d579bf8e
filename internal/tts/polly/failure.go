package polly

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/service/polly"
	"github.com/aws/smithy-go"

	"tidings/internal/fault"
)

// What the service says, as codes.
// Source: Amazon Polly API Reference, "SynthesizeSpeech", Errors, and "Common Errors".
var (
	throttledCodes = []string{"ThrottlingException", "Throttling", "TooManyRequestsException", "ServiceQuotaExceededException"}
	refusedCodes   = []string{
		"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidSignatureException",
		"ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId", "IncompleteSignature", "MissingAuthenticationToken", "OptInRequired",
	}
)

// explain says what went wrong: to the client as fault.Invalid if another message would
// help, and else to the operator.
func (e *Engine) explain(err error, in *polly.SynthesizeSpeechInput) error {
	what := fmt.Sprintf("amazon polly in %s with voice %s", e.options.Region, in.VoiceId)
	said, ok := errors.AsType[smithy.APIError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: stopped after %v at the most: %w", what, e.options.Timeout, err)
	case !ok:
		return fmt.Errorf("%s: %w", what, err)
	}
	if f := faultOf(said, in); f != nil {
		f.Err = fmt.Errorf("%s: %w", what, err)
		return f
	}
	switch {
	case slices.Contains(throttledCodes, said.ErrorCode()):
		return fmt.Errorf("%s: more requests than the quota of the account allows: %w", what, err)
	case slices.Contains(refusedCodes, said.ErrorCode()):
		return fmt.Errorf("%s: the credentials of the server may not do this; it needs polly:SynthesizeSpeech: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// faultOf is what the client is told; nil = nothing, since it could not mend it.
func faultOf(said smithy.APIError, in *polly.SynthesizeSpeechInput) *fault.Error {
	switch {
	case said.ErrorCode() == "TextLengthExceededException":
		return fault.New(fault.Invalid, fault.VoiceMessage, "The text is longer than Amazon Polly, which this server speaks with, takes.")
	case said.ErrorCode() == "InvalidSsmlException":
		return fault.New(fault.Invalid, fault.VoiceMessage,
			"Amazon Polly does not take the SSML with voice %s and engine %s: %s", in.VoiceId, in.Engine, shorten(said.ErrorMessage()))
	case said.ErrorCode() == "LanguageNotSupportedException":
		return fault.New(fault.Invalid, fault.VoiceMessage,
			"Voice %s of Amazon Polly does not speak the language: %s", in.VoiceId, shorten(said.ErrorMessage()))
	case lacksEngine(said):
		return fault.New(fault.Invalid, fault.VoiceMessage,
			"Voice %s does not exist with Amazon Polly's engine %s, which this server uses. Choose another voice.", in.VoiceId, in.Engine)
	}
	return nil
}

// lacksEngine reports whether a voice does not exist with the engine that was asked for.
// The reference has an exception of its own for that; the service says it as a
// ValidationException, too.
func lacksEngine(err error) bool {
	said, ok := errors.AsType[smithy.APIError](err)
	return ok && (said.ErrorCode() == "EngineNotSupportedException" ||
		said.ErrorCode() == "ValidationException" && strings.Contains(said.ErrorMessage(), "does not support the selected engine"))
}

// shorten puts what the service says on one line and cuts it.
func shorten(text string) string {
	const most = 200
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
