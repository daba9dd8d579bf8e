package email

// The objects that stand beside mail in the records of SES.
// Source: SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS".

func sesSend(w *recordWriter, _ Recorder, _ *Message, _ *happening) {
	w.object("send")
	w.close()
}

func sesDelivery(w *recordWriter, r Recorder, m *Message, h *happening) {
	w.object("delivery")
	w.time("timestamp", h.at)
	w.integer("processingTimeMillis", h.at.Sub(m.Accepted).Milliseconds())
	w.texts("recipients", h.recipients)
	w.text("smtpResponse", h.reply.Text)
	w.given("remoteMtaIp", h.reply.RemoteIP)
	w.text("reportingMTA", r.host())
	w.close()
}

func sesBounce(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	b := h.bounce
	w.object("bounce")
	w.text("bounceType", b.Type)
	w.text("bounceSubType", b.SubType)
	w.list("bouncedRecipients")
	for _, address := range h.recipients {
		w.open()
		w.text("emailAddress", address)
		w.given("action", b.action)
		w.given("status", b.status)
		w.given("diagnosticCode", b.diagnostic)
		w.close()
	}
	w.closeList()
	w.time("timestamp", h.at)
	w.text("feedbackId", feedbackID(h))
	if b.reporter != "" {
		w.text("reportingMTA", "dsn; "+b.reporter)
	}
	w.close()
}

func sesComplaint(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	c := h.complaint
	w.object("complaint")
	w.addresses("complainedRecipients", "emailAddress", h.recipients)
	w.time("timestamp", h.at)
	w.text("feedbackId", feedbackID(h))
	if c.SubType == "" {
		w.null("complaintSubType")
	} else {
		w.text("complaintSubType", c.SubType)
	}
	w.given("userAgent", c.UserAgent)
	w.given("complaintFeedbackType", c.Type)
	if !c.Arrived.IsZero() {
		w.time("arrivalDate", c.Arrived)
	}
	w.close()
}

func sesReject(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	w.object("reject")
	w.text("reason", h.reason)
	w.close()
}

func sesOpen(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	w.object("open")
	w.text("ipAddress", h.visit.IP)
	w.time("timestamp", h.at)
	w.text("userAgent", h.visit.UserAgent)
	w.close()
}

func sesClick(w *recordWriter, _ Recorder, _ *Message, h *happening) {
	w.object("click")
	w.text("ipAddress", h.visit.IP)
	w.text("link", h.visit.link)
	if len(h.visit.tags) == 0 {
		w.null("linkTags")
	} else {
		w.lists("linkTags", h.visit.tags)
	}
	w.time("timestamp", h.at)
	w.text("userAgent", h.visit.UserAgent)
	w.close()
}

func sesFailure(w *recordWriter, _ Recorder, m *Message, _ *happening) {
	w.object("failure")
	w.text("errorMessage", m.Failure)
	w.text("templateName", m.Template)
	w.close()
}

// addresses writes a list of objects with one member each.
func (w *recordWriter) addresses(key, member string, all []string) {
	w.list(key)
	for _, address := range all {
		w.open()
		w.text(member, address)
		w.close()
	}
	w.closeList()
}
