package wav_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/tts/wav"
)

// file returns s as a file, with the size of the samples overwritten.
func file(tb testing.TB, s wav.Sound, size uint32) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		tb.Fatal(err)
	}
	data := b.Bytes()
	binary.LittleEndian.PutUint32(data[40:], size)
	return data
}

func TestReadIgnoresTheSizeOfAPipe(t *testing.T) {
	t.Parallel()
	want := wav.Sound{Rate: 22050, PCM: []byte{1, 2, 3, 4, 5, 6}}
	for _, size := range []uint32{6, 0, 0x7ffff000, 0x7fffffff, 0xffffffff} {
		got, err := wav.Read(bytes.NewReader(file(t, want, size)))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Read with a size of %#x: %v (-want +got):\n%s", size, err, diff)
		}
	}
}

func TestReadStopsAtTheEndOfTheSound(t *testing.T) {
	t.Parallel()
	data := append(file(t, wav.Sound{Rate: 8000, PCM: []byte{1, 2, 3, 4}}, 4), "LIST\x04\x00\x00\x00abcd"...)
	got, err := wav.Read(bytes.NewReader(data))
	if diff := cmp.Diff(wav.Sound{Rate: 8000, PCM: []byte{1, 2, 3, 4}}, got); err != nil || diff != "" {
		t.Errorf("Read with a chunk behind the sound: %v (-want +got):\n%s", err, diff)
	}
}

func TestReadSkipsOtherChunks(t *testing.T) {
	t.Parallel()
	data := file(t, wav.Sound{Rate: 8000, PCM: []byte{1, 2}}, 2)
	odd := "LIST\x03\x00\x00\x00abc\x00" // padded to an even length
	data = append(append(append([]byte{}, data[:12]...), odd...), data[12:]...)
	got, err := wav.Read(bytes.NewReader(data))
	if diff := cmp.Diff(wav.Sound{Rate: 8000, PCM: []byte{1, 2}}, got); err != nil || diff != "" {
		t.Errorf("Read with a chunk before the format: %v (-want +got):\n%s", err, diff)
	}
}

