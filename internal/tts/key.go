package tts

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"tidings/internal/ssml"
	"tidings/internal/voice"
)

// key is what speech is kept under: everything that decides how it sounds.
type key [sha256.Size]byte

func (k key) String() string { return hex.EncodeToString(k[:]) }

// keyOf is the key of whole speech. Documents that are spoken alike share one.
func keyOf(e Engine, c voice.Content, pieces []ssml.Piece) key {
	h := sha256.New()
	for _, s := range []string{e.Name(), e.Version(), c.Voice, c.Language} {
		writeString(h, s)
	}
	for _, p := range pieces {
		writeString(h, p.Text)
		writeInt(h, int64(p.Pause))
	}
	return key(h.Sum(nil))
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
