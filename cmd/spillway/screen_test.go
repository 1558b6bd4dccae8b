package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const wide = "MODEL\tENDPOINT\tSTATE\n" +
	"gemini-3.5-flash\tproject/global/on_demand\tready, rpm 3 of 1,000, paced to 0.7 a second\n" +
	"gemini-3.5-flash\tspare/global/on_demand\tday_quota until 2026-11-27 08:00:00Z (GenerateRequestsPerDayPerProjectPerModel)\n" +
	"\t\t  Google says: You exceeded your current quota, please check your plan and billing details.\n"

func TestTablesFitTheWidthOfTheTerminal(t *testing.T) {
	letters := func(text string) string { return strings.Join(strings.Fields(text), "") }
	for _, width := range []int{0, 200, 80, 60, 40, 12} {
		got := view{width: width}.table(wide, tone)
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 0 && n > width {
				t.Errorf("at %d columns a line has %d: %q", width, n, line)
			}
		}
		if width >= 60 && letters(got) != letters(wide) {
			t.Errorf("at %d columns letters are missing:\n%s", width, got)
		}
	}
	const want = `MODEL             ENDPOINT                  STATE
gemini-3.5-flash  project/global/on_demand
    ready, rpm 3 of 1,000, paced to 0.7 a second
gemini-3.5-flash  spare/global/on_demand
    day_quota until 2026-11-27 08:00:00Z
    (GenerateRequestsPerDayPerProjectPerModel)
      Google says: You exceeded your current quota, please check your plan and
      billing details.
`
	if got := (view{width: 80}).table(wide, tone); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnAddressStaysWholeUnlessTheScreenIsDrawn(t *testing.T) {
	const page = "https://console.cloud.google.com/vertex-ai/provisioned-throughput?project=acme-prod"
	row := "order\tready\n\t  see: " + page + " for more\n"
	if got, want := (view{width: 40}).table(row, nil), "order  ready\n      see:\n      "+page+"\n      for more\n"; got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	for line := range strings.Lines(view{width: 40, drawn: true}.table(row, nil)) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 40 {
			t.Errorf("drawn is %q", line)
		}
	}
}

func TestColoursAreOnlyWhereTheyAreWanted(t *testing.T) {
	plainTable := view{width: 80}.table(wide, tone)
	coloured := view{width: 80, colour: true}.table(wide, tone)
	if strings.Contains(plainTable, "\x1b") {
		t.Errorf("colours without a terminal: %q", plainTable)
	}
	for _, want := range []string{bold + "STATE", green + "ready, rpm", yellow + "day_quota", faint + "  Google says"} {
		if !strings.Contains(coloured, want) {
			t.Errorf("%q is missing in %q", want, coloured)
		}
	}
	if got := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(coloured, ""); got != plainTable {
		t.Errorf("colours change the text to %q", got)
	}
}

func TestWhatACellSaysMovesNoCursor(t *testing.T) {
	got := view{width: 80, colour: true}.table("A\tSTATE\n\x1b[2Jx\tready\x1b[2J\u009b\u202e\r\n", tone)
	if strings.ContainsAny(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(got, bold, ""), green, ""), colourNormal, ""), "\x1b\u009b\u202e\r") {
		t.Errorf("%q", got)
	}
}

func TestAFrameFitsTheHeight(t *testing.T) {
	v := view{width: 80, height: 5}
	if got, want := v.frame("1\n2\n3\n4\n", true), clearScreen+cursorHome+"1\x1b[K\n2\x1b[K\n3\x1b[K\n4\x1b[K\n"+clearBelow; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := v.frame(strings.Repeat("x\n", 100), false)
	if n := strings.Count(got, "\n"); n != 4 || !strings.Contains(got, "97 more lines") || strings.Contains(got, clearScreen) {
		t.Errorf("%d lines: %q", n, got)
	}
}

func TestAHugeCellTakesNoLongerThanItIsLong(t *testing.T) {
	for _, cell := range []string{strings.Repeat("x", 8<<20), strings.Repeat("é ", 4<<20), strings.Repeat(" ", 8<<20)} {
		if got := (view{width: 80, colour: true}).table("A\tSTATE\na\t"+cell+"\n", tone); strings.Count(got, "x")+strings.Count(got, "é") != strings.Count(cell, "x")+strings.Count(cell, "é") {
			t.Errorf("%d bytes become %d", len(cell), len(got))
		}
	}
}
