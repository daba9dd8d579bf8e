package tts

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"time"

	"tidings/internal/ssml"
	"tidings/internal/voice"
)

// key is what speech is kept under: everything that decides how it sounds.
type key [sha256.Size]byte

func (k key) String() string { return hex.EncodeToString(k[:]) }

// revision is part of every key: raise it when the way from phrases to speech changes, or cached
// speech would keep its old sound.
const revision = "2"

// keyOf is the key of whole speech. Documents that are spoken alike share one.
func (s *Synthesizer) keyOf(c voice.Content, pieces []ssml.Piece) key {
	h := sha256.New()
	for _, part := range []string{revision, s.engine.Name(), s.engine.Version(), c.Voice, c.Language} {
		writeString(h, part)
	}
	if _, ok := s.documents(c); ok {
		writeString(h, c.Text)
		return key(h.Sum(nil))
	}
	for _, p := range pieces {
		writeString(h, p.Text)
		writeString(h, p.Phonemes)
		writeInt(h, int64(p.Pause))
		writeInt(h, int64(p.Tone))
		writeStyle(h, p.Style)
	}
	return key(h.Sum(nil))
}

func writeStyle(h hash.Hash, s ssml.Style) {
	writeString(h, s.Language)
	for _, f := range []float64{s.Rate, s.Pitch, s.Gain, s.Tract} {
		writeInt(h, int64(math.Float64bits(f)))
	}
	flags := 0
	for i, on := range []bool{s.Silent, s.Whisper, s.Soft, s.Compress} {
		if on {
			flags |= 1 << i
		}
	}
	writeInt(h, int64(flags))
	writeInt(h, int64(s.Group))
	writeInt(h, int64(s.Most))
}

// cut is the key of the same speech, cut at limit.
func (k key) cut(limit time.Duration) key {
	h := sha256.New()
	h.Write(k[:])
	writeInt(h, int64(limit))
	return key(h.Sum(nil))
}

// writeString writes the length first, so that no two lists of strings read the same.
func writeString(h hash.Hash, s string) {
	writeInt(h, int64(len(s)))
	h.Write([]byte(s))
}

func writeInt(h hash.Hash, n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}
