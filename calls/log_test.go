package calls_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestLinesAreWhatEncodingJSONMakes compares the lines of records that have every field, and none.
func TestLinesAreWhatEncodingJSONMakes(t *testing.T) {
	at := func(n int) calls.Time { return calls.Time{Time: time.UnixMilli(1_000_000_000_000 + int64(n))} }
	full := calls.Record{
		ID: "0123456789abcdef", Time: at(7),
		Request: calls.Request{Model: "a \"<model>\" & \\ \u2028 é", Method: "m", Stream: true, Label: "l\x7f", Priority: router.PriorityBatch},
		Outcome: calls.OutcomeFailed, Status: 503, Error: "e\n", RetryAt: at(1e6), Cache: router.CacheOff,
		Service: calls.Service{
			ServedModel: "s", Endpoint: "e", Project: "p", Traffic: "t", Tier: "flex",
			Tokens: calls.Tokens{
				Input: 1, Cached: 2, ToolUse: 3, InputAudio: 4, InputImage: 5, Output: 6, Thoughts: 7, OutputAudio: 8, OutputImage: 9,
			},
		},
		Attempts: []calls.Attempt{
			{Endpoint: "e", Model: "m", Class: pool.ClassOK, Status: 200, WaitedMS: 0.001, DurationMS: 12.34, Message: "ÿ"},
			{Endpoint: "f"},
		},
		PassedOver: []calls.PassedOver{{Endpoint: "g", Why: "w"}, {}},
		Unlisted:   true,
		Lookups:    3,
		Times:      calls.Times{WaitedMS: 1_000_000.5, FirstByteMS: 0.25, LatencyMS: 1234.567},
	}
	for name, r := range map[string]*calls.Record{"full": &full, "empty": {}} {
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		log := calls.NewLog(&got, nil)
		log.Add(r)
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(string(want)+"\n", got.String()); diff != "" {
			t.Errorf("%s: -encoding/json +line:\n%s", name, diff)
		}
		var back calls.Record
		if err := json.Unmarshal(got.Bytes(), &back); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if again, _ := json.Marshal(back); string(again) != string(want) {
			t.Errorf("%s: read back it is %s, want %s", name, again, want)
		}
	}
}

// disk is a writer that fails, hangs or writes.
type disk struct {
	mu      sync.Mutex
	written bytes.Buffer
	err     error
	hang    chan struct{} // until it is closed; nil: it does not
}

func (d *disk) Write(p []byte) (int, error) {
	d.mu.Lock()
	hang := d.hang
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, d.err
	}
	return d.written.Write(p)
}

func (d *disk) set(err error, hang chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.hang = err, hang
}

// lines returns the ids of the records that were written, and "+n" for n that were dropped.
func (d *disk) lines(t *testing.T) []string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	return lines(t, d.written.String())
}

func lines(t *testing.T, text string) []string {
	t.Helper()
	var ids []string
	for line := range strings.Lines(text) {
		var r struct {
			ID      string
			Dropped int
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Errorf("line %q: %v", line, err)
		}
		if r.Dropped > 0 {
			r.ID = fmt.Sprintf("+%d", r.Dropped)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

func record(i int) *calls.Record { return &calls.Record{ID: strconv.Itoa(i)} }

func TestLogWritesEachCallInTheOrderOfTheirEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		log := calls.NewLog(&d, nil)
		b := newBed(t, keyed(1), router.Config{}, geminitest.Config{}, log)
		slow := geminitest.Healthy()
		slow.Delay = time.Minute
		b.Script(geminitest.Match{}, slow)
		var both sync.WaitGroup
		both.Go(func() { b.ask(t) })
		synctest.Wait()
		both.Go(func() { b.ask(t) })
		both.Wait()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		var want []string
		for _, r := range b.records() {
			want = append(want, r.ID)
		}
		if got := d.lines(t); len(got) != 2 || !cmp.Equal(got, want) {
			t.Errorf("the log has %q, want %q", got, want)
		}
		if b.records()[0].LatencyMS > b.records()[1].LatencyMS {
			t.Error("the slow call stands first")
		}
	})
}

