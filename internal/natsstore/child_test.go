package natsstore

// child does the work of a child process, if this is one.
func child() (code int, ok bool) { return 0, false }
