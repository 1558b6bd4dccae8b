package report_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/report"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// served is a call that was served after so many milliseconds.
func served(label, traffic string, ms float64) calls.Record {
	return calls.Record{
		ID: "1", Time: calls.Time{Time: noon}, Outcome: calls.OutcomeServed, Status: 200,
		Request:  calls.Request{Label: label, Model: "asked"},
		Service:  calls.Service{ServedModel: "answered", Project: "prod", Traffic: traffic, Tokens: calls.Tokens{Input: 1000, Cached: 10, Output: 20, Thoughts: 5}},
		Attempts: []calls.Attempt{{Class: pool.ClassOK, Status: 200}},
		Times:    calls.Times{WaitedMS: ms / 10, FirstByteMS: ms / 2, LatencyMS: ms},
	}
}

// jsonl returns records as a log has them.
func jsonl(t *testing.T, records ...calls.Record) string {
	t.Helper()
	var b strings.Builder
	log := calls.NewLog(&b, nil)
	for i := range records {
		log.Add(&records[i])
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// reportOf reads a log.
func reportOf(t *testing.T, by report.By, since time.Time, text string) *report.Report {
	t.Helper()
	r := report.New(by, since)
	if err := r.Read(t.Context(), "calls.jsonl", strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return r
}

// sample is a log with calls of all kinds.
func sample(t *testing.T) string {
	t.Helper()
	refused := served("team-b", "on_demand", 0)
	refused.Outcome, refused.Status, refused.ServedModel, refused.Tokens = calls.OutcomeRefused, 429, "", calls.Tokens{}
	refused.Time.Time = noon.Add(time.Hour)
	refused.Attempts = []calls.Attempt{{Class: pool.ClassMinuteQuota, Status: 429}, {Class: pool.ClassKeyDead, Status: 400}}
	cancelled := refused
	cancelled.Outcome, cancelled.Attempts = calls.OutcomeCancelled, []calls.Attempt{{Class: pool.ClassCancelled}}
	failed := refused
	failed.Outcome, failed.Attempts, failed.Lookups = calls.OutcomeFailed, []calls.Attempt{{Class: pool.ClassMinuteQuota, Status: 429}}, 2
	live := served("", "provisioned", 3_600_000)
	live.Method = "bidiGenerateContent"
	return jsonl(t, served("team-a", "provisioned", 1000), served("team-a", "provisioned", 2000), served("team-a", "on_demand", 4000),
		refused, cancelled, failed, live) + `{"time":"2026-11-26T12:00:00.000Z","dropped":1234}` + "\n"
}

func TestReportForPeople(t *testing.T) {
	var got strings.Builder
	if err := reportOf(t, report.ByLabel, time.Time{}, sample(t)).WriteText(&got); err != nil {
		t.Fatal(err)
	}
	want := `
7 calls from 2026-11-26 12:00:00Z to 2026-11-26 13:00:00Z; 1,234 more were dropped from the log

LABEL   CALLS  SERVED  REFUSED  FAILED  CANCELLED  ATTEMPTS  429
team-a      3       3        0       0          0         3    0
team-b      3       0        1       1          1         4    2
(none)      1       1        0       0          0         1    0
all         7       4        1       1          1         8    2

LABEL   WAITED p50    p95  FIRST BYTE p50    p95  LATENCY p50    p95    p99
team-a       200ms  401ms           997ms  1.99s        1.99s  3.99s  3.99s
team-b         0ms    0ms               -      -            -      -      -
(none)        357s   357s               -      -            -      -      -
all          100ms   357s           997ms  1.99s        1.99s  3.99s  3.99s

LABEL   TOKENS: INPUT  CACHED  TOOL USE  OUTPUT  THOUGHTS
team-a          3,000      30         0      60        15
team-b              0       0         0       0         0
(none)          1,000      10         0      20         5
all             4,000      40         0      80        20

LABEL   SERVED BY                         FAILED ATTEMPTS
team-a  provisioned 67 %, on_demand 33 %
team-b                                    minute_quota 2, key_dead 1
(none)  provisioned 100 %
all     provisioned 75 %, on_demand 25 %  minute_quota 2, key_dead 1
`
	if diff := cmp.Diff(want, "\n"+got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReportWithoutCalls(t *testing.T) {
	var text, table, object strings.Builder
	r := reportOf(t, report.ByModel, time.Time{}, "")
	if err := errors.Join(r.WriteText(&text), r.WriteCSV(&table), r.WriteJSON(&object)); err != nil {
		t.Fatal(err)
	}
	if text.String() != "no calls\n" || strings.Count(table.String(), "\n") != 1 || !strings.Contains(object.String(), `"groups": []`) {
		t.Errorf("it is\n%s%s%s", &text, &table, &object)
	}
}

func TestHitsOfTheResponseCacheAreAShareOfTheirOwn(t *testing.T) {
	hit := served("team-a", "", 1)
	hit.Cache, hit.Attempts, hit.Tokens, hit.Project = router.CacheHit, nil, calls.Tokens{}, ""
	miss := served("team-a", "on_demand", 1000)
	miss.Cache = router.CacheMiss
	r := reportOf(t, report.ByTraffic, time.Time{}, jsonl(t, hit, miss, hit, hit))
	var text, table bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteCSV(&table)); err != nil {
		t.Fatal(err)
	}
	if r.All.Served != 4 || r.All.Attempts != 1 || r.All.Tokens.Input != 1000 {
		t.Errorf("%+v", r.All)
	}
	if !strings.Contains(text.String(), "cache 75 %, on_demand 25 %") || !strings.Contains(table.String(), "cache=3") {
		t.Errorf("it is\n%s%s", &text, &table)
	}
}

// TestReportForPrograms compares what CSV and JSON say of the same group.
func TestReportForPrograms(t *testing.T) {
	r := reportOf(t, report.ByTraffic, time.Time{}, sample(t))
	var table, object bytes.Buffer
	if err := errors.Join(r.WriteCSV(&table), r.WriteJSON(&object)); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, want a head and two groups (error %v)", len(rows), err)
	}
	row := map[string]string{}
	for i, name := range rows[0] {
		row[name] = rows[1][i]
	}
	want := map[string]string{
		"traffic": "on_demand", "calls": "4", "served": "1", "refused": "1", "failed": "1", "cancelled": "1", "attempts": "5",
		"attempts_429": "2", "lookups": "2", "input_tokens": "1000", "cached_tokens": "10", "output_tokens": "20", "thoughts_tokens": "5",
		"tool_use_tokens": "0", "served_by": "on_demand=1", "failed_attempts": "minute_quota=2;key_dead=1",
	}
	for name, value := range want {
		if row[name] != value {
			t.Errorf("%s is %q, want %q", name, row[name], value)
		}
	}
	var o struct {
		Dropped int
		All     struct{ Calls int }
		Groups  []struct {
			Name      string
			Calls     int
			LatencyMS struct{ P50, P95, P99 float64 } `json:"latency_ms"`
		}
	}
	if err := json.Unmarshal(object.Bytes(), &o); err != nil || o.Dropped != 1234 || o.All.Calls != 7 || len(o.Groups) != 2 {
		t.Fatalf("error %v in %s", err, &object)
	}
	if p := o.Groups[0].LatencyMS.P50; fmt.Sprint(p) != row["latency_p50_ms"] || math.Abs(p/4000-1) > 0.01 {
		t.Errorf("the median is %v, and in CSV %s, want 4000 within 1 %%", p, row["latency_p50_ms"])
	}
	if p := o.Groups[1].LatencyMS.P99; math.Abs(p/2000-1) > 0.01 {
		t.Errorf("the 99th percentile is %v, want 2000: a Live session has no latency", p)
	}
}

func TestGroupsAreByWhatIsAsked(t *testing.T) {
	for by, want := range map[report.By][]string{
		report.ByLabel: {"team-a", "team-b", "(none)"}, report.ByModel: {"answered", "asked"},
		report.ByProject: {"prod"}, report.ByTraffic: {"on_demand", "provisioned"},
	} {
		var got []string
		for _, g := range reportOf(t, by, time.Time{}, sample(t)).Groups() {
			got = append(got, g.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %s the groups are %q, want %q", by, got, want)
		}
	}
}

func TestCallersInventNoGroupsWithoutEnd(t *testing.T) {
	var b strings.Builder
	for i := range 10_500 {
		fmt.Fprintf(&b, `{"id":"1","time":"2026-11-26T12:00:00Z","model":"m%d","outcome":"failed"}`+"\n", i)
	}
	r := reportOf(t, report.ByModel, time.Time{}, b.String())
	if groups := r.Groups(); len(groups) != 10_001 || groups[0].Name != "(others)" || groups[0].Calls != 500 || r.All.Calls != 10_500 {
		t.Errorf("%d groups, the largest %s with %d calls", len(groups), groups[0].Name, groups[0].Calls)
	}
}

// TestLogsOfOthersForgeNoRows reads names with line ends, and more of them than there are.
func TestLogsOfOthersForgeNoRows(t *testing.T) {
	var b, text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `{"id":"1","time":"2026-11-26T12:00:00Z","label":"a\nall  9","outcome":"served","traffic":"t\n%d","attempts":[{"class":"c\n%d"}]}`+"\n", i, i)
	}
	r := reportOf(t, report.ByLabel, time.Time{}, b.String())
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(text.String(), "\n"); lines != 13 || !strings.Contains(text.String(), "\na all  9") ||
		!strings.Contains(text.String(), "(others) 900") {
		t.Errorf("%d lines:\n%.2000s", lines, &text)
	}
}

func TestFormulasAreTextInCSV(t *testing.T) {
	var b strings.Builder
	if err := reportOf(t, report.ByLabel, time.Time{}, jsonl(t, served("=cmd|' /C calc'!A0", "t", 1))).WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	if rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll(); err != nil || rows[1][0] != "'=cmd|' /C calc'!A0" {
		t.Errorf("the rows are %q (error %v)", rows, err)
	}
}

func TestOnlyCallsSinceAMomentCount(t *testing.T) {
	r := reportOf(t, report.ByLabel, noon.Add(time.Minute), sample(t))
	if r.All.Calls != 3 || r.Dropped != 0 || !r.From.Equal(noon.Add(time.Hour)) {
		t.Errorf("%d calls and %d dropped from %v, want the 3 of an hour later", r.All.Calls, r.Dropped, r.From)
	}
}

func TestBrokenLinesAreCountedAndPassedOver(t *testing.T) {
	good := jsonl(t, served("a", "t", 1))
	text := good + "{\"id\":\"half\n" + "\n" + strings.Repeat("x", 3<<20) + "\n" + "[1]\n" + "null\n" + `{"level":"INFO"}` + "\n" +
		`{"id":"1","time":"yesterday"}` + "\n" + good + strings.TrimSuffix(good, "\n")
	r := reportOf(t, report.ByLabel, time.Time{}, text)
	if r.All.Calls != 3 || r.Broken != 6 || len(r.Problems) != 5 || r.Problems[0] != "calls.jsonl:2: not a line of a call log" ||
		r.Problems[2] != "calls.jsonl:5: not a line of a call log" {
		t.Errorf("%d calls, %d broken lines: %q", r.All.Calls, r.Broken, r.Problems)
	}
}

// TestNumbersThatNoCallHasAreBroken: they would make sums negative, or overflow.
func TestNumbersThatNoCallHasAreBroken(t *testing.T) {
	const line = `{"id":"1","time":"2026-11-26T12:00:00Z","outcome":"served",`
	text := line + `"tokens":{"input":-5}}` + "\n" + line + `"tokens":{"output":9223372036854775807}}` + "\n" + line + `"lookups":-1}` + "\n" +
		line + `"latency_ms":-1}` + "\n" + strings.Replace(line, "served", "odd", 1) + `"x":1}` + "\n" +
		`{"time":"2026-11-26T12:00:00Z","dropped":9223372036854775807}` + "\n"
	if r := reportOf(t, report.ByModel, time.Time{}, text); r.All.Calls != 0 || r.Broken != 6 || r.Dropped != 0 || r.All.Tokens != (calls.Tokens{}) {
		t.Errorf("%+v: %d broken lines, %d dropped", r.All, r.Broken, r.Dropped)
	}
}

func TestCompressedLogsAreRead(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, sample(t))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	whole := zipped.Bytes()
	r := report.New(report.ByLabel, time.Time{})
	if err := r.Read(t.Context(), "x", bytes.NewReader(whole)); err != nil || r.All.Calls != 7 {
		t.Errorf("%d calls (error %v), want 7", r.All.Calls, err)
	}
	if err := r.Read(t.Context(), "x", bytes.NewReader(whole[:len(whole)-9])); err == nil {
		t.Error("a cut file is no error")
	}
	if err := r.Read(t.Context(), "x", bytes.NewReader(whole[:3])); err == nil {
		t.Error("half a head is no error")
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := report.New(report.ByLabel, time.Time{})
	text := strings.Repeat(jsonl(t, served("a", "t", 1)), 2000)
	if err := r.Read(ctx, "x", strings.NewReader(text)); !errors.Is(err, context.Canceled) || r.All.Calls >= 2000 {
		t.Errorf("%d calls were read, error %v", r.All.Calls, err)
	}
}

func TestFilesThatWereRotatedAreFound(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "calls.jsonl")
	if _, err := report.Files(path, time.Time{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file the error is %v", err)
	}
	if _, err := report.Files(folder, time.Time{}); err == nil {
		t.Error("a folder is no error")
	}
	for _, name := range []string{"", ".1", ".2.gz", "-20261126", "-20261126.gz", ".old", ".1x", "x.1", ".gz"} {
		if err := os.WriteFile(path+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path+".2.gz", old, old); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		since time.Time
		want  []string
	}{
		{time.Time{}, []string{"", "-20261126", "-20261126.gz", ".1", ".2.gz"}},
		{time.Now().Add(-24 * time.Hour), []string{"", "-20261126", "-20261126.gz", ".1"}},
	} {
		got, err := report.Files(path, tt.since)
		slices.Sort(got)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], path)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("since %v the files are %q (error %v), want %q", tt.since, got, err, tt.want)
		}
	}
	t.Chdir(folder)
	if got, err := report.Files("calls.jsonl", time.Time{}); err != nil || len(got) != 5 {
		t.Errorf("in its own folder the files are %q (error %v)", got, err)
	}
}

