package mailstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"tidings/internal/email"
	"tidings/internal/event"
	"tidings/internal/tenant"
)

// What lies on the disk are CBOR maps (RFC 8949) with small integers for keys. A number is never given a second meaning.

// headRecord is a message. In front of it stands when the message was accepted: eight bytes, Unix milliseconds, big-endian.
type headRecord struct {
	Version    int                  `cbor:"0,keyasint"`
	Account    string               `cbor:"1,keyasint"`
	Region     string               `cbor:"2,keyasint"`
	Source     string               `cbor:"3,keyasint,omitempty"`
	SourceARN  string               `cbor:"4,keyasint,omitempty"`
	Sender     string               `cbor:"5,keyasint,omitempty"`
	ReturnPath string               `cbor:"6,keyasint,omitempty"`
	Recipients []string             `cbor:"7,keyasint,omitempty"`
	Set        string               `cbor:"8,keyasint,omitempty"`
	Tags       map[string][]string  `cbor:"9,keyasint,omitempty"`
	Headers    []headerRecord       `cbor:"10,keyasint,omitempty"`
	Truncated  bool                 `cbor:"11,keyasint,omitempty"`
	Common     *commonHeadersRecord `cbor:"12,keyasint,omitempty"`
	Template   string               `cbor:"13,keyasint,omitempty"`
	Failure    string               `cbor:"14,keyasint,omitempty"`
	Size       int                  `cbor:"15,keyasint,omitempty"`
	Brief      bool                 `cbor:"16,keyasint,omitempty"` // the whole message lies with the body
}

type headerRecord struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}

type commonHeadersRecord struct {
	From       []string `cbor:"1,keyasint,omitempty"`
	Sender     []string `cbor:"2,keyasint,omitempty"`
	ReplyTo    []string `cbor:"3,keyasint,omitempty"`
	To         []string `cbor:"4,keyasint,omitempty"`
	Cc         []string `cbor:"5,keyasint,omitempty"`
	Bcc        []string `cbor:"6,keyasint,omitempty"`
	ReturnPath string   `cbor:"7,keyasint,omitempty"`
	Date       string   `cbor:"8,keyasint,omitempty"`
	Subject    string   `cbor:"9,keyasint,omitempty"`
	MessageID  string   `cbor:"10,keyasint,omitempty"`
}

// recordVersion is the version of all records. A later one is refused, so that an older program never writes back what it has
// understood only in part.
const recordVersion = 1

// acceptedLength is how long the time in front of a head is.
const acceptedLength = 8

// encodeHead makes the record of a message; a brief one has only what is needed to tell who bounced.
func encodeHead(m *email.Message, brief bool) ([]byte, error) {
	r := headRecord{
		Version: recordVersion, Account: m.Tenant.Account, Region: m.Tenant.Region, Source: m.Source, SourceARN: m.SourceARN,
		Sender: m.Sender, ReturnPath: m.ReturnPath, Recipients: m.Recipients, Set: m.Set, Failure: m.Failure, Size: m.Size, Brief: brief,
	}
	if !brief {
		r.Tags, r.Truncated, r.Template = m.Tags, m.HeadersTruncated, m.Template
		r.Common = new(commonHeadersRecord(m.Common))
		if len(m.Headers) > 0 {
			r.Headers = make([]headerRecord, len(m.Headers))
			for i, h := range m.Headers {
				r.Headers[i] = headerRecord{Name: h.Name, Value: h.Value}
			}
		}
	}
	b, err := cbor.Marshal(&r)
	if err != nil {
		return nil, fmt.Errorf("encode mail %s: %w", m.ID, err)
	}
	head := make([]byte, 0, acceptedLength+len(b))
	head = binary.BigEndian.AppendUint64(head, uint64(m.Accepted.UnixMilli()))
	return append(head, b...), nil
}

