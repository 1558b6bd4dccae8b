package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// TestStoryIsToldAndEveryCallSucceeds runs the whole program in the time of a bubble.
func TestStoryIsToldAndEveryCallSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), &out, orders); err != nil {
			t.Fatalf("run: %v\n%s", err, out.String())
		}
		told := out.String()
		for _, want := range []string{
			"the load doubles", "spare, key_dead", "spare/global/on_demand, day_quota", "europe-west4, circuit breaker", "cooldown ended: europe-west4",
			" 0 failed", "1 with 400",
		} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not told", want)
			}
		}
		for name, key := range orderKeys {
			if strings.Contains(told, key) {
				t.Errorf("the key %s is shown", name)
			}
		}

		seconds := chartLines(told)
		if len(seconds) != 14 {
			t.Fatalf("%d seconds are drawn, want 14", len(seconds))
		}
		for _, tt := range []struct {
			name   string
			second int
			ok     bool
		}{
			{"the order takes all of the first load", 2, only(seconds[1], "█")},
			{"the order and on demand share twice the load", 4, has(seconds[3], "█") && has(seconds[3], "▓") && has(seconds[3], "░")},
			{"spare goes on with its other key", 6, has(seconds[5], "░")},
			{"spare is out", 8, !has(seconds[7], "░") && has(seconds[7], "█")},
			{"only prod's global is left", 10, only(seconds[9], "▓")},
			{"the order is back", 14, has(seconds[13], "█")},
		} {
			if !tt.ok {
				t.Errorf("second %d: not so: %s", tt.second, tt.name)
			}
		}
		// The program is there to show that hardly a call asks where there is no room.
		m := regexp.MustCompile(`(\d+) with 429`).FindStringSubmatch(told)
		if m == nil {
			t.Fatal("the 429s are not told")
		}
		if refused, _ := strconv.Atoi(m[1]); refused == 0 || refused > 40 {
			t.Errorf("%d of some 780 calls met a 429, want at most 40, and one at least for the day quota", refused)
		}
		if t.Failed() {
			t.Log("\n" + told)
		}
	})
}

func has(bar, mark string) bool { return strings.Contains(bar, mark) }

func only(bar, mark string) bool { return bar != "" && strings.Trim(bar, mark) == "" }

// chartLines returns the bars, second by second.
func chartLines(told string) []string {
	var bars []string
	for _, m := range regexp.MustCompile(`(?m)^\d\ds +\d+ +\d+  (.*)$`).FindAllStringSubmatch(told, -1) {
		bars = append(bars, m[1])
	}
	return bars
}

// TestTwoKeysServeEveryCall runs the story of two API keys.
func TestTwoKeysServeEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := run(t.Context(), &out, keys); err != nil {
			t.Fatalf("run: %v\n%s", err, out.String())
		}
		told := out.String()
		for _, want := range []string{"minute_quota", "studio-2, key_dead", " 0 failed", "1 with 400"} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not told", want)
			}
		}
		seconds := chartLines(told)
		if len(seconds) != 10 {
			t.Fatalf("%d seconds are drawn, want 10", len(seconds))
		}
		both := func(bar string) bool { return has(bar, "█") && has(bar, "▓") }
		for _, tt := range []struct {
			name   string
			second int
			ok     bool
		}{
			{"the projects share the load", 2, both(seconds[1])},
			{"studio-2 goes on alone", 4, only(seconds[3], "▓")},
			{"they share again", 7, both(seconds[6])},
			{"studio-1 goes on alone", 9, only(seconds[8], "█")},
		} {
			if !tt.ok {
				t.Errorf("second %d: not so: %s", tt.second, tt.name)
			}
		}
		if t.Failed() {
			t.Log("\n" + told)
		}
	})
}

func TestReadmeShowsTheFilesAsTheyAre(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"spillway.toml": ordersFile, "keys.toml": keysFile} {
		if !strings.Contains(string(readme), "```toml\n"+string(file)+"```\n") {
			t.Errorf("README.md does not show %s as it is; copy the file into a toml block", name)
		}
	}
}
