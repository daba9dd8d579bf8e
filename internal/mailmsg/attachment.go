package mailmsg

import (
	"mime"
	"path"
	"strconv"
	"strings"
)

// Attachment is a file that goes with a message.
type Attachment struct {
	Name        string // of the file
	Type        string // media type; "" = by the name's ending
	ID          string // Content-ID without brackets, by which HTML shows it; "" = none
	Description string
	Inline      bool // it is shown within the HTML, not beside it
	// Encoding is the Content-Transfer-Encoding that the client wants: BASE64, QUOTED_PRINTABLE or SEVEN_BIT, as SES has them;
	// "" = base64. What the data does not allow is sent in base64.
	Encoding string
	Data     []byte
}

// types are the media types of names that end like this. Source: IANA, "Media Types".
var types = map[string]string{
	".bmp": "image/bmp", ".css": "text/css", ".csv": "text/csv", ".doc": "application/msword", ".gif": "image/gif", ".gz": "application/gzip",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".htm": "text/html", ".html": "text/html",
	".ics": "text/calendar", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".json": "application/json", ".mp3": "audio/mpeg",
	".mp4": "video/mp4", ".pdf": "application/pdf", ".png": "image/png", ".ppt": "application/vnd.ms-powerpoint",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".rtf": "application/rtf",
	".svg": "image/svg+xml", ".tif": "image/tiff", ".tiff": "image/tiff", ".txt": "text/plain", ".wav": "audio/wav",
	".webp": "image/webp", ".xls": "application/vnd.ms-excel", ".xml": "application/xml", ".zip": "application/zip",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// entity makes the part of the attachment.
func (a *Attachment) entity() (*entity, error) {
	if strings.ContainsFunc(a.Name+a.Type+a.ID+a.Description, isControl) {
		return nil, failf("Attachment %q has control characters in what it is called", shorten(a.Name))
	}
	kind, params, err := a.mediaType()
	if err != nil {
		return nil, err
	}
	e := &entity{content: string(a.Data), transfer: base64Encoding}
	e.transfer = a.transfer(kind, e.content)
	if strings.HasPrefix(kind, "message/") && e.transfer == base64Encoding {
		kind, params = "application/octet-stream", nil // a message must not be encoded. RFC 2046 section 5.2.1
	}
	var f folder
	f.field("Content-Type")
	f.word(kind, false)
	for _, name := range []string{"charset", "method"} { // what text files and calendars say of themselves
		if value, ok := params[name]; ok {
			f.param(name, value)
		}
	}
	f.end()
	if a.Description != "" {
		f.field("Content-Description")
		if err := f.unstructured(utf8Set, a.Description); err != nil {
			return nil, err
		}
		f.end()
	}
	if a.ID != "" {
		id := strings.TrimSuffix(strings.TrimPrefix(a.ID, "<"), ">")
		if !isPrintable(id) || strings.ContainsAny(id, " <>") || len(id) > foldAt {
			return nil, failf("ContentId %q is not valid", shorten(a.ID))
		}
		f.field("Content-ID")
		f.word("<"+id+">", false)
		f.end()
	}
	f.disposition(a)
	e.header = f.out
	return e, nil
}

func (f *folder) disposition(a *Attachment) {
	f.field("Content-Disposition")
	if a.Inline {
		f.word("inline", false)
	} else {
		f.word("attachment", false)
	}
	if a.Name != "" {
		f.param("filename", a.Name)
	}
	f.end()
}

// mediaType returns the type of the attachment and its parameters.
func (a *Attachment) mediaType() (string, map[string]string, error) {
	if a.Type == "" {
		if kind, ok := types[strings.ToLower(path.Ext(a.Name))]; ok {
			return kind, nil, nil
		}
		return "application/octet-stream", nil, nil
	}
	kind, params, err := mime.ParseMediaType(a.Type)
	if err != nil || !strings.Contains(kind, "/") || strings.HasPrefix(kind, "multipart/") || len(kind) > foldAt-16 {
		return "", nil, failf("ContentType %q of attachment %q is not valid", shorten(a.Type), shorten(a.Name))
	}
	return kind, params, nil
}

// transfer returns the transfer encoding that the attachment is sent in.
func (a *Attachment) transfer(kind, content string) string {
	fits := chooseTransfer(content) == sevenBit && content == crlf(content)
	switch strings.ToUpper(strings.ReplaceAll(a.Encoding, "-", "_")) {
	case "SEVEN_BIT", "7BIT":
		if fits {
			return sevenBit
		}
	case "QUOTED_PRINTABLE":
		if strings.HasPrefix(kind, "text/") { // a line end of other data is no line end
			return quotedPrintable
		}
	}
	if fits && strings.HasPrefix(kind, "message/") {
		return sevenBit
	}
	return base64Encoding
}

// param writes a parameter of a field such as Content-Type: as a token, a quoted string, or as RFC 2231 has it, in pieces if it
// is long.
func (f *folder) param(name, value string) {
	f.out = append(f.out, ';')
	f.col++
	const piece = 48
	if isPrintable(value) && len(value) <= piece {
		f.word(name+"="+quote(value), true)
		return
	}
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	rest := b.String()
	if len(rest) <= piece {
		f.word(name+"*=UTF-8''"+rest, true)
		return
	}
	mark := "UTF-8''"
	for i := 0; rest != ""; i++ {
		n := min(piece, len(rest))
		for back := 0; back < 2 && n < len(rest) && strings.IndexByte(rest[max(n-2, 0):n], '%') >= 0; back++ {
			n-- // a %XX stays whole
		}
		if i > 0 {
			f.out = append(f.out, ';')
			f.col++
		}
		f.word(name+"*"+strconv.Itoa(i)+"*="+mark+rest[:n], true)
		rest, mark = rest[n:], ""
	}
}
