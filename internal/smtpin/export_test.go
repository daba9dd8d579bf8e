package smtpin

// Listeners on whatever a test listens on.
var (
	SubmissionOn = submissionOn
	ReturningOn  = returningOn
)
