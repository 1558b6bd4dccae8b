package main

import (
	"strings"
	"testing"
)

// A project with labels serves calls with such a label alone, and they go nowhere else.
func TestExplainShowsWhereACallWithALabelWouldGo(t *testing.T) {
	o := operate(t, handsFile+`labels = ["migration-*"]`)
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, ": a call would go to prod/"},
		{[]string{"--label", "team-a"}, ": a call with the label team-a would go to prod/"},
		{[]string{"--label", "migration-a"}, ": a call with the label migration-a would go to spare/"},
		{[]string{"--label", "migration-a", "--batch"}, ": a batch call with the label migration-a would go to spare/"},
		{[]string{"--label", "a\nb"}, "would be refused with 400"},
	} {
		_, text := typed(t, append([]string{"explain", "gemini-2.5-flash", o.URL}, test.args...)...)
		if first, _, _ := strings.Cut(text, "\n"); !strings.Contains(first, test.want) {
			t.Errorf("with %q explain says %q, want %q", test.args, first, test.want)
		}
	}
}
