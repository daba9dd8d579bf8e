// Package mailmsg makes, reads and changes messages as RFC 5322 and MIME (RFC 2045 to 2049) have them.
//
// Messages are bytes here, never trees: what a client wrote is what its recipients get, and whoever changes one field or one part
// leaves every other byte as it was. The package knows nothing of SES, SMTP or how anything is kept.
package mailmsg

import "fmt"

// The bounds on what is read. They are far above what mail has.
const (
	// MaxHeader is how many bytes the header of a message or of a part may have.
	MaxHeader = 512 << 10
	// MaxFields is how many fields a header may have.
	MaxFields = 2000
	// MaxDepth is how deep multiparts may nest.
	MaxDepth = 20
	// MaxLine is how many bytes a line may have without its line end. Source: RFC 5322 section 2.1.1.
	MaxLine = 998
	// foldAt is how many bytes a line should have at most. Source: RFC 5322 section 2.1.1.
	foldAt = 78
)

// Error says what is wrong with a message or with what one is to be made of. It speaks to whoever wrote that.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func failf(format string, args ...any) error { return &Error{Reason: fmt.Sprintf(format, args...)} }

// Field is a field of a header. Its value is unfolded: it holds no line ends.
type Field struct{ Name, Value string }

// shorten cuts what a client wrote to what fits into an error.
func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
