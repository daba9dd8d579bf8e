// Package wav reads and writes speech as WAV files with one channel of 16-bit PCM. It
// follows Microsoft's and IBM's "Multimedia Programming Interface and Data Specifications
// 1.0", chapter 3, and reads what programs write into pipes, where no size is known.
package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// HeaderSize is how many bytes stand before the samples in a file that Write made.
	HeaderSize = 44

	// MaxRate is the highest sampling rate that is read, in samples per second.
	MaxRate = 192_000

	bytesPerSample = 2
	maxFormat      = 1 << 10 // bytes of a format chunk; the longest in use has 40
)

// Sound is a stretch of sound with one channel. The zero value is no sound at all.
type Sound struct {
	Rate int    // samples per second
	PCM  []byte // samples, 16 bits each, signed, the low byte first
}

// New returns the sound of the samples.
func New(rate int, samples []int16) Sound {
	pcm := make([]byte, 0, len(samples)*bytesPerSample)
	for _, v := range samples {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
	}
	return Sound{Rate: rate, PCM: pcm}
}

// Int16 returns a copy of the samples as numbers.
func (s Sound) Int16() []int16 {
	samples := make([]int16, s.Samples())
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(s.PCM[i*bytesPerSample:]))
	}
	return samples
}

// Samples is the number of samples.
func (s Sound) Samples() int { return len(s.PCM) / bytesPerSample }

// Duration is how long it takes to play the sound.
func (s Sound) Duration() time.Duration { return Duration(s.Samples(), s.Rate) }

// Cut returns the sound without what lies behind limit. It shares its memory with s.
func (s Sound) Cut(limit time.Duration) Sound {
	n := min(s.Samples(), Samples(limit, s.Rate))
	return Sound{Rate: s.Rate, PCM: s.PCM[:n*bytesPerSample]}
}

// Duration is how long so many samples play at a rate; 0 if the rate is.
func Duration(samples, rate int) time.Duration {
	if rate <= 0 {
		return 0
	}
	whole, rest := samples/rate, samples%rate
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}

// Samples is how many whole samples fit into d at a rate.
func Samples(d time.Duration, rate int) int {
	if d <= 0 {
		return 0
	}
	whole, rest := d/time.Second, d%time.Second
	return int(whole)*rate + int(rest*time.Duration(rate)/time.Second)
}

// Silence returns the samples of a pause.
func Silence(d time.Duration, rate int) []byte {
	return make([]byte, Samples(d, rate)*bytesPerSample)
}

// Read reads a file up to the end of its sound. A size of the sound that only a pipe could
// have is ignored: espeak-ng writes 0x7ffff000, others 0 or 0xffffffff. Bounding the bytes
// that r gives is up to the caller.
func Read(r io.Reader) (Sound, error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return Sound{}, fmt.Errorf("read WAV header: %w", err)
	}
	if string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return Sound{}, errors.New("read WAV header: not a WAV file")
	}
	rate := 0
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return Sound{}, fmt.Errorf("read WAV chunk: %w", err)
		}
		id, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		switch {
		case id == "fmt ":
			var err error
			if rate, err = readFormat(r, size); err != nil {
				return Sound{}, err
			}
		case id == "data" && rate == 0:
			return Sound{}, errors.New("read WAV: the sound comes before its format")
		case id == "data":
			return readSamples(r, size, rate)
		default:
			if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
				return Sound{}, fmt.Errorf("skip WAV chunk %q: %w", id, err)
			}
		}
	}
}

// readFormat reads a format chunk and returns the sampling rate.
func readFormat(r io.Reader, size int64) (int, error) {
	if size < 16 || size > maxFormat {
		return 0, fmt.Errorf("read WAV format: %d bytes long", size)
	}
	b := make([]byte, size+size%2)
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, fmt.Errorf("read WAV format: %w", err)
	}
	encoding := binary.LittleEndian.Uint16(b)
	channels := binary.LittleEndian.Uint16(b[2:])
	rate := binary.LittleEndian.Uint32(b[4:])
	bits := binary.LittleEndian.Uint16(b[14:])
	const pcm, extensible = 1, 0xfffe
	if encoding == extensible && size >= 26 {
		encoding = binary.LittleEndian.Uint16(b[24:])
	}
	if encoding != pcm || channels != 1 || bits != 8*bytesPerSample {
		return 0, fmt.Errorf("read WAV format: encoding %d with %d channels of %d bits, want PCM with 1 of 16", encoding, channels, bits)
	}
	if rate == 0 || rate > MaxRate {
		return 0, fmt.Errorf("read WAV format: %d samples a second", rate)
	}
	return int(rate), nil
}

func readSamples(r io.Reader, size int64, rate int) (Sound, error) {
	const unlikely = 0x7ff0_0000 // two gigabytes: seven hours at 44,100 Hz
	if size > 0 && size < unlikely {
		r = io.LimitReader(r, size)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return Sound{}, fmt.Errorf("read WAV samples: %w", err)
	}
	return Sound{Rate: rate, PCM: data[:len(data)/bytesPerSample*bytesPerSample]}, nil
}

// Write writes the sound as a file.
func (s Sound) Write(w io.Writer) error {
	b := make([]byte, 0, HeaderSize)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(HeaderSize-8+len(s.PCM)))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, 1) // channels
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Rate*bytesPerSample))
	b = binary.LittleEndian.AppendUint16(b, bytesPerSample)
	b = binary.LittleEndian.AppendUint16(b, 8*bytesPerSample)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.PCM)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	_, err := w.Write(s.PCM)
	return err
}

// TempPattern matches the names of the files that a crash in the middle of Save leaves.
const TempPattern = ".wav-*.tmp"

// Save writes the sound to a file, which appears whole or not at all. It is not synced: a
// crash of the machine may leave it shorter.
func (s Sound) Save(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), TempPattern)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(s.Write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Load reads the file at path.
func Load(path string) (Sound, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Sound{}, err
	}
	s, err := Read(bytes.NewReader(data))
	if err != nil {
		return Sound{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
