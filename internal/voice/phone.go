package voice

// Phone is a phone number: digits, with a plus in front if the client gave one.
type Phone string
