package smsvoice

import (
	"context"

	"tidings/internal/fault"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

const sendVoiceMessage = "SendVoiceMessage"

func (a *API) sendMessage(ctx context.Context, t tenant.Tenant, in *sendMessageInput) (*sendMessageOutput, error) {
	content, err := in.Content.domain()
	if err != nil {
		return nil, err
	}
	id, err := a.config.Voice.Send(ctx, t, voice.Request{
		Destination: in.DestinationPhoneNumber,
		Origination: in.OriginationPhoneNumber,
		CallerID:    in.CallerId,
		Set:         in.ConfigurationSetName,
		Content:     content,
	})
	if err != nil {
		return nil, err
	}
	return &sendMessageOutput{MessageId: id}, nil
}

// domain is the one content object that the client gave. It fails with fault.Invalid if
// there is none, or more than one.
func (w *voiceMessageContent) domain() (voice.Content, error) {
	var given []voice.Content
	if w != nil && w.CallInstructionsMessage != nil {
		given = append(given, voice.Content{Kind: voice.CallInstructions, Text: w.CallInstructionsMessage.Text})
	}
	if w != nil && w.PlainTextMessage != nil {
		m := w.PlainTextMessage
		given = append(given, voice.Content{Kind: voice.PlainText, Text: m.Text, Language: m.LanguageCode, Voice: m.VoiceId})
	}
	if w != nil && w.SSMLMessage != nil {
		m := w.SSMLMessage
		given = append(given, voice.Content{Kind: voice.SSML, Text: m.Text, Language: m.LanguageCode, Voice: m.VoiceId})
	}
	if len(given) != 1 {
		return voice.Content{}, fault.New(fault.Invalid, fault.VoiceMessage,
			"Content must have exactly one of CallInstructionsMessage, PlainTextMessage and SSMLMessage, not %d.", len(given))
	}
	return given[0], nil
}