// decodeHead reads a message. Nothing of it lies in the value afterwards, which is a part of the file and becomes another with the next
// change.
func decodeHead(id string, value []byte) (m email.Message, brief bool, err error) {
	if len(value) < acceptedLength {
		return m, false, fmt.Errorf("decode mail %s: its head has only %d bytes", id, len(value))
	}
	var r headRecord
	if err := cbor.Unmarshal(value[acceptedLength:], &r); err != nil {
		return m, false, fmt.Errorf("decode mail %s: %w", id, err)
	}
	if r.Version != recordVersion {
		return m, false, fmt.Errorf("decode mail %s: its head has version %d, this program knows %d", id, r.Version, recordVersion)
	}
	m = email.Message{
		ID: id, Tenant: tenant.Tenant{Account: r.Account, Region: r.Region}, Accepted: time.UnixMilli(acceptedOf(value)).UTC(), Source: r.Source,
		SourceARN: r.SourceARN, Sender: r.Sender, ReturnPath: r.ReturnPath, Recipients: r.Recipients, Set: r.Set, Tags: r.Tags,
		HeadersTruncated: r.Truncated, Template: r.Template, Failure: r.Failure, Size: r.Size,
	}
	if r.Common != nil {
		m.Common = email.CommonHeaders(*r.Common)
	}
	if len(r.Headers) > 0 {
		m.Headers = make([]email.Header, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = email.Header{Name: h.Name, Value: h.Value}
		}
	}
	return m, r.Brief, nil
}

// acceptedOf returns when a message was accepted, in Unix milliseconds; 0 = the head does not say.
func acceptedOf(head []byte) int64 {
	if len(head) < acceptedLength {
		return 0
	}
	return int64(binary.BigEndian.Uint64(head))
}

// The body of a message with a brief head begins with the length of the whole head, four bytes, big-endian, and the head.
const lengthOfLength = 4

func joinBody(m *email.Message, raw []byte) ([]byte, error) {
	head, err := encodeHead(m, false)
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, lengthOfLength+len(head)+len(raw))
	body = binary.BigEndian.AppendUint32(body, uint32(len(head)))
	return append(append(body, head...), raw...), nil
}

// splitBody undoes joinBody. The content lies in body.
func splitBody(id string, body []byte) (m email.Message, raw []byte, err error) {
	if len(body) >= lengthOfLength {
		n := int64(binary.BigEndian.Uint32(body))
		if body = body[lengthOfLength:]; n <= int64(len(body)) {
			m, _, err = decodeHead(id, body[:n])
			return m, body[n:], err
		}
	}
	return m, nil, fmt.Errorf("the body of mail %s is cut short", id)
}

type stateRecord struct {
	Version  int             `cbor:"0,keyasint"`
	Open     []int           `cbor:"1,keyasint,omitempty"`
	Attempts int             `cbor:"2,keyasint,omitempty"`
	Due      int64           `cbor:"3,keyasint,omitempty"` // Unix nanoseconds; 0 = not set
	Serial   int             `cbor:"4,keyasint,omitempty"`
	Outcomes []outcomeRecord `cbor:"5,keyasint,omitempty"`
	Last     *replyRecord    `cbor:"6,keyasint,omitempty"`
}

type outcomeRecord struct {
	Serial int         `cbor:"1,keyasint"`
	Type   string      `cbor:"2,keyasint"`
	At     int64       `cbor:"3,keyasint"` // Unix milliseconds
	Reply  replyRecord `cbor:"4,keyasint"`
	Reason string      `cbor:"5,keyasint,omitempty"`
}

type replyRecord struct {
	Recipients    []int            `cbor:"1,keyasint,omitempty"`
	Verdict       int              `cbor:"2,keyasint,omitempty"`
	Code          int              `cbor:"3,keyasint,omitempty"`
	Enhanced      string           `cbor:"4,keyasint,omitempty"`
	Text          string           `cbor:"5,keyasint,omitempty"`
	Host          string           `cbor:"6,keyasint,omitempty"`
	RemoteIP      string           `cbor:"7,keyasint,omitempty"`
	LocalIP       string           `cbor:"8,keyasint,omitempty"`
	TLS           string           `cbor:"9,keyasint,omitempty"`
	BounceType    string           `cbor:"10,keyasint,omitempty"`
	BounceSubType string           `cbor:"11,keyasint,omitempty"`
	Complaint     *complaintRecord `cbor:"12,keyasint,omitempty"`
}

type complaintRecord struct {
	Recipients []string `cbor:"1,keyasint,omitempty"`
	SubType    string   `cbor:"2,keyasint,omitempty"`
	UserAgent  string   `cbor:"3,keyasint,omitempty"`
	Type       string   `cbor:"4,keyasint,omitempty"`
	FeedbackID string   `cbor:"5,keyasint,omitempty"`
	Arrived    int64    `cbor:"6,keyasint,omitempty"` // Unix nanoseconds; 0 = not set
}

