package main

import (
	"strings"
	"testing"
	"testing/synctest"
)

// TestStoryIsToldAndEveryCallSucceeds runs the whole program in the time of a bubble.
func TestStoryIsToldAndEveryCallSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), &out, inMemory()); err != nil {
			t.Fatalf("run: %v\n%s", err, out.String())
		}
		told := out.String()
		for _, want := range []string{
			"knows what its 2 members have used", "replica c joins", "knows what its 3 members have used", "does not answer 3 of 3 replicas",
			"answers, and learns", "a key of south is revoked", " 0 failed\n", "120 of the 120", "   0 with 429\n", "   1 with 400, ",
		} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not told", want)
			}
		}
		for name, key := range environment {
			if strings.Contains(told, key) {
				t.Errorf("the key %s is shown", name)
			}
		}
		if t.Failed() {
			t.Log("\n" + told)
		}
	})
}

func TestServerOfOthersIsNotStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := inMemory()
		e.lose, e.back = nil, nil // as with a server that is not the program's
		var out strings.Builder
		if err := run(t.Context(), &out, e); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "is lost") || strings.Contains(out.String(), "does not answer") {
			t.Errorf("the store is lost:\n%s", &out)
		}
	})
}
