package router_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/spillway-go/spillway/router"
)

func TestUsualTimeIsThatOf95In100(t *testing.T) {
	var u router.UsualTimes
	if n, _ := u.Of("m", "generateContent", 0); n != 0 {
		t.Errorf("%d answers are known", n)
	}
	for i := range 100 {
		u.Observe("m", "generateContent", 0, time.Duration(i+1)*time.Second)
	}
	if n, took := u.Of("m", "generateContent", 0); n != 100 || took != 95*time.Second {
		t.Errorf("%d answers, %v; want 95 s", n, took)
	}
	if n, took := u.Of("m", "generateContent", 2); n != 100 || took != 380*time.Second {
		t.Errorf("with four times the output: %d answers, %v; want 380 s", n, took)
	}
	for range 128 {
		u.Observe("m", "generateContent", 0, time.Second)
	}
	if _, took := u.Of("m", "generateContent", 0); took != time.Second {
		t.Errorf("the usual time is %v after it has changed to 1 s", took)
	}
	for range 20 {
		u.Observe("m", "generateContent", 2, 3*time.Second)
	}
	if _, took := u.Of("m", "generateContent", 2); took != 3*time.Second {
		t.Errorf("a larger call's own is %v, want 3 s", took)
	}
}

func TestUsualTimesAreBounded(t *testing.T) {
	var u router.UsualTimes
	u.Observe("kept", "x", 0, time.Second)
	for i := range 5000 {
		u.Observe(strconv.Itoa(i), "x", 0, time.Second)
		u.Of("kept", "x", 0)
	}
	if n := u.Len(); n != 1000 {
		t.Errorf("%d kinds are remembered, want 1000", n)
	}
	if n, _ := u.Of("kept", "x", 0); n != 1 {
		t.Error("what is in use was forgotten")
	}
}

func TestHearingsAreBounded(t *testing.T) {
	var h router.Hearings
	kept := h.Begin("a", "kept")
	for i := range 20_000 {
		h.End(h.Begin("a", strconv.Itoa(i)))
	}
	if n := h.Len(); n > 4097 {
		t.Errorf("%d are remembered", n)
	}
	if h.Begin("a", "kept") != kept {
		t.Error("what a call under way needs was forgotten")
	}
}
