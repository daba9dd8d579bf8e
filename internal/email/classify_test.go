package email

import "testing"

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ status, text, kind, subtype string }{
		{"5.1.1", "550 5.1.1 user unknown", permanent, "General"},
		{"5.1.10", "null MX", permanent, "General"},
		{"5.0.0", "", permanent, "General"},
		{"5.0.0", "552 Mailbox is FULL", transient, "MailboxFull"},
		{"5.2.0", "", permanent, "General"},
		{"5.2.0", "over quota", transient, "MailboxFull"},
		{"5.2.1", "disabled", permanent, "General"},
		{"5.2.2", "", transient, "MailboxFull"},
		{"5.2.3", "", transient, "MessageTooLarge"},
		{"5.2.4", "", transient, "General"},
		{"5.3.0", "", transient, "General"},
		{"5.3.4", "", transient, "MessageTooLarge"},
		{"5.4.1", "", permanent, "General"},
		{"5.4.4", "no such host", permanent, "General"},
		{"5.4.6", "loop", permanent, "General"},
		{"5.4.7", "expired", transient, "General"},
		{"5.5.0", "", transient, "General"},
		{"5.6.0", "", transient, "ContentRejected"},
		{"5.6.1", "Attachments of this kind are not welcome", transient, "AttachmentRejected"},
		{"5.7.1", "looks like spam", transient, "ContentRejected"},
		{"5.7.1", "attachment refused", transient, "AttachmentRejected"},
		{"5.7.13", "", permanent, "General"},
		{"5.7.17", "", permanent, "General"},
		{"5.7.26", "", transient, "General"},
		{"5.9.9", "", transient, "General"},
		{"4.1.1", "", transient, "General"},
		{"4.2.2", "", transient, "MailboxFull"},
		{"4.4.7", "", transient, "General"},
		{"4.0.0", "message size exceeds the limit", transient, "MessageTooLarge"},
		{"", "mailbox full", transient, "MailboxFull"},
		{"", "go away", undetermined, undetermined},
		{"2.0.0", "", undetermined, undetermined},
		{"5.1", "", undetermined, undetermined},
		{"5.1.1234", "", undetermined, undetermined},
		{"9.1.1", "", undetermined, undetermined},
	} {
		want := BounceType{tt.kind, tt.subtype}
		if got := Classify(tt.status, tt.text); got != want {
			t.Errorf("Classify(%q, %q) = %v, want %v", tt.status, tt.text, got, want)
		}
	}
}

func TestRepliesWithoutAStatusGetOne(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reply  Reply
		status string
		want   BounceType
	}{
		{Reply{Verdict: Refused, Code: 550, Text: "550 no"}, "5.0.0", BounceType{permanent, "General"}},
		{Reply{Verdict: Refused, Code: 552, Text: "552 no"}, "5.2.2", BounceType{transient, "MailboxFull"}},
		{Reply{Verdict: Refused, Code: 553, Text: "553 no"}, "5.1.0", BounceType{permanent, "General"}},
		{Reply{Verdict: Refused, Code: 550, Enhanced: "5.7.1", Text: "550 5.7.1 no"}, "5.7.1", BounceType{transient, "ContentRejected"}},
		{Reply{Verdict: Refused, Text: "no such domain"}, "5.0.0", BounceType{permanent, "General"}},
		{Reply{Verdict: Refused, Bounce: BounceType{permanent, onGlobalList}}, "5.0.0", BounceType{permanent, onGlobalList}},
		{Reply{Verdict: Deferred, Code: 421, Text: "421 later"}, "4.0.0", BounceType{transient, "General"}},
		{Reply{Verdict: Deferred, Text: "no route to host"}, "4.0.0", BounceType{transient, "General"}},
	} {
		if got := statusOf(&tt.reply); got != tt.status {
			t.Errorf("statusOf(%+v) = %q, want %q", tt.reply, got, tt.status)
		}
		if got := bounceTypeOf(&tt.reply); got != tt.want {
			t.Errorf("bounceTypeOf(%+v) = %v, want %v", tt.reply, got, tt.want)
		}
	}
}
