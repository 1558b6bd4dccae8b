package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/spillway-go/spillway/bench/built"
)

// What does not depend on the speed of the machine, in real processes: no call of the others fails,
// nothing is smuggled, and each call that was accepted is answered at the end.
func TestAShortSiege(t *testing.T) {
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		t.Skip("this system does not say how much memory a process has used")
	}
	sidecar, err := built.Sidecar(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range allRows(true) {
		if !regexp.MustCompile("^(smuggling|SIGTERM under load|slow in the header)$").MatchString(w.name) {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			tr := &trial{row: w, options: &options{quick: true}, sidecar: sidecar, dir: filepath.Join(t.TempDir(), "row")}
			r := tr.run(t.Context())
			r.alone, r.beside = 0, 0
			for _, m := range w.missed(&r) {
				t.Error(m)
			}
		})
	}
}

// The test is a process of the siege, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			role(os.Args[2:])
			return
		}
	}
	os.Exit(m.Run())
}
