package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/config"
)

var update = flag.Bool("update", false, "write testdata/*.want from what the command prints")

// transcript runs the program and returns what it did, as golden files have it.
func transcript(ctx context.Context, args ...string) (status int, text string) {
	var stdout, stderr strings.Builder
	status = run(ctx, args, &stdout, &stderr)
	return status, "$ spillway " + strings.Join(args, " ") + "\n" + stdout.String() + "-- stderr --\n" + stderr.String() +
		"-- status " + strconv.Itoa(status) + " --\n"
}

var agingWarning = regexp.MustCompile(`(?m)^.* relies on figures that were read on .*\n`)

func TestCheckPrintsThePlanOrEveryMistake(t *testing.T) {
	// Application default credentials that are not there, and keys that are.
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	t.Setenv("SPARE_KEY_1", "the-first-key")
	t.Setenv("SPARE_KEY_2", "the-second-key")
	t.Setenv("REDIS_URL", "rediss://user:the-password@redis.internal/3")
	for _, tt := range []struct {
		name string
		args []string
		want int
	}{
		{"orders", []string{"check", "testdata/orders.toml"}, 0},
		{"alias", []string{"check", "testdata/orders.toml", "fast", "gemini-3.5-flash"}, 0},
		{"mixed", []string{"check", "testdata/mixed.toml"}, 0},
		{"unserved", []string{"check", "testdata/mixed.toml", "gemini-3.5-flash"}, 1},
		{"broken", []string{"check", "testdata/broken.toml"}, 1},
		{"any", []string{"check", "testdata/any.toml"}, 0},
		{"any_model", []string{"check", "testdata/any.toml", "a-model"}, 1},
		{"misspelt_model", []string{"check", "testdata/any.toml", "gemni-2.5-flash", "gemini-3.5-flash-001", "gemini-3.5-flsh"}, 1},
		{"named_model", []string{"check", "testdata/named.toml", "our-own", "ours", "tunedModels/x"}, 0},
		{"full_names", []string{"check", "testdata/mixed.toml", "models/gemni-2.5-flash", "publishers/google/models/gemini-2.5-flash", "gemini-*"}, 1},
		{"store", []string{"check", "testdata/store.toml"}, 0},
		{"share", []string{"check", "testdata/share.toml"}, 0},
		{"cache", []string{"check", "testdata/cache.toml"}, 0},
		{"cache_json", []string{"check", "testdata/cache.toml", "gemini-embedding-001", "--json"}, 0},
		{"missing", []string{"check", "testdata/there-is-no-such-file.toml"}, 1},
		{"help", []string{"--help"}, 0},
		{"help_check", []string{"help", "check"}, 0},
		{"help_emulate", []string{"emulate", "--help"}, 0},
		{"nothing", nil, 2},
		{"unknown", []string{"chek"}, 2},
		{"unknown_far", []string{"deploy"}, 2},
		{"unknown_letters", []string{"chck"}, 2},
		{"unknown_swapped", []string{"Stauts"}, 2},
		{"help_unknown", []string{"help", "chek"}, 2},
		{"help_version", []string{"help", "version"}, 0},
		{"version_argument", []string{"version", "1"}, 2},
		{"no_file", []string{"check"}, 2},
		{"flag_of_a_place", []string{"status", "--url", "http://127.0.0.1:9"}, 2},
		{"flag_of_a_choice", []string{"explain", "--model", "gemini-3.5-flash"}, 2},
		{"flag_of_a_list", []string{"report", "--file=calls.jsonl"}, 2},
		{"unknown_flag", []string{"check", "testdata/any.toml", "--quiet"}, 2},
		{"help_discover", []string{"help", "discover"}, 0},
		{"discover_nothing", []string{"discover"}, 2},
		{"discover_both", []string{"discover", "testdata/any.toml", "--project", "acme"}, 2},
		{"discover_project", []string{"discover", "--project", "a b"}, 2},
		{"emulate_argument", []string{"emulate", "9090"}, 2},
		{"help_serve", []string{"serve", "--help"}, 0},
		{"help_status", []string{"help", "status"}, 0},
		{"help_report", []string{"help", "report"}, 0},
		{"report_no_file", []string{"report"}, 2},
		{"report_by", []string{"report", "testdata/calls.jsonl", "--by", "team"}, 2},
		{"report_both", []string{"report", "--csv", "testdata/calls.jsonl", "--json"}, 2},
		{"report_negative", []string{"report", "testdata/calls.jsonl", "--since", "-1h"}, 2},
		{"report_missing", []string{"report", "testdata/there-is-no-such-file.jsonl"}, 1},
		{"report", []string{"report", "testdata/calls.jsonl", "testdata/calls.jsonl"}, 0},
		{"report_csv", []string{"report", "testdata/calls.jsonl", "--csv", "--by", "label"}, 0},
		{"report_json", []string{"report", "testdata/calls.jsonl", "--json", "--by", "project"}, 0},
		{"help_explain", []string{"help", "explain"}, 0},
		{"help_pause", []string{"pause", "--help"}, 0},
		{"help_resume", []string{"help", "resume"}, 0},
		{"help_sla", []string{"help", "sla"}, 0},
		{"serve_no_file", []string{"serve"}, 2},
		{"serve_two_files", []string{"serve", "a.toml", "b.toml"}, 2},
		{"serve_no_host", []string{"serve", "testdata/orders.toml", "--listen", ":8080"}, 2},
		{"serve_no_port", []string{"serve", "testdata/orders.toml", "--listen", "localhost"}, 2},
		{"serve_drain", []string{"serve", "testdata/orders.toml", "--drain", "-1s"}, 2},
		{"serve_unit", []string{"serve", "testdata/orders.toml", "--drain", "30"}, 2},
		{"serve_broken", []string{"serve", "testdata/broken.toml"}, 1},
		{"serve_address", []string{"serve", "testdata/any.toml", "--listen", "127.0.0.1:no-port"}, 2},
		{"help_plan", []string{"help", "plan"}, 0},
		{"plan", []string{"plan", "testdata/demand.jsonl"}, 0},
		{"plan_month", []string{"plan", "testdata/demand.jsonl", "--gsus", "12-13", "--term", "month", "--location", "eu"}, 0},
		{"plan_short", []string{"plan", "testdata/short.jsonl", "--gsus", "1-5"}, 0},
		{"plan_few", []string{"plan", "testdata/demand.jsonl", "--gsus", "1"}, 0},
		{"plan_json", []string{"plan", "testdata/demand.jsonl", "--gsus", "20", "--json"}, 0},
		{"plan_prices", []string{"plan", "testdata/demand.jsonl", "--gsus", "20", "--prices", "testdata/prices.json"}, 0},
		{"plan_broken_prices", []string{"plan", "testdata/demand.jsonl", "--prices", "testdata/orders.toml"}, 1},
		{"plan_nothing", []string{"plan"}, 2},
		{"plan_both", []string{"plan", "testdata/demand.jsonl", "--rpm", "300"}, 2},
		{"plan_no_model", []string{"plan", "--rpm", "300", "--input", "100", "--output", "1"}, 2},
		{"plan_no_input", []string{"plan", "--rpm", "300", "--model", "gemini-3.5-flash"}, 2},
		{"plan_negative", []string{"plan", "--rpm", "300", "--input", "5", "--cached", "6", "--model", "gemini-3.5-flash"}, 2},
		{"plan_number", []string{"plan", "--rpm", "300", "--input", "5k", "--model", "gemini-3.5-flash"}, 2},
		{"plan_misspelt", []string{"plan", "--rpm", "300", "--input", "5", "--model", "gemini-3.5-flsh"}, 1},
		{"plan_drawn_pool", []string{"plan", "testdata/demand.jsonl", "--pool", "testdata/planpool.toml", "--svg", "x.svg"}, 2},
		{"plan_too_many", []string{"plan", "--rpm", "3e9", "--input", "1", "--model", "gemini-3.5-flash"}, 2},
		{"plan_gsus", []string{"plan", "testdata/demand.jsonl", "--gsus", "9-3"}, 2},
		{"plan_burndown", []string{"plan", "testdata/demand.jsonl", "--burndown", "outputs=6"}, 2},
		{"plan_term", []string{"plan", "testdata/demand.jsonl", "--term", "decade"}, 2},
		{"plan_no_log", []string{"plan", "testdata/orders.toml"}, 1},
		{"plan_no_calls", []string{"plan", "testdata/demand.jsonl", "--model", "gemini-9-ultra"}, 1},
		{"plan_no_figures", []string{"plan", "--rpm", "3", "--input", "100", "--output", "1", "--model", "gemini-9-ultra"}, 1},
		{"plan_missing", []string{"plan", "testdata/there-is-no-such-file.jsonl"}, 1},
		{"status_two", []string{"status", "http://a", "http://b"}, 2},
		{"emulate_address", []string{"emulate", "--listen", "127.0.0.1:no-port"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, got := transcript(t.Context(), tt.args...)
			got = agingWarning.ReplaceAllString(got, "") // the day decides whether it is there
			if status != tt.want {
				t.Errorf("the status is %d, want %d", status, tt.want)
			}
			golden := filepath.Join("testdata", tt.name+".want")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, key := range []string{"the-first-key", "the-second-key", "the-password", "written-into-the-file"} {
				if strings.Contains(got, key) {
					t.Errorf("the key %q is shown", key)
				}
			}
		})
	}
}

// What check says of a [[cache]] that leaves its values out is what the router takes.
func TestCheckKnowsWhatACacheHasByDefault(t *testing.T) {
	cfg, err := config.Parse("test", []byte("[[cache]]\n[[project]]\nname = \"a\"\nbackend = \"vertex\"\ncredentials = \"none\""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := planner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	got, want := cachesIn(cfg)[0], r.Stat().Caches[0]
	if got.Model != want.Model || got.MaxBytes != want.MaxBytes || got.Namespace != want.Namespace {
		t.Errorf("check says %+v, the router has %+v", got, want)
	}
}
