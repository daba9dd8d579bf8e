package natsstore

// seqSet is a set of sequences, most of which lie close together: one word for 64 of them.
type seqSet map[uint64]uint64

// add enters seq and reports whether it was new.
func (s seqSet) add(seq uint64) bool {
	word, bit := seq/64, uint64(1)<<(seq%64)
	if s[word]&bit != 0 {
		return false
	}
	s[word] |= bit
	return true
}

// forget drops what it can of the sequences up to floor; some of them may stay.
func (s seqSet) forget(floor uint64) {
	for word := range s {
		if word < floor/64 {
			delete(s, word)
		}
	}
}
