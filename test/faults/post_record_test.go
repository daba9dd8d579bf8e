package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Types of events, as records spell them.
const (
	mailSend      = "Send"
	mailDelivery  = "Delivery"
	mailBounce    = "Bounce"
	mailComplaint = "Complaint"
	mailReject    = "Reject"
	mailFailure   = "Rendering Failure"
)

// wantedEnd is the type of the final event of a recipient.
func wantedEnd(kind mailKind, fate string) string {
	switch {
	case kind == infected:
		return mailReject
	case kind == unrenderable:
		return mailFailure
	case fate == fateBounced:
		return mailBounce
	}
	return mailDelivery
}

// mailRecord is what the oracle reads of a record.
type mailRecord struct {
	EventType string `json:"eventType"`
	Mail      struct {
		MessageID   string   `json:"messageId"`
		Destination []string `json:"destination"`
	} `json:"mail"`
	Delivery struct {
		Recipients           []string `json:"recipients"`
		ProcessingTimeMillis int64    `json:"processingTimeMillis"`
	} `json:"delivery"`
	Bounce struct {
		BounceSubType     string   `json:"bounceSubType"`
		BouncedRecipients []person `json:"bouncedRecipients"`
	} `json:"bounce"`
	Complaint struct {
		ComplainedRecipients []person `json:"complainedRecipients"`
	} `json:"complaint"`

	serial int
}

type person struct {
	EmailAddress string `json:"emailAddress"`
}

func addresses(all []person) []string {
	list := make([]string, len(all))
	for i := range all {
		list[i] = all[i].EmailAddress
	}
	return list
}

func parseMailRecord(text []byte) (*mailRecord, error) {
	var r mailRecord
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&r); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("something follows the object")
	}
	if len(r.Mail.Destination) == 0 || r.Mail.MessageID == "" {
		return nil, fmt.Errorf("destination or messageId is missing")
	}
	var ok bool
	if _, r.serial, _, ok = parseAddress(r.Mail.Destination[0]); !ok {
		return nil, fmt.Errorf("%q is no recipient that was asked for", r.Mail.Destination[0])
	}
	return &r, nil
}

// final returns whom the event is the end for; none if it is not a final one.
func (r *mailRecord) final() []string {
	switch r.EventType {
	case mailDelivery:
		return r.Delivery.Recipients
	case mailReject, mailFailure:
		return r.Mail.Destination
	case mailBounce:
		return addresses(r.Bounce.BouncedRecipients)
	}
	return nil
}