func TestCloseWritesWhatWasAddedAndLaterRecordsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		log := calls.NewLog(&d, nil)
		for i := range 5000 {
			log.Add(record(i))
		}
		if err := errors.Join(log.Close(), log.Close()); err != nil {
			t.Error(err)
		}
		log.Add(record(5000))
		if got := d.lines(t); len(got) != 5000 || got[4999] != "4999" || log.Dropped() != 1 {
			t.Errorf("%d lines, %d dropped, want 5000 and 1", len(got), log.Dropped())
		}
	})
}

// TestDiskThatHangsKeepsNoCall fills the queue while the disk hangs.
func TestDiskThatHangsKeepsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, hang := disk{}, make(chan struct{})
		d.set(nil, hang)
		var warned bytes.Buffer
		log := calls.NewLog(&d, slog.New(slog.NewTextHandler(&warned, nil)))
		b := newBed(t, keyed(1), router.Config{}, geminitest.Config{}, log)
		addOne(log, -1) // the disk hangs with it
		began := time.Now()
		for range 3 {
			b.ask(t)
		}
		for i := range 10_000 {
			log.Add(record(i))
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("calls waited %v for the disk", waited)
		}
		dropped := log.Dropped()
		if dropped == 0 || dropped > 3000 {
			t.Errorf("%d of 10,004 were dropped, want what the queue has no room for", dropped)
		}
		synctest.Wait()
		if n := strings.Count(warned.String(), "level=WARN"); n != 1 || !strings.Contains(warned.String(), "hangs") {
			t.Errorf("want one warning that the disk hangs, have %q", &warned)
		}
		d.set(nil, nil)
		close(hang)
		time.Sleep(time.Second)
		log.Add(record(10_000))
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		got := d.lines(t)
		said := 0
		for _, l := range got {
			if l == fmt.Sprintf("+%d", dropped) {
				said++
			}
		}
		if written := uint64(len(got)) - 1; said != 1 || written+dropped != 10_005 || got[len(got)-1] != "10000" {
			t.Errorf("%d lines and %d dropped, which %d lines say; the last is %s", written, dropped, said, got[len(got)-1])
		}
	})
}

func TestCloseDoesNotWaitForEverForADisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, hang := disk{}, make(chan struct{})
		d.set(nil, hang)
		log := calls.NewLog(&d, nil)
		log.Add(record(1))
		began := time.Now()
		if err := log.Close(); err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("after %v the error is %v, want one after 5s", time.Since(began), err)
		}
		close(hang)
	})
}

// TestFullDiskIsToldOnce fails writes, and lets them work again.
func TestFullDiskIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		var said bytes.Buffer
		log := calls.NewLog(&d, slog.New(slog.NewTextHandler(&said, nil)))
		add := func(i int) { addOne(log, i) }
		add(1)
		d.set(errors.New("no space left on device"), nil)
		for i := range 100 {
			add(2 + i)
		}
		if n := strings.Count(said.String(), "level=WARN"); n != 1 || !strings.Contains(said.String(), "no space left") {
			t.Errorf("want one warning with the reason, have %s", &said)
		}
		d.set(nil, nil)
		add(102)
		d.set(io.ErrShortWrite, nil)
		add(103)
		d.set(nil, nil)
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		want := []string{"1", "+100", "102", "+1"}
		if got := d.lines(t); !cmp.Equal(got, want) || log.Dropped() != 101 {
			t.Errorf("the log has %q and %d dropped, want %q", got, log.Dropped(), want)
		}
		if n := strings.Count(said.String(), "level=WARN"); n != 2 || strings.Count(said.String(), "level=INFO") != 1 {
			t.Errorf("want a warning for each time that it failed, and a line when it worked again: %s", &said)
		}
	})
}
