package remedy_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/remedy"
)

// rows returns the rows of docs/429.md by their cause.
func rows(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/429.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name, _, _ := strings.Cut(cells[1][2:], "`")
		if all[name] != "" {
			t.Errorf("%s has two rows", name)
		}
		all[name] = line
	}
	return all
}

func TestEveryCauseHasItsRowInTheDocumentation(t *testing.T) {
	all := rows(t)
	for _, c := range remedy.Causes() {
		row := all[string(c)]
		delete(all, string(c))
		for _, class := range c.Classes() {
			if !strings.Contains(row, "`"+class+"`") {
				t.Errorf("the row of %s does not name the class %s", c, class)
			}
		}
		for _, vertex := range []bool{false, true} {
			do, page := remedy.Of(c, vertex, "")
			if do == "" || !strings.Contains(row, do) || !strings.Contains(row, page) {
				t.Errorf("the row of %s lacks %q or %q: %s", c, do, page, row)
			}
		}
	}
	for name := range all {
		t.Errorf("there is no cause %s", name)
	}
}

func TestPagesAreOfGoogleAndOfTheProject(t *testing.T) {
	for _, c := range remedy.Causes() {
		for _, vertex := range []bool{false, true} {
			_, bare := remedy.Of(c, vertex, "")
			_, page := remedy.Of(c, vertex, "example.com:acme&x=1")
			if bare == "" {
				continue // Google has none for it
			}
			u, err := url.Parse(page)
			if err != nil || u.Scheme != "https" || strings.HasSuffix(bare, "=") {
				t.Fatalf("%s: %q is not a page: %v", c, page, err)
			}
			if host := u.Hostname(); !strings.HasSuffix(host, ".google.com") && !strings.HasSuffix(host, ".google.dev") && host != "ai.google.dev" && host != "ai.studio" {
				t.Errorf("%s: %s is not Google's", c, page)
			}
			if console := strings.HasPrefix(u.Host, "console."); console != (u.Query().Get("project") == "example.com:acme&x=1") || console != (page != bare) {
				t.Errorf("%s: with a project the page is %s", c, page)
			}
		}
	}
}

func TestForTakesTheFinestWordThatFitsTheClass(t *testing.T) {
	for _, tt := range []struct {
		class, said, quota string
		vertex             bool
		want               remedy.Cause
	}{
		{"key_dead", "key_leaked", "", false, remedy.KeyLeaked},
		{"key_dead", "spend_cap", "", false, remedy.KeyDead},
		{"key_dead", "what another version says", "", false, remedy.KeyDead},
		{"day_quota", "", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", false, remedy.FreeDay},
		{"day_quota", "", "GenerateRequestsPerDayPerProjectPerModel", false, remedy.PaidDay},
		{"day_quota", "", "", false, remedy.DayQuota},
		{"minute_quota", "", "generativelanguage.googleapis.com/generate_content_free_tier_requests", false, remedy.FreeMinute},
		{"minute_quota", "", "GenerateContentPaidTierInputTokensPerModelPerMinute-PaidTier2", false, remedy.PaidMinute},
		{"minute_quota", "tool_quota", "x-FreeTier", false, remedy.ToolQuota},
		{"minute_quota", "", "", true, remedy.PaidMinute},
		{"minute_quota", "free_minute", "", false, remedy.FreeMinute},
		{"model_missing", "", "", true, remedy.LocationLacksIt},
		{"model_missing", "", "", false, remedy.ModelMissing},
		{"contention", "", "", true, remedy.Contention},
		{"provisioned_full", "order_bypassed", "", true, remedy.OrderBypassed},
		{"ok", "key_leaked", "", false, ""},
		{"caller_fault", "", "", false, ""},
		{"", "", "", false, ""},
		{"own_limit", "", "", false, ""},
		{"no such class", "own_limit", "\xff-FREE_TIER", false, ""},
	} {
		if got := remedy.For(tt.class, tt.said, tt.quota, tt.vertex); got != tt.want {
			t.Errorf("For(%q, %q, %q, %v) = %q, want %q", tt.class, tt.said, tt.quota, tt.vertex, got, tt.want)
		}
	}
}
