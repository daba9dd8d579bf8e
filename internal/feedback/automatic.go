package feedback

import (
	"mime"
	"regexp"
	"strings"
)

// isAutomatic reports whether a program has written the message by itself.
func isAutomatic(f Fields) bool {
	// RFC 3834 5: whatever is not "no"; parameters may follow.
	if word, _, _ := strings.Cut(f.Get("Auto-Submitted"), ";"); word != "" && !strings.EqualFold(strings.TrimSpace(word), "no") {
		return true
	}
	// What programs older than that RFC write, and some to this day.
	switch strings.ToLower(f.Get("Precedence")) {
	case "auto_reply", "auto-reply", "bulk", "junk", "list":
		return true
	}
	for _, name := range []string{"X-Autoreply", "X-Autorespond", "X-Auto-Reply", "X-Mail-Autoreply", "X-Vacation"} {
		if f.Get(name) != "" {
			return true
		}
	}
	return false
}

// away are the subjects of programs that answer for people, in the words of the most common ones.
var away = regexp.MustCompile(`(?i)^\s*(out of (the )?office|automatic reply|auto(matic)?[ -]?(reply|response|responder)|auto:|vacation|abwesenheits|automatische antwort|réponse automatique|respuesta automática|risposta automatica)`)

func saysAway(subject string) bool {
	if decoded, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
		subject = decoded
	}
	return away.MatchString(subject)
}

// isReceipt reports whether somebody's program says that the message was read (RFC 8098).
func isReceipt(message part, leaves []part) bool {
	if message.kind == "multipart/report" && strings.EqualFold(message.params["report-type"], "disposition-notification") {
		return true
	}
	for _, p := range leaves {
		if p.kind == "message/disposition-notification" || p.kind == "message/global-disposition-notification" {
			return true
		}
	}
	return false
}