func TestReadOfAShortFile(t *testing.T) {
	t.Parallel()
	whole := file(t, wav.Sound{Rate: 8000, PCM: []byte{1, 2, 3, 4}}, 4)
	for n := range len(whole) {
		got, err := wav.Read(bytes.NewReader(whole[:n]))
		if n < wav.HeaderSize {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("Read of %d bytes = %v, %v, want an end of file", n, got, err)
			}
			continue
		}
		if want := (n - wav.HeaderSize) / 2; err != nil || got.Samples() != want {
			t.Errorf("Read of %d bytes = %d samples, %v, want %d", n, got.Samples(), err, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	change := func(at int, b ...byte) string {
		data := file(t, wav.Sound{Rate: 8000, PCM: []byte{1, 2}}, 2)
		copy(data[at:], b)
		return string(data)
	}
	for name, tc := range map[string]struct{ in, want string }{
		"other file":     {strings.Repeat("x", 100), "not a WAV file"},
		"no wave":        {change(8, 'A', 'V', 'I', ' '), "not a WAV file"},
		"mu-law":         {change(20, 7), "encoding 7"},
		"stereo":         {change(22, 2), "2 channels"},
		"eight bits":     {change(34, 8), "8 bits"},
		"no rate":        {change(24, 0, 0, 0, 0), "0 samples a second"},
		"huge rate":      {change(24, 0xff, 0xff, 0xff, 0xff), "4294967295 samples"},
		"short format":   {change(16, 8), "8 bytes long"},
		"huge format":    {change(16, 0xff, 0xff, 0xff, 0xff), "4294967295 bytes long"},
		"huge other":     {change(12, 'L', 'I', 'S', 'T', 0xff, 0xff, 0xff, 0xff), `skip WAV chunk "LIST"`},
		"no format":      {change(12, 'd', 'a', 't', 'a'), "before its format"},
		"nothing at all": {"", "EOF"},
	} {
		if got, err := wav.Read(strings.NewReader(tc.in)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: Read = %v, %v, want an error with %q", name, got, err, tc.want)
		}
	}
}

func TestDurationAndCut(t *testing.T) {
	t.Parallel()
	second := wav.Sound{Rate: 22050, PCM: wav.Silence(time.Second, 22050)}
	for _, tc := range []struct {
		limit   time.Duration
		samples int
	}{
		{2 * time.Second, 22050},
		{time.Second, 22050},
		{500 * time.Millisecond, 11025},
		{time.Millisecond, 22},
		{0, 0},
		{-time.Second, 0},
	} {
		got := second.Cut(tc.limit)
		if got.Samples() != tc.samples || got.Duration() > max(tc.limit, 0) {
			t.Errorf("Cut(%v) = %d samples, %v, want %d", tc.limit, got.Samples(), got.Duration(), tc.samples)
		}
	}
	if got := second.Duration(); got != time.Second {
		t.Errorf("Duration() = %v, want 1s", got)
	}
	if got := (wav.Sound{}).Duration(); got != 0 {
		t.Errorf("Duration() of no sound = %v, want 0", got)
	}
	if got := wav.Duration(1<<40, 192_000); got != wav.Duration(1<<39, 96_000) {
		t.Errorf("Duration of very many samples overflows: %v", got)
	}
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.wav")
	for _, want := range []wav.Sound{{Rate: 8000, PCM: []byte{1, 2}}, {Rate: 22050, PCM: []byte{}}} {
		if err := want.Save(path); err != nil {
			t.Fatal(err)
		}
		got, err := wav.Load(path)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Load after Save: %v (-want +got):\n%s", err, diff)
		}
		info, err := os.Stat(path)
		if err != nil || info.Size() != int64(wav.HeaderSize+len(want.PCM)) {
			t.Errorf("the file has %d bytes, %v, want %d", info.Size(), err, wav.HeaderSize+len(want.PCM))
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, wav.TempPattern))
	if err != nil || len(left) > 0 {
		t.Errorf("Save left %v, %v", left, err)
	}
}

func TestSaveLeavesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blocked := filepath.Join(dir, "a.wav") // a directory with something in it cannot be replaced
	if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (wav.Sound{Rate: 8000, PCM: []byte{1, 2}}).Save(blocked); err == nil {
		t.Error("Save onto a directory succeeded")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, wav.TempPattern)); len(left) > 0 {
		t.Errorf("the failed Save left %v", left)
	}
	if err := (wav.Sound{}).Save(filepath.Join(dir, "no", "such", "a.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Save into a missing directory = %v, want os.ErrNotExist", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(f, wav.Sound{Rate: 8000, PCM: []byte{1, 2, 3, 4}}, 4))
	f.Add(file(f, wav.Sound{Rate: 22050, PCM: []byte{1, 2}}, 0x7ffff000))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVELIST\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := wav.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if s.Rate <= 0 || s.Rate > wav.MaxRate || len(s.PCM) > len(data) || len(s.PCM)%2 != 0 {
			t.Fatalf("Read(%q) = a rate of %d and %d bytes", data, s.Rate, len(s.PCM))
		}
		var b bytes.Buffer
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := wav.Read(&b)
		if diff := cmp.Diff(s, again); err != nil || diff != "" {
			t.Errorf("Read(%q) does not survive Write: %v (-first +second):\n%s", data, err, diff)
		}
	})
}

func TestInt16(t *testing.T) {
	t.Parallel()
	samples := []int16{0, 1, -1, 32767, -32768}
	s := wav.New(8000, samples)
	if s.Rate != 8000 || s.Samples() != len(samples) {
		t.Errorf("New = a rate of %d and %d samples, want 8000 and %d", s.Rate, s.Samples(), len(samples))
	}
	if diff := cmp.Diff(samples, s.Int16()); diff != "" {
		t.Errorf("Int16 after New (-want +got):\n%s", diff)
	}
}
