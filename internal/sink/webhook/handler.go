package webhook

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"

	"tidings/internal/arn"
)

// The answers of SNS. Source: Amazon SNS API Reference, ConfirmSubscription, Unsubscribe and
// "Common Errors".
type (
	confirmSubscriptionResponse struct {
		XMLName      xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ ConfirmSubscriptionResponse"`
		Subscription string   `xml:"ConfirmSubscriptionResult>SubscriptionArn"`
		RequestID    string   `xml:"ResponseMetadata>RequestId"`
	}
	unsubscribeResponse struct {
		XMLName   xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ UnsubscribeResponse"`
		RequestID string   `xml:"ResponseMetadata>RequestId"`
	}
	errorResponse struct {
		XMLName   xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
)

// Handler serves what SNS messages point to, below /sns/: the certificates, SubscribeURL
// and UnsubscribeURL. It needs no authentication: the URLs hold tokens.
func (t *Topics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sns/confirm", t.serveConfirm)
	mux.HandleFunc("GET /sns/unsubscribe", t.serveUnsubscribe)
	mux.HandleFunc("HEAD /sns/confirm", refuseHead)
	mux.HandleFunc("HEAD /sns/unsubscribe", refuseHead)
	mux.HandleFunc("GET /sns/{file}", t.serveCertificate)
	return mux
}

// refuseHead keeps HEAD, which promises to change nothing, from being taken for GET.
func refuseHead(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", http.MethodGet)
	w.WriteHeader(http.StatusMethodNotAllowed)
}

func (t *Topics) serveCertificate(w http.ResponseWriter, r *http.Request) {
	s := t.signing.Load()
	if s == nil {
		http.NotFound(w, r)
		return
	}
	file, ok := s.files()[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Cache-Control", "public, max-age=86400") // its name is a hash of it
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(file) // the client is gone, or it is not
}

func (t *Topics) serveConfirm(w http.ResponseWriter, r *http.Request) {
	topic, token := r.URL.Query().Get("TopicArn"), r.URL.Query().Get("Token")
	if _, err := arn.Parse(topic); err != nil {
		t.refuse(w, "TopicArn")
		return
	}
	id, ok := tokenID(token)
	if !ok {
		t.refuse(w, "Token")
		return
	}
	s := t.acquire(id)
	defer t.release(s)
	if err := s.confirm(r.Context(), topic, token); err != nil {
		t.fail(w, err)
		return
	}
	subscription := subscriptionARN(topic, id)
	t.log.Info("subscription is confirmed", "subscription", subscription)
	if f := t.confirmed.Load(); f != nil {
		(*f)(topic)
	}
	writeXML(w, http.StatusOK, &confirmSubscriptionResponse{Subscription: subscription, RequestID: requestID()})
}

func (t *Topics) serveUnsubscribe(w http.ResponseWriter, r *http.Request) {
	subscription, token := r.URL.Query().Get("SubscriptionArn"), r.URL.Query().Get("Token")
	signer := t.signing.Load()
	if signer == nil || subtle.ConstantTimeCompare([]byte(token), []byte(signer.unsubscribeToken(subscription))) != 1 {
		t.refuse(w, "Token")
		return
	}
	// The token is of this very ARN, so we made it: a topic, a colon and a UUID.
	colon := strings.LastIndexByte(subscription, ':')
	s := t.acquire(strings.ReplaceAll(subscription[colon+1:], "-", ""))
	defer t.release(s)
	s.of(subscription[:colon])
	if err := s.unsubscribe(r.Context()); err != nil {
		t.fail(w, err)
		return
	}
	t.log.Info("endpoint has unsubscribed", "subscription", subscription)
	s.farewell()
	writeXML(w, http.StatusOK, &unsubscribeResponse{RequestID: requestID()})
}

// tokenID returns the ID of the subscription that a token says it is of.
func tokenID(token string) (id string, ok bool) {
	const digits = 32
	if len(token) != digits+2*tokenBytes {
		return "", false
	}
	if _, err := hex.DecodeString(token); err != nil || strings.ToLower(token) != token {
		return "", false
	}
	return token[:digits], true
}

// refuse says that a parameter is wrong, in the words of SNS.
func (t *Topics) refuse(w http.ResponseWriter, parameter string) {
	writeXML(w, http.StatusBadRequest, &errorResponse{
		Type: "Sender", Code: "InvalidParameter", Message: "Invalid parameter: " + parameter, RequestID: requestID(),
	})
}

func (t *Topics) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, errToken) {
		t.refuse(w, "Token")
		return
	}
	if !errors.Is(err, context.Canceled) {
		t.log.Error("subscription cannot be changed", "error", err)
	}
	writeXML(w, http.StatusInternalServerError, &errorResponse{
		Type: "Receiver", Code: "InternalError", Message: "The subscription cannot be changed now. Try again later.", RequestID: requestID(),
	})
}

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.MarshalIndent(v, "", "  ")
	if err != nil { // cannot be: strings
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone, or it is not
}
