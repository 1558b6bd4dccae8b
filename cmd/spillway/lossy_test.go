package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestALogThatNobodyReadsKeepsNobody writes more lines than may wait to a pipe that is not read.
func TestALogThatNobodyReadsKeepsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		l := newLossy(out)
		for i := range waitingLines + 11 {
			_, _ = fmt.Fprintln(l, i)
			synctest.Wait()
		}
		began := time.Now()
		l.end()
		if waited := time.Since(began); waited != lastLines {
			t.Errorf("the end waited %v, want %v", waited, lastLines)
		}
		go func() { time.Sleep(time.Minute); _ = out.Close() }()
		text, _ := io.ReadAll(in)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if len(lines) != waitingLines+2 || lines[1] != "spillway: 10 lines of the log lost: its reader does not keep up" {
			t.Errorf("%d lines, the second %q", len(lines), lines[1])
		}
	})
}

func TestALogIsWrittenToItsEnd(t *testing.T) {
	var b strings.Builder
	l := newLossy(&b)
	for i := range 500 {
		_, _ = fmt.Fprintln(l, i)
	}
	l.end()
	if n := strings.Count(b.String(), "\n"); n != 500 {
		t.Errorf("%d lines, want 500", n)
	}
}
