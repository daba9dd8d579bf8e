package command

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"tidings/internal/tts/wav"
)

// file lays a WAV file down.
func file(encoding, channels, rate, bits int, size uint32, data []byte) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVE")
	b = append(b, "LIST\x03\x00\x00\x00abc\x00fmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, uint16(encoding))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(bits))
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, size)
	return append(b, data...)
}

func floats(values ...float32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func TestReadWAV(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for name, tc := range map[string]struct {
		data []byte
		want []int16
	}{
		"16 bits":          {file(1, 1, 8000, 16, 4, []byte{1, 0, 0xff, 0xff}), []int16{1, -1}},
		"half a sample":    {file(1, 1, 8000, 16, 3, []byte{1, 0, 0xff}), []int16{1}},
		"more behind it":   {file(1, 1, 8000, 16, 2, []byte{1, 0, 'x', 'y'}), []int16{1}},
		"a pipe":           {file(1, 1, 8000, 16, 0xffffffff, []byte{1, 0, 2, 0}), []int16{1, 2}},
		"a pipe, espeak":   {file(1, 1, 8000, 16, 0x7ffff000, []byte{1, 0, 2, 0}), []int16{1, 2}},
		"a pipe, zero":     {file(1, 1, 8000, 16, 0, []byte{1, 0, 2, 0}), []int16{1, 2}},
		"nothing":          {file(1, 1, 8000, 16, 0, nil), []int16{}},
		"stereo":           {file(1, 2, 8000, 16, 8, []byte{10, 0, 20, 0, 0xff, 0x7f, 0xff, 0x7f}), []int16{15, 32767}},
		"8 bits":           {file(1, 1, 8000, 8, 4, []byte{128, 0, 255, 129}), []int16{0, -32768, 32512, 256}},
		"24 bits":          {file(1, 1, 8000, 24, 9, []byte{0, 1, 0, 0, 0, 0x80, 0x80, 0xff, 0xff}), []int16{1, -32768, -1}},
		"32 bits":          {file(1, 1, 8000, 32, 8, []byte{0, 0, 1, 0, 0, 0, 0, 0x80}), []int16{1, -32768}},
		"floating point":   {file(3, 1, 8000, 32, 24, floats(0, 0.5, -1, 2, -2, nan)), []int16{0, 16384, -32768, 32767, -32768, 0}},
		"floating, stereo": {file(3, 2, 8000, 32, 8, floats(1, -0.5)), []int16{8192}},
		"double":           {file(3, 1, 8000, 64, 8, binary.LittleEndian.AppendUint64(nil, math.Float64bits(-0.25))), []int16{-8192}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readWAV(tc.data)
			if err != nil || got.Rate != 8000 || !slices.Equal(got.Int16(), tc.want) {
				t.Errorf("readWAV = %v at %d Hz, %v, want %v at 8000 Hz", got.Int16(), got.Rate, err, tc.want)
			}
		})
	}
}

func TestReadWAVRefuses(t *testing.T) {
	t.Parallel()
	noFormat := append([]byte("RIFF\x00\x00\x00\x00WAVEdata\x02\x00\x00\x00"), 1, 0)
	shortFormat := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x04\x00\x00\x00"), 1, 0, 1, 0)
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":       {nil, `begins with ""`},
		"MP3":           {[]byte("ID3\x04 and so on and so on"), `not a WAV file: it begins with "ID3`},
		"no sound":      {[]byte("RIFF\x00\x00\x00\x00WAVEfmt "), "no sound in it"},
		"no format":     {noFormat, "its sound before its format"},
		"short format":  {shortFormat, "4 bytes long"},
		"mu-law":        {file(7, 1, 8000, 8, 1, []byte{1}), "encoding 7 with 8 bits"},
		"12 bits":       {file(1, 1, 8000, 12, 1, []byte{1}), "encoding 1 with 12 bits"},
		"no channel":    {file(1, 0, 8000, 16, 2, []byte{1, 0}), "0 channels"},
		"many channels": {file(1, 9, 8000, 16, 2, []byte{1, 0}), "9 channels"},
		"no rate":       {file(1, 1, 0, 16, 2, []byte{1, 0}), "0 samples a second"},
		"a mad rate":    {file(1, 1, 200_000, 16, 2, []byte{1, 0}), "200000 samples a second"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := readWAV(tc.data); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("readWAV = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestReadWAVOfSox reads a tone in all formats that a program we did not write makes of it.
func TestReadWAVOfSox(t *testing.T) {
	t.Parallel()
	sox, err := exec.LookPath("sox")
	if err != nil {
		t.Skip("sox is not installed")
	}
	run := func(t *testing.T, format ...string) []byte {
		t.Helper()
		args := slices.Concat([]string{"-D", "-n", "-r", "22050"}, format, []string{"-", "synth", "1", "sine", "1000", "vol", "0.5"})
		out, err := exec.CommandContext(t.Context(), sox, args...).Output()
		if err != nil {
			t.Fatalf("sox %v: %v", args, err)
		}
		return out
	}
	want := wav.Sound{Rate: 22050, PCM: run(t, "-t", "raw", "-e", "signed", "-b", "16", "-L", "-c", "1")}.Int16()
	for name, format := range map[string][]string{
		"8 bits":          {"-b", "8"},
		"16 bits":         {"-b", "16"},
		"24 bits":         {"-b", "24"},
		"32 bits":         {"-b", "32"},
		"floating point":  {"-b", "32", "-e", "floating-point"},
		"double":          {"-b", "64", "-e", "floating-point"},
		"stereo":          {"-b", "16", "-c", "2"},
		"24 bits, stereo": {"-b", "24", "-c", "2"},
		"six channels":    {"-b", "24", "-c", "6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readWAV(run(t, append(format, "-t", "wav")...))
			if err != nil || got.Rate != 22050 || got.Samples() != 22050 {
				t.Fatalf("readWAV = %d samples at %d Hz, %v, want 22050 of each", got.Samples(), got.Rate, err)
			}
			for i, v := range got.Int16() {
				near := 1
				if name == "8 bits" {
					near = 1 << 8
				}
				if d := int(v) - int(want[i]); d > near || d < -near {
					t.Fatalf("sample %d is %d, want %d within %d", i, v, want[i], near)
				}
			}
		})
	}
}

func FuzzReadWAV(f *testing.F) {
	f.Add(file(1, 1, 8000, 16, 4, []byte{1, 2, 3, 4}))
	f.Add(file(3, 2, 22050, 32, 0xffffffff, floats(0.5, -0.5)))
	f.Add(file(1, 8, 22050, 24, 24, make([]byte, 24)))
	f.Add(file(encodingExtensible, 1, 8000, 16, 2, []byte{1, 0}))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readWAV(data)
		if err != nil {
			return
		}
		if got.Rate < 1 || got.Rate > wav.MaxRate || len(got.PCM)%2 != 0 || len(got.PCM) > 2*len(data) {
			t.Fatalf("readWAV(%q) = a rate of %d and %d bytes", data, got.Rate, len(got.PCM))
		}
		// What both packages read, they read alike.
		if plain, err := wav.Read(bytes.NewReader(data)); err == nil && fmt.Sprint(plain) != fmt.Sprint(got) {
			t.Errorf("readWAV(%q) = %v, and package wav reads %v", data, got, plain)
		}
	})
}
