// Package faults runs the built binary through faults and counts what became of every
// event: killed again and again, destinations that are down, hang or answer nonsense, no
// DNS, no disk space, a data directory that cannot be written to, a clock that jumps, a
// large backlog; and, for mail, a relay in trouble and what comes back.
//
// Its oracle issues the IDs: every message that is asked for carries a number of the
// oracle's own, which comes back in the records of its events. Each acknowledged message
// is an obligation to every event destination. At the end of a run the books are closed:
// what the event log holds must have arrived everywhere, byte by byte, and nothing else.
// Mails carry their number in the addresses of their recipients, which are at a post office
// of the run's own: an SMTP server that does with a mail what the address says, and counts.
//
// As part of go test the runs take seconds; make faults runs them at full length. It
// imports nothing of Tidings: it sees what a client, an operator and a destination see.
package faults
