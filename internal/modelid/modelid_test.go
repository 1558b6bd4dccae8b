package modelid_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/modelid"
)

func TestVersionsEndTheNamesOfModels(t *testing.T) {
	keys := map[string]int{"gemini-3.5-flash": 1, "gemini-3.5-flash-lite": 2, "gemini-9-flash-002": 3}
	for name, want := range map[string]string{
		"gemini-3.5-flash":                 "gemini-3.5-flash",
		"gemini-3.5-flash-001":             "gemini-3.5-flash",
		"gemini-3.5-flash-preview-09-2026": "gemini-3.5-flash",
		"gemini-3.5-flash-lite-preview":    "gemini-3.5-flash-lite",
		"gemini-9-flash-002":               "gemini-9-flash-002",
		"gemini-3.5-flash-image":           "",
		"gemini-9-flash-001":               "",
		"gemini-3.5-flash-":                "",
		"":                                 "",
		"-":                                "",
	} {
		if got, ok := modelid.Find(keys, name); got != want || ok != (want != "") {
			t.Errorf("%q is found as %q (%v), want %q", name, got, ok, want)
		}
	}
}
