package command

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tidings/internal/tts/wav"
)

// The encodings that are read.
// Source: Microsoft, "Multiple Channel Audio Data and WAVE Files", and mmreg.h.
const (
	encodingPCM        = 1
	encodingFloat      = 3
	encodingExtensible = 0xfffe // the encoding stands further behind
)

// maxChannels is how many are mixed into one.
const maxChannels = 8

// format is how the samples of a WAV file are laid down.
type format struct {
	encoding, channels, bits int
	rate                     int
}

// readWAV reads what a program wrote as a WAV file. Where package wav knows one channel of
// 16 bits, this mixes channels, and takes 8, 24 and 32 bits and floating point as well, which engines
// write by default. A size of the sound that is more than there is, as it is written into
// pipes, means everything there is.
func readWAV(data []byte) (wav.Sound, error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return wav.Sound{}, fmt.Errorf("what it wrote is not a WAV file: it begins with %q", data[:min(12, len(data))])
	}
	var f format
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		body := rest[:min(size, int64(len(rest)))]
		switch {
		case id == "fmt ":
			var err error
			if f, err = readFormat(body); err != nil {
				return wav.Sound{}, err
			}
		case id == "data" && f.rate == 0:
			return wav.Sound{}, errors.New("the WAV file has its sound before its format")
		case id == "data":
			if size == 0 {
				body = rest
			}
			return f.sound(body), nil
		}
		rest = rest[min(size+size%2, int64(len(rest))):]
	}
	return wav.Sound{}, errors.New("the WAV file has no sound in it")
}

// readFormat reads a format chunk, and refuses what cannot be read.
func readFormat(b []byte) (format, error) {
	if len(b) < 16 {
		return format{}, fmt.Errorf("the format of the WAV file is %d bytes long, want 16 at least", len(b))
	}
	f := format{
		encoding: int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.encoding == encodingExtensible && len(b) >= 26 {
		f.encoding = int(binary.LittleEndian.Uint16(b[24:]))
	}
	switch {
	case f.decoder() == nil:
		return format{}, fmt.Errorf("the WAV file has samples of encoding %d with %d bits, want PCM (1) with 8, 16, 24 or 32, or floating point (3) with 32 or 64", f.encoding, f.bits)
	case f.channels < 1 || f.channels > maxChannels:
		return format{}, fmt.Errorf("the WAV file has %d channels, want 1 to %d", f.channels, maxChannels)
	case f.rate < 1 || f.rate > wav.MaxRate:
		return format{}, fmt.Errorf("the WAV file has %d samples a second, want 1 to %d", f.rate, wav.MaxRate)
	}
	return f, nil
}

// decoder reads one sample, in the measure of 16 bits; nil = there is none for the format.
func (f format) decoder() func(b []byte) float64 {
	switch [2]int{f.encoding, f.bits} {
	case [2]int{encodingPCM, 8}:
		return func(b []byte) float64 { return float64(int(b[0])-128) * (1 << 8) }
	case [2]int{encodingPCM, 16}:
		return func(b []byte) float64 { return float64(int16(binary.LittleEndian.Uint16(b))) }
	case [2]int{encodingPCM, 24}:
		return func(b []byte) float64 {
			return float64(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 16)
		}
	case [2]int{encodingPCM, 32}:
		return func(b []byte) float64 { return float64(int32(binary.LittleEndian.Uint32(b))) / (1 << 16) }
	case [2]int{encodingFloat, 32}:
		return func(b []byte) float64 {
			return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) * (1 << 15)
		}
	case [2]int{encodingFloat, 64}:
		return func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) * (1 << 15) }
	}
	return nil
}

// sound reads the samples and makes one channel of all, by their mean. An incomplete sample at
// the end is left out.
func (f format) sound(b []byte) wav.Sound {
	size, decode := f.bits/8, f.decoder()
	frame := size * f.channels
	if f.encoding == encodingPCM && frame == 2 && f.bits == 16 {
		return wav.Sound{Rate: f.rate, PCM: b[:len(b)/2*2]}
	}
	pcm := make([]int16, len(b)/frame)
	for i := range pcm {
		sum := 0.0
		for c := range f.channels {
			sum += decode(b[i*frame+c*size:])
		}
		pcm[i] = sample(sum / float64(f.channels))
	}
	return wav.New(f.rate, pcm)
}

// sample is the nearest sample; what is no number is silence.
func sample(v float64) int16 {
	if math.IsNaN(v) {
		return 0
	}
	return int16(math.Round(min(max(v, math.MinInt16), math.MaxInt16)))
}
