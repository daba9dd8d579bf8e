package faults

// postTotals are the totals of the books.
type postTotals struct {
	acknowledged int // mails
	unpromised   int // mails that were accepted though their client got no answer
	recipients   int // of both
	ends         int // recipients with exactly one final event
	open         int // without one
	twofold      int // with several
	events       int // in the log, each ID once
	missing      int // of them: not in the file
	repeated     int // lines of the file that repeat an earlier one
	retold       int // events that came back and were told anew with another time
	suppressed   int // recipients that bounced or complained before it was on disk that they had the mail
	byKind       map[string]int
}

// close compares what was promised, what is in the log, and what is in the file.
func (b *postBooks) close() postTotals {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := postTotals{byKind: map[string]int{}}
	for _, line := range b.lines {
		e := b.bySum[line]
		if e == nil {
			b.complain("a line of the file is not in the log")
			continue
		}
		if e.arrivals++; e.arrivals > len(e.sums) {
			sum.repeated++
		}
	}
	for i := range b.mails {
		m := &b.mails[i]
		switch {
		case m.state == acknowledged:
			sum.acknowledged++
		case len(m.events) > 0:
			sum.unpromised++
		default:
			continue
		}
		b.audit(m, &sum)
	}
	return sum
}

// audit adds one mail to the totals. mu is held.
func (b *postBooks) audit(m *posted, sum *postTotals) {
	sends := 0
	for _, e := range m.events {
		sum.events++
		sum.byKind[e.kind]++
		sum.retold += len(e.sums) - 1
		if e.arrivals == 0 {
			sum.missing++
		}
		if e.suppressed {
			sum.suppressed++
		}
		if e.kind == mailSend {
			sends++
		}
	}
	if want := m.kind != infected && m.kind != unrenderable; want != (sends == 1) {
		b.complain("mail %s has %d Send events", m.id, sends)
	}
	for i := range m.to {
		sum.recipients++
		n := 0
		if m.ends != nil {
			n = len(m.ends[i])
		}
		switch n {
		case 0:
			sum.open++
		case 1:
			sum.ends++
		default:
			sum.twofold++
			b.complain("%s has %d ends: %v", m.to[i], n, m.ends[i])
		}
	}
}