func encodeState(s *email.State) ([]byte, error) {
	r := stateRecord{Version: recordVersion, Open: s.Open, Attempts: s.Attempts, Due: nanoseconds(s.Due), Serial: s.Serial}
	for i := range s.Outcomes {
		o := &s.Outcomes[i]
		r.Outcomes = append(r.Outcomes, outcomeRecord{
			Serial: o.Serial, Type: string(o.Type), At: o.At.UnixMilli(), Reply: recordOfReply(&o.Reply), Reason: o.Reason,
		})
	}
	if s.Last.Verdict != 0 || s.Last.Text != "" || len(s.Last.Recipients) > 0 {
		r.Last = new(recordOfReply(&s.Last))
	}
	b, err := cbor.Marshal(&r)
	if err != nil {
		return nil, fmt.Errorf("encode the state of a mail: %w", err)
	}
	return b, nil
}

// decodeState reads a state; without a value that of a new message, which has all recipients open.
func decodeState(value []byte, recipients int) (s email.State, err error) {
	if value == nil {
		for i := range recipients {
			s.Open = append(s.Open, i)
		}
		return s, nil
	}
	var r stateRecord
	if err := cbor.Unmarshal(value, &r); err != nil {
		return s, fmt.Errorf("decode the state of a mail: %w", err)
	}
	if r.Version != recordVersion {
		return s, fmt.Errorf("decode the state of a mail: its record has version %d, this program knows %d", r.Version, recordVersion)
	}
	s = email.State{Open: r.Open, Attempts: r.Attempts, Due: timeOf(r.Due), Serial: r.Serial}
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		s.Outcomes = append(s.Outcomes, email.Outcome{
			Serial: o.Serial, Type: event.Type(o.Type), At: time.UnixMilli(o.At).UTC(), Reply: o.Reply.reply(), Reason: o.Reason,
		})
	}
	if r.Last != nil {
		s.Last = r.Last.reply()
	}
	return s, nil
}

// dueOf returns when the mail with this state is due, in Unix milliseconds; 0 = the state does not say.
func dueOf(state []byte) (int64, error) {
	var r struct {
		Due int64 `cbor:"3,keyasint"`
	}
	if err := cbor.Unmarshal(state, &r); err != nil {
		return 0, fmt.Errorf("decode the state of a mail: %w", err)
	}
	return milliseconds(timeOf(r.Due)), nil
}

func recordOfReply(r *email.Reply) replyRecord {
	record := replyRecord{
		Recipients: r.Recipients, Verdict: int(r.Verdict), Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Host: r.Host, RemoteIP: r.RemoteIP,
		LocalIP: r.LocalIP, TLS: r.TLS, BounceType: r.Bounce.Type, BounceSubType: r.Bounce.SubType,
	}
	if c := r.Complaint; c != nil {
		record.Complaint = &complaintRecord{
			Recipients: c.Recipients, SubType: c.SubType, UserAgent: c.UserAgent, Type: c.Type, FeedbackID: c.FeedbackID, Arrived: nanoseconds(c.Arrived),
		}
	}
	return record
}

func (r *replyRecord) reply() email.Reply {
	reply := email.Reply{
		Recipients: r.Recipients, Verdict: email.Verdict(r.Verdict), Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Host: r.Host,
		RemoteIP: r.RemoteIP, LocalIP: r.LocalIP, TLS: r.TLS, Bounce: email.BounceType{Type: r.BounceType, SubType: r.BounceSubType},
	}
	if c := r.Complaint; c != nil {
		reply.Complaint = &email.Complaint{
			Recipients: c.Recipients, SubType: c.SubType, UserAgent: c.UserAgent, Type: c.Type, FeedbackID: c.FeedbackID, Arrived: timeOf(c.Arrived),
		}
	}
	return reply
}

// nanoseconds returns Unix nanoseconds; 0 for the zero time.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOf(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}

// milliseconds returns the first Unix millisecond that is not before t; 0 for the zero time.
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Add(time.Millisecond - 1).UnixMilli()
}
