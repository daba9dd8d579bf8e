package fanout

import "time"

// width is how many batches of a flight are in the air at once: what a lane has learned of
// its destination. The zero value begins with one.
//
// It doubles while everything arrives, more is waiting and a batch takes about as long as
// ever. A doubling has to pay: if the deliveries per second do not rise by a tenth within
// a few flights, it is taken back, and the next one is tried later. So a destination that
// is limited by a processor settles at a few, and one that is far away at many.
type width struct {
	size     int           // 0 = 1
	mean     time.Duration // how long a batch took of late; 0 = nothing is known
	best     time.Duration // the least that was seen, forgotten slowly
	sample   sample        // the flights that are being weighed
	rate     float64       // deliveries/s at this size of late; 0 = not known
	before   int           // the size that the last doubling began from, while that is on trial; 0 = none is
	goal     float64       // the rate that it has to reach
	trials   int           // samples of it that did not
	pause    int           // samples until the next doubling may be tried
	patience int           // the pause after the next doubling that does not pay
}

const (
	flightTime     = 100 * time.Millisecond // what a flight may last, where its batches allow it
	maxRounds      = 8                      // batches in a flight for each that is in the air
	serialFlight   = 256                    // deliveries of a flight of small batches, one in the air
	worthwhile     = 20 * time.Microsecond  // a batch that is quicker gains nothing from company
	widthSlack     = time.Millisecond       // differences that say nothing
	sampleTime     = 50 * time.Millisecond  // that full flights have to add up to before they are weighed
	trialSamples   = 2
	pays           = 1.1 // times the rate before
	clearlyCrowded = 4   // times the best
	patienceMin    = 16  // samples
	patienceMax    = 1_024
)

// sample adds up full flights.
type sample struct {
	deliveries int
	took, busy time.Duration
}

// landing is what a flight has taught.
type landing struct {
	batches    int
	deliveries int           // that arrived
	took       time.Duration // by the flight
	busy       time.Duration // by its batches, added up
	failed     bool          // some of it is to be tried again
	more       bool          // more was waiting than it took
}

// now returns how many batches may be in the air at once.
func (w *width) now() int { return max(1, w.size) }

// batches returns how many batches a flight should take.
func (w *width) batches(limit int) int {
	rounds := 1
	if w.mean > 0 {
		rounds = int(min(maxRounds, max(1, flightTime/w.mean)))
	}
	if w.now() == 1 { // nobody waits for the slowest, so more rounds only save the way there
		rounds = min(rounds, max(1, serialFlight/limit))
	}
	return rounds * w.now()
}

// learn adapts to a flight. The size never exceeds most.
func (w *width) learn(l landing, most int) {
	if l.batches == 0 {
		return
	}
	w.note(l.busy / time.Duration(l.batches))
	switch {
	case l.failed:
		w.set(w.now() / 2)
	case w.mean > clearlyCrowded*w.best+widthSlack:
		w.set(w.now() - (w.now()+3)/4)
	case l.more && l.batches >= w.now():
		w.sample.deliveries += l.deliveries
		w.sample.took += l.took
		w.sample.busy += l.busy
		if w.sample.took >= sampleTime {
			w.weigh(w.sample, most)
			w.sample = sample{}
		}
	}
}

// note remembers how long a batch took.
func (w *width) note(took time.Duration) {
	took = max(took, 1)
	if w.mean == 0 {
		w.mean, w.best = took, took
		return
	}
	w.mean = max(1, w.mean+(took-w.mean)/4)
	if w.mean < w.best {
		w.best = w.mean
	} else {
		w.best += (w.mean - w.best) / 64
	}
}

// weigh takes full flights, and doubles or takes a doubling back.
func (w *width) weigh(s sample, most int) {
	rate := float64(s.deliveries) / s.took.Seconds()
	if w.before > 0 {
		w.rate = max(w.rate, rate)
		w.trials++
		switch {
		case w.rate >= w.goal:
			w.before, w.patience = 0, 0
		case w.trials < trialSamples:
			return
		default:
			patience := max(w.patience, patienceMin)
			w.set(w.before)
			w.pause, w.patience = patience, min(2*patience, patienceMax)
			return
		}
	}
	if w.rate == 0 {
		w.rate = rate
	}
	w.rate = (w.rate + rate) / 2
	if w.pause > 0 {
		w.pause--
		return
	}
	if w.mean < worthwhile {
		w.set(w.now() / 2)
		return
	}
	// What is in the air must be what takes the time, and not our own work before.
	waits := 3*s.busy >= s.took*time.Duration(w.now())
	if waits && w.now() < most && w.mean <= 2*w.best+widthSlack {
		before, goal := w.now(), w.rate*pays
		w.set(min(2*before, most))
		w.before, w.goal = before, goal
	}
}

// set changes the size, and with it what is known of its rate.
func (w *width) set(size int) {
	w.size = max(1, size)
	w.sample, w.rate, w.before, w.goal, w.trials = sample{}, 0, 0, 0, 0
}
