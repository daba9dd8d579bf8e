package smtpin

import "errors"

// login is the server's side of the mechanism LOGIN, which some programs know alone.
// Source: draft-murchison-sasl-login-00.
type login struct {
	authenticate func(user, password string) error
	step         int
	user         string
}

// Next takes the client's answer; nil = there is none yet.
func (l *login) Next(answer []byte) (challenge []byte, done bool, err error) {
	if l.step == 0 && answer == nil {
		l.step = 1
		return []byte("Username:"), false, nil
	}
	switch l.step {
	case 0, 1: // the user may come with the command
		l.step, l.user = 2, string(answer)
		return []byte("Password:"), false, nil
	case 2:
		l.step = 3
		return nil, true, l.authenticate(l.user, string(answer))
	}
	return nil, false, errors.New("the authentication is over")
}
