package calls_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/report"
)

// addOne adds a record and waits until it is written.
func addOne(log *calls.Log, i int) {
	log.Add(record(i))
	time.Sleep(200 * time.Millisecond)
	synctest.Wait()
}

// read returns the lines of a file; nil if there is none.
func read(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return lines(t, string(text))
}

func TestFilesAreRotatedBySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "calls.jsonl")
		one := len(fmt.Sprintf(`{"id":"1","time":"%s","priority":"","outcome":"","waited_ms":0,"latency_ms":0}`+"\n", calls.Time{}))
		log := calls.OpenLog(path, calls.FileConfig{MaxSize: int64(2*one + 1), MaxFiles: 2}, nil)
		for i := range 9 {
			addOne(log, i)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		got := [][]string{read(t, path), read(t, path+".1"), read(t, path+".2"), read(t, path+".3")}
		want := [][]string{{"8"}, {"6", "7"}, {"4", "5"}, nil}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for _, name := range []string{path, path + ".1"} {
			if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
				t.Errorf("%s has mode %v, want 0600 (error %v)", name, info.Mode(), err)
			}
		}
	})
}

// The disk that an operator has chosen by a symbolic link stays chosen.
func TestALinkStaysAndTheFileBehindItIsRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := t.TempDir()
		link, file := filepath.Join(t.TempDir(), "calls.jsonl"), filepath.Join(disk, "data.jsonl")
		if err := os.Symlink(file, link); err != nil {
			t.Skip(err)
		}
		log := calls.OpenLog(link, calls.FileConfig{MaxSize: 1, MaxFiles: 2}, nil)
		for i := range 4 {
			addOne(log, i)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([][]string{{"3"}, {"2"}, {"1"}}, [][]string{read(t, file), read(t, file+".1"), read(t, file+".2")}); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if to, err := os.Readlink(link); err != nil || to != file {
			t.Errorf("the link leads to %q, %v", to, err)
		}
		if files, err := report.Files(link, time.Time{}); err != nil || len(files) != 3 {
			t.Errorf("the report reads %v, %v", files, err)
		}
	})
}

func TestFileThatWasMovedIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "calls.jsonl")
		log := calls.OpenLog(path, calls.FileConfig{}, nil)
		addOne(log, 1)
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		addOne(log, 2)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil { // as logrotate's "create" does
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		addOne(log, 3)
		_ = log.Close()
		if got := [][]string{read(t, path+".old"), read(t, path)}; !cmp.Equal(got, [][]string{{"1"}, {"3"}}) {
			t.Errorf("the files have %q, want the record after each move in the new file", got)
		}
	})
}

// TestTwoProcessesRotateOneFileOnce writes one file from two logs.
func TestTwoProcessesRotateOneFileOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "calls.jsonl")
		cfg := calls.FileConfig{MaxSize: 400, MaxFiles: 9}
		a, b := calls.OpenLog(path, cfg, nil), calls.OpenLog(path, cfg, nil)
		for i := range 20 {
			addOne(a, i)
			addOne(b, 100+i)
		}
		_, _ = a.Close(), b.Close()
		seen := map[string]int{}
		files, _ := filepath.Glob(path + "*")
		for _, f := range files {
			for _, id := range read(t, f) {
				seen[id]++
			}
		}
		if len(seen) != 40 {
			t.Errorf("%d records are left of 40: %v", len(seen), seen)
		}
	})
}

func TestLineThatWasCutIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "calls.jsonl")
		if err := os.WriteFile(path, []byte(`{"id":"half`), 0o600); err != nil {
			t.Fatal(err)
		}
		log := calls.OpenLog(path, calls.FileConfig{}, nil)
		addOne(log, 1)
		_ = log.Close()
		text, err := os.ReadFile(path)
		first, rest, _ := strings.Cut(string(text), "\n")
		if got := lines(t, rest); err != nil || first != `{"id":"half` || !cmp.Equal(got, []string{"1"}) {
			t.Errorf("the file has %q (error %v)", text, err)
		}
	})
}

// TestFileThatCannotBeWrittenIsTriedAgain opens a log in a folder that is made later.
func TestFileThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "later")
		path := filepath.Join(folder, "calls.jsonl")
		var said bytes.Buffer
		log := calls.OpenLog(path, calls.FileConfig{}, slog.New(slog.NewTextHandler(&said, nil)))
		synctest.Wait()
		if n := strings.Count(said.String(), "level=WARN"); n != 1 || !strings.Contains(said.String(), fs.ErrNotExist.Error()[:4]) {
			t.Errorf("before the first call the log says %q, want a warning", &said)
		}
		addOne(log, 1)
		addOne(log, 2)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		addOne(log, 3)
		_ = log.Close()
		if got := read(t, path); !cmp.Equal(got, []string{"+2", "3"}) {
			t.Errorf("the file has %q", got)
		}
		if n := strings.Count(said.String(), "\n"); n != 2 {
			t.Errorf("want two lines, one of them when it works again: %s", &said)
		}
	})
}

// TestFullDeviceStopsNoCall writes to a device that is always full.
func TestFullDeviceStopsNoCall(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		return // only Linux has it; TestFullDiskIsToldOnce is about the same
	}
	var said bytes.Buffer
	log := calls.OpenLog("/dev/full", calls.FileConfig{}, slog.New(slog.NewTextHandler(&said, nil)))
	for i := range 100 {
		log.Add(record(i))
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(said.String(), "level=WARN"); n != 1 || log.Dropped() != 100 {
		t.Errorf("%d of 100 were dropped: %s", log.Dropped(), &said)
	}
}