// TestPercentilesAreWithinAPercent compares them with those of all values.
func TestPercentilesAreWithinAPercent(t *testing.T) {
	var b strings.Builder
	var all []float64
	for i := range 5000 {
		ms := math.Round(1000*math.Exp(float64(i*7919%5000)/400)) / 1000
		all = append(all, ms)
		fmt.Fprintf(&b, `{"id":"1","time":"2026-11-26T12:00:00Z","outcome":"served","latency_ms":%v}`+"\n", ms)
	}
	slices.Sort(all)
	var object bytes.Buffer
	if err := reportOf(t, report.ByModel, time.Time{}, b.String()).WriteJSON(&object); err != nil {
		t.Fatal(err)
	}
	var o struct {
		All struct {
			LatencyMS map[string]float64 `json:"latency_ms"`
			WaitedMS  map[string]float64 `json:"waited_ms"`
		}
	}
	if err := json.Unmarshal(object.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	for name, rank := range map[string]int{"p50": 2500, "p95": 4750, "p99": 4950} {
		if got, want := o.All.LatencyMS[name], all[rank-1]; math.Abs(got/want-1) > 0.0101 {
			t.Errorf("%s is %v, want %v within 1 %%", name, got, want)
		}
		if o.All.WaitedMS[name] != 0 {
			t.Errorf("%s of waits is %v, want 0", name, o.All.WaitedMS[name])
		}
	}
}

func TestReportByTrafficTellsServiceTiersApart(t *testing.T) {
	at := func(tier string) calls.Record {
		r := served("team-a", "on_demand", 10)
		r.Tier = tier
		return r
	}
	r := reportOf(t, report.ByTraffic, time.Time{}, jsonl(t, at(""), at("standard"), at("priority"), at("flex"), at("flex")))
	got := map[string]int64{}
	for _, g := range r.Groups() {
		got[g.Name] = g.Served
	}
	want := map[string]int64{"on_demand": 2, "on_demand_priority": 1, "on_demand_flex": 2}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
