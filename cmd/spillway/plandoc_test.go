package main

import (
	"os"
	"strings"
	"testing"
)

// docs/plan.md shows what the command prints.
func TestThePlanInTheDocsIsTrue(t *testing.T) {
	doc, err := os.ReadFile("../../docs/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	printed, err := os.ReadFile("testdata/plan.want")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(strings.ReplaceAll(string(printed), "testdata/demand.jsonl", "calls.jsonl"), "-- stderr --")
	if !strings.Contains(string(doc), text) {
		t.Errorf("docs/plan.md does not show:\n%s", text)
	}
}
