package sipcall

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"tidings/internal/audio"
	"tidings/internal/rtpaudio"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// phoneRate is the sampling rate of G.711 (RFC 3551 section 4.5.14); a sample is a byte.
const phoneRate = 8000

// sounds holds the messages of the calls in progress, each distinct one once, as a
// telephone plays them. What no call uses stays, the least recently used first to go, as
// long as all together are within a bound. Safe for concurrent use.
type sounds struct {
	limit int64

	mu    sync.Mutex
	files map[string]*sound
	size  int64     // of all
	idle  list.List // of *sound that no call uses, the most recently used first
	quiet map[uint8][]byte
	usual uint8 // the law of the latest call
}

// sound is a message in the laws that were asked for so far.
type sound struct {
	owner *sounds
	file  string        // "" = silence of a length
	long  time.Duration // of the silence

	mu   sync.Mutex // held while encoding: one does, the others wait
	laws map[uint8][]byte

	// Below: owner.mu.
	users int
	size  int64
	place *list.Element // in idle; nil = in use
}

func newSounds(limit int64) *sounds {
	return &sounds{limit: limit, files: make(map[string]*sound), quiet: make(map[uint8][]byte)}
}

// open returns the message's sound, ready to be played in the law that the latest callee
// took. Its user has to close it.
func (s *sounds) open(speech voice.Speech) (*sound, error) {
	if speech.File == "" {
		return &sound{owner: s, long: speech.Duration}, nil
	}
	s.mu.Lock()
	f := s.files[speech.File]
	if f == nil {
		f = &sound{owner: s, file: speech.File, laws: make(map[uint8][]byte)}
		s.files[speech.File] = f
	}
	f.users++
	if f.place != nil {
		s.idle.Remove(f.place)
		f.place = nil
	}
	law := s.usual
	s.mu.Unlock()
	if _, err := f.in(law); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// close gives the sound back.
func (f *sound) close() {
	if f.file == "" {
		return
	}
	s := f.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.users--; f.users > 0 {
		return
	}
	f.place = s.idle.PushFront(f)
	if f.size == 0 { // it could not be read
		s.forget(f)
	}
	for s.size > s.limit && s.idle.Len() > 0 {
		s.forget(s.idle.Back().Value.(*sound))
	}
}

// forget drops what nobody uses. s.mu must be held.
func (s *sounds) forget(f *sound) {
	s.idle.Remove(f.place)
	f.place = nil
	s.size -= f.size
	delete(s.files, f.file)
}

// like notes which law a callee took. Where most take the same, a message is encoded once.
func (s *sounds) like(law uint8) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usual = law
}

// in returns the sound in a law, G.711 of the payload type. It must not be changed.
func (f *sound) in(law uint8) ([]byte, error) {
	if f.file == "" {
		return f.owner.silence(f.long, law), nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.laws[law]; ok {
		return b, nil
	}
	b, err := f.encode(law)
	if err != nil {
		return nil, err
	}
	f.laws[law] = b
	f.owner.mu.Lock()
	defer f.owner.mu.Unlock()
	f.size += int64(len(b))
	f.owner.size += int64(len(b))
	return b, nil
}

// encode reads the file and makes it fit for the telephone. A file that has gone since the
// call began does not cost the call: the other law is as good, but for some noise.
func (f *sound) encode(law uint8) ([]byte, error) {
	w, err := wav.Load(f.file)
	if err != nil {
		for other, b := range f.laws {
			return encode(decode(b, other), law), nil
		}
		return nil, fmt.Errorf("read the speech: %w", err)
	}
	return encode(audio.Resample(w.Int16(), w.Rate, phoneRate), law), nil
}

func encode(pcm []int16, law uint8) []byte {
	b := make([]byte, 0, len(pcm))
	if law == rtpaudio.PCMA {
		return audio.AppendALaw(b, pcm)
	}
	return audio.AppendMuLaw(b, pcm)
}

func decode(b []byte, law uint8) []int16 {
	if law == rtpaudio.PCMA {
		return audio.ALaw(b)
	}
	return audio.MuLaw(b)
}

// silence returns so much silence, of one stretch that all calls share.
func (s *sounds) silence(d time.Duration, law uint8) []byte {
	n := wav.Samples(d, phoneRate)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.quiet[law]
	if len(b) < n {
		b = encode(make([]int16, n), law)
		s.quiet[law] = b
	}
	return b[:n:n]
}
