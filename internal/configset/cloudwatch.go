package configset

import (
	"regexp"
	"slices"
	"strings"
)

// DimensionSource says where the value of a dimension is found in a message.
type DimensionSource string

// The sources. Source: SES API Reference, "CloudWatchDimensionConfiguration".
const (
	MessageTag  DimensionSource = "messageTag"
	EmailHeader DimensionSource = "emailHeader"
	LinkTag     DimensionSource = "linkTag"
)

// Dimension is one dimension of the metrics that events become at a CloudWatch destination.
type Dimension struct {
	Name    string
	Source  DimensionSource
	Default string // the value when the message has none
}

// maxDimensions is how many dimensions a CloudWatch destination may have.
// Source: SES Developer Guide, "Service quotas in Amazon SES".
const maxDimensions = 10

// The forms of a dimension.
// Source: SES API Reference, "CloudWatchDimensionConfiguration".
var (
	dimensionForm = regexp.MustCompile(`^[A-Za-z0-9_:-]{1,256}$`)
	defaultForm   = regexp.MustCompile(`^[A-Za-z0-9_@.-]{1,256}$`)
)

// privateHeaders, in lower case, cannot be dimensions.
// Source: SES Developer Guide, "Set up a CloudWatch event destination for event publishing".
var privateHeaders = []string{"received", "to", "from", "dkim-signature", "cc", "message-id", "return-path"}

// checkDimensions reports whether a destination of this kind may have these dimensions.
func checkDimensions(kind Kind, all []Dimension) error {
	if kind != CloudWatch {
		if len(all) > 0 {
			return invalid("Only a CloudWatch destination has dimensions.")
		}
		return nil
	}
	if len(all) < 1 || len(all) > maxDimensions {
		return invalid("A CloudWatch destination has 1 to %d dimensions, this one has %d.", maxDimensions, len(all))
	}
	for _, d := range all {
		switch {
		case !dimensionForm.MatchString(d.Name):
			return invalid("The name of a dimension must be 1 to 256 letters, digits, hyphens, underscores and colons, not %q.", shorten(d.Name))
		case !defaultForm.MatchString(d.Default):
			return invalid("The default value of the dimension %s must be 1 to 256 letters, digits and characters of _-@., not %q.", shorten(d.Name), shorten(d.Default))
		case d.Source != MessageTag && d.Source != EmailHeader && d.Source != LinkTag:
			return invalid("The value source of the dimension %s must be %s, %s or %s, not %q.", shorten(d.Name), MessageTag, EmailHeader, LinkTag, shorten(string(d.Source)))
		case d.Source == EmailHeader && slices.Contains(privateHeaders, strings.ToLower(d.Name)):
			return invalid("The header %s cannot be a dimension.", d.Name)
		}
	}
	return nil
}
