package ses

import (
	"slices"
	"strings"

	"tidings/internal/fault"
)

// invalid is a fault of a request's shape.
func invalid(format string, args ...any) error { return fault.New(fault.Invalid, "", format, args...) }

// wrongValue is a fault of a parameter's value.
func wrongValue(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EmailParameter, format, args...)
}

// missing says, in the words of AWS's services, that a member is not there. member is a path such as "message.subject".
func missing(member string) error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member)
}

// member is a member of an input that must be there.
type member struct {
	name  string // as AWS's error texts spell it
	given bool
}

// demand fails for the first member that was not given.
func demand(all ...member) error {
	for _, m := range all {
		if !m.given {
			return missing(m.name)
		}
	}
	return nil
}

// oneOf fails unless the word is one of those.
func oneOf(name, word string, words ...string) error {
	if slices.Contains(words, word) {
		return nil
	}
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
		fault.Shorten(word), name, strings.Join(words, ", "))
}
