package tts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tidings/internal/tts"
	"tidings/internal/voice"
)

const letters = "abcdefghij" // a message of one letter: 100 ms, 1,644 bytes

func exists(tb testing.TB, path string) bool {
	tb.Helper()
	_, err := os.Stat(path)
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return err == nil
}

func TestCacheEvictsWhatWasNotUsedForTheLongestTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, tts.Options{Engine: &fakeEngine{}, Dir: dir, CacheBytes: 3 * 1644})
		var files []string
		speak := func(i int) {
			speech := synthesize(t, s, plain(letters[i:i+1]), 0)
			if len(files) == i {
				files = append(files, speech.File)
			}
			<-time.After(time.Second)
		}
		for i := range 5 {
			speak(i)
		}
		for i, file := range files {
			if !exists(t, file) {
				t.Errorf("file %d is gone, though a call may still be about to play it", i)
			}
		}
		<-time.After(tts.Grace)
		speak(0)
		speak(5)
		for i, want := range []bool{true, false, false, false, true, true} {
			if got := exists(t, files[i]); got != want {
				t.Errorf("file %d is there: %v, want %v", i, got, want)
			}
		}
	})
}

func TestCacheWithoutFilesIsBoundedToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &fakeEngine{}
		s := open(t, tts.Options{Engine: e, CacheBytes: 2 * 256})
		for range 2 {
			for i := range 3 {
				synthesize(t, s, plain(letters[i:i+1]), 0)
				<-time.After(tts.Grace)
			}
		}
		if n := len(e.spoken()); n != 6 {
			t.Errorf("the engine was asked %d times, want 6: two entries fit, three take turns", n)
		}
	})
}

func TestCacheSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "speech")
	first := open(t, tts.Options{Engine: &fakeEngine{}, Dir: dir})
	contents := []voice.Content{plain("Hello"), plain("Hello there"), markup("a<break/>b")}
	before := make([]voice.Speech, len(contents))
	for i, c := range contents {
		before[i] = synthesize(t, first, c, 800*time.Millisecond)
	}
	e := &fakeEngine{}
	second := open(t, tts.Options{Engine: e, Dir: dir})
	for i, c := range contents {
		if got := synthesize(t, second, c, 800*time.Millisecond); got != before[i] {
			t.Errorf("after a restart %q is %+v, before %+v", c.Text, got, before[i])
		}
	}
	if n := len(e.spoken()); n != 0 {
		t.Errorf("the engine was asked %d times after the restart, want never", n)
	}
}

func TestCacheKeepsItsOrderAndSizeOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, tts.Options{Engine: &fakeEngine{}, Dir: dir})
	var files []string
	for i := range 4 {
		file := synthesize(t, first, plain(letters[i:i+1]), 0).File
		age := time.Now().Add(-time.Duration([]int{1, 4, 2, 3}[i]) * time.Hour)
		if err := os.Chtimes(file, age, age); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	open(t, tts.Options{Engine: &fakeEngine{}, Dir: dir, CacheBytes: 2 * 1644})
	for i, want := range []bool{true, false, true, false} {
		if got := exists(t, files[i]); got != want {
			t.Errorf("file %d is there after the restart: %v, want %v", i, got, want)
		}
	}
}

func TestCacheMarksFilesInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := synthesize(t, open(t, tts.Options{Engine: &fakeEngine{}, Dir: dir}), plain("Hello"), 0).File
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	synthesize(t, open(t, tts.Options{Engine: &fakeEngine{}, Dir: dir}), plain("Hello"), 0)
	info, err := os.Stat(file)
	if err != nil || time.Since(info.ModTime()) > 30*time.Minute {
		t.Errorf("the file was used at %v, %v, want now", info.ModTime(), err)
	}
}

func TestCacheCleansUpAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := synthesize(t, open(t, tts.Options{Engine: &fakeEngine{}, Dir: dir}), plain("Hello"), 0).File
	if err := os.Truncate(file, 100); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, ".wav-123.tmp")
	foreign := []string{
		filepath.Join(dir, "notes.txt"),
		filepath.Join(dir, strings.Repeat("0", 64)+"-8000-0.mp3"),
		filepath.Join(dir, strings.Repeat("0", 64)+"--8000-0.wav"),
		filepath.Join(dir, strings.Repeat("0", 64)+"-8000-00.wav"),
		filepath.Join(dir, strings.Repeat("A", 64)+"-8000-0.wav"),
	}
	for _, path := range append(foreign, temp) {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := &fakeEngine{}
	s := open(t, tts.Options{Engine: e, Dir: dir})
	if exists(t, file) || exists(t, temp) {
		t.Errorf("a file cut short is there: %v, a temporary one: %v, want neither", exists(t, file), exists(t, temp))
	}
	for _, path := range foreign {
		if !exists(t, path) {
			t.Errorf("%s is gone, though it is none of the cache's", filepath.Base(path))
		}
	}
	load(t, synthesize(t, s, plain("Hello"), 0))
	if n := len(e.spoken()); n != 1 {
		t.Errorf("the engine was asked %d times, want once", n)
	}
}

func TestCacheSpeaksAgainWhenAFileIsGone(t *testing.T) {
	t.Parallel()
	e := &fakeEngine{}
	s := open(t, tts.Options{Engine: e, Dir: t.TempDir()})
	for range 2 {
		speech := synthesize(t, s, plain("Hello"), 300*time.Millisecond)
		load(t, speech)
		files, err := filepath.Glob(filepath.Join(filepath.Dir(speech.File), "*.wav"))
		if err != nil || len(files) != 2 {
			t.Fatalf("the directory has %v, %v, want the whole and the cut speech", files, err)
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(e.spoken()); n != 2 {
		t.Errorf("the engine was asked %d times, want 2", n)
	}
}

func TestNewFailsWithoutItsDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tts.New(tts.Options{Engine: &fakeEngine{}, Dir: filepath.Join(file, "speech")}); err == nil {
		t.Error("New with a directory below a file succeeded")
	}
}
