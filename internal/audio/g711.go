package audio

import (
	"math/bits"
	"slices"
	"sync"
)

// What silence is in each encoding, as a byte to fill pauses with.
const (
	SilenceMuLaw = 0xff
	SilenceALaw  = 0xd5
)

// AppendMuLaw appends the samples in mu-law, a byte each, and returns the extended slice.
// ITU-T G.711, table 2.
func AppendMuLaw(dst []byte, pcm []int16) []byte { return encode(dst, pcm, muLawCodes()) }

// AppendALaw appends the samples in A-law, a byte each, and returns the extended slice.
// ITU-T G.711, table 1, with the even bits inverted as it demands.
func AppendALaw(dst []byte, pcm []int16) []byte { return encode(dst, pcm, aLawCodes()) }

// MuLaw returns the samples that these bytes of mu-law stand for.
func MuLaw(b []byte) []int16 { return decode(b, muLawValues()) }

// ALaw returns the samples that these bytes of A-law stand for.
func ALaw(b []byte) []int16 { return decode(b, aLawValues()) }

func encode(dst []byte, pcm []int16, codes *[1 << 16]byte) []byte {
	dst = slices.Grow(dst, len(pcm))
	for _, v := range pcm {
		dst = append(dst, codes[uint16(v)])
	}
	return dst
}

func decode(b []byte, values *[1 << 8]int16) []int16 {
	pcm := make([]int16, len(b))
	for i, c := range b {
		pcm[i] = values[c]
	}
	return pcm
}

// The tables, by sample and by byte.
var (
	muLawCodes = sync.OnceValue(func() *[1 << 16]byte { return codesBy(muLawCode) })
	aLawCodes  = sync.OnceValue(func() *[1 << 16]byte { return codesBy(aLawCode) })

	muLawValues = sync.OnceValue(func() *[1 << 8]int16 { return valuesBy(muLawValue) })
	aLawValues  = sync.OnceValue(func() *[1 << 8]int16 { return valuesBy(aLawValue) })
)

func codesBy(code func(magnitude int, positive bool) byte) *[1 << 16]byte {
	var t [1 << 16]byte
	for i := range t {
		v := int(int16(i))
		t[i] = code(max(v, -v), v >= 0)
	}
	return &t
}

func valuesBy(value func(b byte) int16) *[1 << 8]int16 {
	var t [1 << 8]int16
	for i := range t {
		t[i] = value(byte(i))
	}
	return &t
}

// The recommendation has magnitudes of 13 bits for mu-law and of 12 for A-law, the sign
// aside; samples have 15, and so are 4 and 8 times as large.

const (
	sign      = 0x80
	muLawBias = 33 * 4 // makes the end of every segment a power of two
	muLawMost = 8159*4 - 1
	aLawFlip  = 0x55
)

// muLawCode encodes a magnitude. A byte is sign, segment and step, all inverted.
func muLawCode(magnitude int, positive bool) byte {
	m := uint(min(magnitude, muLawMost) + muLawBias)
	segment := bits.Len(m) - 8
	b := byte(segment<<4) | byte(m>>(segment+3)&0xf)
	if !positive {
		b |= sign
	}
	return ^b
}

func muLawValue(b byte) int16 {
	b = ^b
	v := (int(b&0xf)<<3+muLawBias)<<(b>>4&7) - muLawBias
	if b&sign != 0 {
		v = -v
	}
	return int16(v)
}

// aLawCode encodes a magnitude. The first two segments have steps of one size.
func aLawCode(magnitude int, positive bool) byte {
	m := uint(min(magnitude, 1<<15-1)) >> 4
	b := byte(m)
	if m >= 32 {
		segment := bits.Len(m) - 4
		b = byte(segment<<4) | byte(m>>(segment-1)&0xf)
	}
	if positive {
		b |= sign
	}
	return b ^ aLawFlip
}

func aLawValue(b byte) int16 {
	b ^= aLawFlip
	v := int(b&0xf)<<4 + 8 // the middle of the step
	if segment := b >> 4 & 7; segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if b&sign == 0 {
		v = -v
	}
	return int16(v)
}
