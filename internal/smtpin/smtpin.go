// Package smtpin takes mail in over SMTP (RFC 5321), on two kinds of listeners. One takes what comes back for mail that was
// sent: bounce messages and complaints. It takes nothing else, answers no message with another, and relays nothing. The other is for
// applications that send by SMTP, as they do to Amazon SES (Developer Guide, "Using the Amazon SES SMTP interface").
//
// It holds no rules about mail: what is sent is checked by whoever Sender is, what came back is told to Intake.
package smtpin

import (
	"context"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

// Intake is told what came back. It is safe for concurrent use, and being told twice does no harm: after an error, the server
// that brought the message brings it again.
type Intake interface {
	Bounced(ctx context.Context, id string, b email.BackBounce) error
	Complained(ctx context.Context, id string, c email.Complaint) error
	// Return sends a bounce message or a complaint on to where the client asked for copies, if it did.
	Return(ctx context.Context, id string, original []byte) error
}

// Sender accepts mail and returns its message ID. It is safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, t tenant.Tenant, r email.Request) (string, error)
}
