package emailrest

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"tidings/internal/arn"
	"tidings/internal/awsapi"
	"tidings/internal/email"
	"tidings/internal/fault"
)

// The form of what a mail has besides its texts. Line breaks are in none of it.
// Source: SES API v2 Reference, "MessageHeader" and "Attachment".
var (
	headerName  = regexp.MustCompile(`^[!-9;-@A-~]{1,126}$`)
	headerValue = regexp.MustCompile(`^[ -~]{1,995}$`)
)

const (
	longestFileName    = 255
	longestDescription = 1000
	longestPartName    = 78 // of ContentId and ContentType
)

// encodings are the words of ContentTransferEncoding, and what stands in the message for them.
var encodings = awsapi.Words[string]{One: "a content transfer encoding", Of: map[string]string{
	"BASE64": "base64", "QUOTED_PRINTABLE": "quoted-printable", "SEVEN_BIT": "7bit", "": "",
}}

// dispositions are the words of ContentDisposition: whether the file is shown with the text.
var dispositions = awsapi.Words[bool]{One: "a content disposition", Of: map[string]bool{"ATTACHMENT": false, "INLINE": true, "": false}}

func headers(all []header) ([]email.Header, error) {
	var list []email.Header
	for _, h := range all {
		switch {
		case !headerName.MatchString(h.Name):
			return nil, invalidParameter("The name of a header must be 1 to 126 printable ASCII characters without a colon, not %q.", fault.Shorten(h.Name))
		case !headerValue.MatchString(h.Value):
			return nil, invalidParameter("The value of the header %s must be 1 to 995 printable ASCII characters, not %q.", h.Name, fault.Shorten(h.Value))
		}
		list = append(list, email.Header{Name: h.Name, Value: h.Value})
	}
	return list, nil
}

func attachments(all []attachment) ([]email.Attachment, error) {
	var list []email.Attachment
	for _, w := range all {
		if err := w.check(); err != nil {
			return nil, err
		}
		inline, err := dispositions.Read(fault.EmailParameter, w.ContentDisposition)
		if err != nil {
			return nil, err
		}
		encoding, err := encodings.Read(fault.EmailParameter, w.ContentTransferEncoding)
		if err != nil {
			return nil, err
		}
		list = append(list, email.Attachment{
			Name: w.FileName, Type: w.ContentType, ID: w.ContentId, Description: w.ContentDescription,
			Inline: inline, Encoding: encoding, Data: w.RawContent,
		})
	}
	return list, nil
}

// check reports whether the words around an attachment can stand in a message.
func (w *attachment) check() error {
	if w.FileName == "" {
		return invalidParameter("The FileName of an attachment is missing.")
	}
	for _, part := range []struct {
		name, value string
		most        int
	}{
		{"FileName", w.FileName, longestFileName},
		{"ContentDescription", w.ContentDescription, longestDescription},
		{"ContentId", w.ContentId, longestPartName},
		{"ContentType", w.ContentType, longestPartName},
	} {
		if utf8.RuneCountInString(part.value) > part.most {
			return invalidParameter("The %s of an attachment has at most %d characters.", part.name, part.most)
		}
		if strings.ContainsFunc(part.value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return invalidParameter("The %s of an attachment holds no control characters.", part.name)
		}
	}
	return nil
}

// The resources of ARNs that name a template: Pinpoint's and SES's.
// Source: Pinpoint Email API Reference, "Template", TemplateArn; Service Authorization
// Reference, "Actions, resources, and condition keys for Amazon SES".
var (
	pinpointTemplate = regexp.MustCompile(`^templates/([^/]+)/EMAIL$`)
	sesTemplate      = regexp.MustCompile(`^template/([^/]+)$`)
)

// templateName is the name of the stored template that a mail names by its name, its ARN, or
// both.
func templateName(name, templateARN string) (string, error) {
	if templateARN == "" {
		if name == "" {
			return "", invalidParameter("Content.Template names no template.")
		}
		return name, nil
	}
	parsed, err := arn.Parse(templateARN)
	if err != nil {
		return "", invalidParameter("The template ARN %q is wrong: %v.", fault.Shorten(templateARN), err)
	}
	var named []string
	switch parsed.Service {
	case "mobiletargeting":
		named = pinpointTemplate.FindStringSubmatch(parsed.Resource)
	case "ses":
		named = sesTemplate.FindStringSubmatch(parsed.Resource)
	}
	switch {
	case named == nil:
		return "", invalidParameter("The template ARN must have the form arn:aws:mobiletargeting:REGION:ACCOUNT:templates/NAME/EMAIL or arn:aws:ses:REGION:ACCOUNT:template/NAME, not %q.", fault.Shorten(templateARN))
	case name != "" && name != named[1]:
		return "", invalidParameter("TemplateName and TemplateArn name two templates, %s and %s.", fault.Shorten(name), fault.Shorten(named[1]))
	}
	return named[1], nil
}
