package demand_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/quota"
)

var nine = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

const flash = "gemini-3.5-flash"

// record is a line of Spillway's call log.
func record(t *testing.T, change func(*calls.Record)) string {
	t.Helper()
	r := calls.Record{Time: calls.Time{Time: nine}, Outcome: calls.OutcomeServed}
	r.Model, r.Method, r.Label, r.Priority = flash, "streamGenerateContent", "team-a", "interactive"
	r.Tokens = calls.Tokens{Input: 1000, Cached: 300, Output: 200, Thoughts: 50}
	r.LatencyMS, r.WaitedMS = 2500, 500
	change(&r)
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

func nothing(*calls.Record) {}

func TestReadSpillwaysCallLog(t *testing.T) {
	log := record(t, func(r *calls.Record) { r.Time.Time = nine.Add(time.Second) }) +
		record(t, func(r *calls.Record) { r.Priority = "batch" }) +
		record(t, func(r *calls.Record) {
			r.Outcome, r.Tokens, r.Time.Time = calls.OutcomeRefused, calls.Tokens{}, nine.Add(2*time.Second)
		}) +
		record(t, func(r *calls.Record) { r.Outcome, r.Tokens = calls.OutcomeFailed, calls.Tokens{} }) +
		record(t, func(r *calls.Record) { r.Cache, r.Tokens = "hit", calls.Tokens{} }) +
		record(t, func(r *calls.Record) { r.Outcome, r.Tokens = calls.OutcomeCancelled, calls.Tokens{} }) +
		record(t, func(r *calls.Record) { r.Method = "countTokens" }) +
		record(t, func(r *calls.Record) { r.Method = "bidiGenerateContent" }) +
		record(t, func(r *calls.Record) {
			r.Model, r.Outcome, r.Tokens = "another", calls.OutcomeRefused, calls.Tokens{}
		}) + `{"outcome": cut off`
	got, err := demand.Read(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	usage := quota.Usage{Input: 1000, Cached: 300, Output: 200}
	call := demand.Call{At: nine, Took: 2 * time.Second, Model: flash, Label: "team-a", Usage: usage}
	batch, second, refused := call, call, call
	batch.Batch = true
	second.At = nine.Add(time.Second)
	refused.At, refused.Took = nine.Add(2*time.Second), demand.Took(usage)
	want := &demand.Log{
		Format: "Spillway's call log", Calls: []demand.Call{batch, second, refused}, Skipped: 6, Broken: 1, Filled: 1,
		Left: []demand.Left{
			{Why: "of calls that failed", Entries: 1, Line: 4},
			{Why: "that the response cache served", Entries: 1, Line: 5},
			{Why: "without tokens", Entries: 1, Line: 6},
			{Why: "of other methods than generateContent", Entries: 2, Line: 7},
			{Why: "no JSON object", Broken: true, Entries: 1, Line: 10},
			{Why: "of calls that were refused, of a model that served none", Entries: 1},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

const litellmRow = `{"request_id":"a","call_type":"acompletion","api_key":"88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
 "custom_llm_provider":"vertex_ai","model":"vertex_ai/gemini-3.5-flash","startTime":"2026-11-26T09:00:00.000Z","endTime":"2026-11-26T09:00:03.500000+00:00",
 "prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"cache_hit":"False","status":"success","user":"ann","team_id":"t1",
 "request_tags":["User-Agent: curl","nightly"],"metadata":{"user_api_key_team_alias":"search","usage_object":{"prompt_tokens_details":{"cached_tokens":300,"audio_tokens":20}}}}`

func TestReadLiteLLMsSpendLogs(t *testing.T) {
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(litellmRow) }
	before, _, _ := strings.Cut(litellmRow, `"metadata":`)
	rows := []string{
		litellmRow,
		edit("nightly", "User-Agent: curl"),
		before + `"metadata":"` + strings.ReplaceAll(`{"usage_object":{"cache_read_input_tokens":300,"prompt_tokens_details":{"audio_tokens":20}}}`, `"`, `\"`) + `"}`,
		edit("gemini-3.5-flash", "claude-sonnet-4"),
		edit(`"cache_hit":"False"`, `"cache_hit":"True"`),
		edit(`"status":"success"`, `"status":"failure"`),
	}
	call := demand.Call{At: nine, Took: 3500 * time.Millisecond, Model: flash, Label: "nightly", Usage: quota.Usage{
		Input: 1000, Cached: 300, InputAudio: 20, Output: 200,
	}}
	team := call
	team.Label = "search"
	want := &demand.Log{Format: "LiteLLM's spend logs", Calls: []demand.Call{call, call, team}, Skipped: 3, Left: []demand.Left{
		{Why: "of other models than Gemini's", Entries: 1}, {Why: "that LiteLLM served from its cache", Entries: 1},
		{Why: "of calls that failed", Entries: 1},
	}}
	compact := func(row string) string { return strings.ReplaceAll(row, "\n", "") }
	var lines []string
	for _, row := range rows {
		lines = append(lines, compact(row))
	}
	for _, tt := range []struct {
		name, text    string
		first, height int // the line of the first row, and how many lines a row has
	}{
		{"lines", strings.Join(lines, "\n"), 1, 1},
		{"lines of Windows, after a byte order mark", "\ufeff\n" + strings.Join(lines, "\r\n"), 2, 1},
		{"an array", "[" + strings.Join(rows, ",") + "]", 1, 3},
		{"an array of lines", "[\n" + strings.Join(lines, ",\n") + "\n]", 2, 1},
		{"objects of several lines", "\n" + strings.Join(rows, ""), 2, 3},
		{"a page", `{"data": [` + strings.Join(rows, ",\n") + `], "total": 6}`, 1, 4},
		{"a page of lines", "{\"data\": [\n" + strings.Join(lines, ",\n") + "\n]}", 2, 1},
		{"pages that are a line each", `{"page":1,"data":[` + strings.Join(lines[:3], ",") + "]}\n" + `{"page":2,"data":[` + strings.Join(lines[3:], ",") + "]}", 0, 0},
		{"arrays that are a line each", "[" + strings.Join(lines[:3], ",") + "]\n[" + strings.Join(lines[3:], ",") + "]\n", 0, 0},
	} {
		name, text := tt.name, tt.text
		for i := range want.Left {
			if want.Left[i].Line = 2; tt.height > 0 {
				want.Left[i].Line = tt.first + (3+i)*tt.height
			}
		}
		got, err := demand.Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Calls {
			got.Calls[i].At = got.Calls[i].At.UTC()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestReadLiteLLMsTable(t *testing.T) {
	text := "\ufeffrequest_id,model,startTime,endTime,prompt_tokens,completion_tokens,cache_hit,request_tags,metadata\n" +
		`a,gemini/gemini-3.5-flash,2026-11-26 09:00:00.25,2026-11-26 09:00:01.25,1000,200,False,"[""nightly""]","{""usage_object"":{""prompt_tokens_details"":{""cached_tokens"":300}}}"` + "\n" +
		`b,gemini/gemini-3.5-flash,2026-11-26 09:00:00+00,,many,200,False,,` + "\n" + `c` + "\n"
	got, err := demand.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &demand.Log{Format: "LiteLLM's spend logs", Broken: 2, Left: []demand.Left{
		{Why: "prompt_tokens is no number", Broken: true, Entries: 1, Line: 3}, {Why: "no entry of such a log", Broken: true, Entries: 1, Line: 4},
	}, Calls: []demand.Call{{
		At: nine.Add(250 * time.Millisecond), Took: time.Second, Model: flash, Label: "nightly", Usage: quota.Usage{Input: 1000, Cached: 300, Output: 200},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReadVertexAIsLogs(t *testing.T) {
	const usage = `{"promptTokenCount":900,"toolUsePromptTokenCount":100,"cachedContentTokenCount":300,"candidatesTokenCount":150,"thoughtsTokenCount":50,` +
		`"promptTokensDetails":[{"modality":"TEXT","tokenCount":880},{"modality":"AUDIO","tokenCount":20}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":15}]}`
	row := func(response string) string {
		return `{"endpoint":"e","logging_time":"2026-11-26 09:00:00 UTC","request_id":"7","model":"publishers/google/models/gemini-3.5-flash",` +
			`"api_method":"streamGenerateContent","full_request":{"labels":{"team":"a","zone":"b"}},"full_response":` + response + "}\n"
	}
	quoted, err := json.Marshal(`{"usageMetadata":` + usage + `}`)
	if err != nil {
		t.Fatal(err)
	}
	text := row(`{"usageMetadata":`+usage+`}`) + row(string(quoted)) + row(`[{"candidates":[]},{"usageMetadata":`+usage+`},{}]`) +
		row(`{}`) + row(`null`) + strings.Replace(row(`{"usageMetadata":`+usage+`}`), "streamGenerateContent", "embedContent", 1)
	got, err := demand.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	u := quota.Usage{Input: 1000, InputAudio: 20, Cached: 300, CachedAudio: 15, Output: 200}
	call := demand.Call{At: nine, Took: demand.Took(u), Model: flash, Label: "team=a", Usage: u}
	want := &demand.Log{Format: "Vertex AI's request-response logs", Calls: []demand.Call{call, call, call}, Skipped: 3, Left: []demand.Left{
		{Why: "without tokens", Entries: 2, Line: 4}, {Why: "of other methods than generateContent", Entries: 1, Line: 6},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	for _, text := range []string{"{}", "hello", `{"a": 1}` + "\n" + `{"b": 2}`, "a,b\n1,2\n", "[1, 2", "\x00\xff"} {
		if l, err := demand.Read(strings.NewReader(text)); !errors.Is(err, demand.ErrNoLog) {
			t.Errorf("%q is read as %+v, %v", text, l, err)
		}
	}
}

// Numbers of a log may be anything; they must not wrap around.
func TestNumbersWithoutSense(t *testing.T) {
	for _, n := range []string{"1e300", "-5", "0", "9223372036854775807"} {
		text := strings.ReplaceAll(strings.ReplaceAll(litellmRow, "\n", ""), `"completion_tokens":200`, `"completion_tokens":`+n)
		l, err := demand.Read(strings.NewReader(text))
		if err != nil || len(l.Calls) != 1 || l.Calls[0].Usage.Output < 0 || l.Calls[0].Usage.Output > 1<<30 {
			t.Errorf("%s: %+v, %v", n, l, err)
		}
	}
}

func TestWhoCalls(t *testing.T) {
	l := &demand.Log{}
	for i, label := range []string{"b", "a", "", "b", "c", "a", "b"} {
		l.Calls = append(l.Calls, demand.Call{At: nine.Add(time.Duration(i) * time.Second), Model: flash + strings.Repeat("x", i/5), Label: label})
	}
	if got, want := fmt.Sprint(l.Labels(), l.Models()), "[{b 3} {a 2} {c 1}] [{"+flash+" 5} {"+flash+"x 2}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if first, length := l.Span(); !first.Equal(nine) || length != 6*time.Second || len(l.Only(flash)) != 5 {
		t.Errorf("the log begins at %v and has %v, of which %d calls are for %s", first, length, len(l.Only(flash)), flash)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(strings.ReplaceAll(litellmRow, "\n", ""))
	f.Add("prompt_tokens,model\n1,\"gemini")
	f.Add(`{"logging_time":"x","full_response":[null]}`)
	f.Add(`{"outcome":"served","tokens":{"input":-1}}`)
	f.Add("{\"data\":[\n{\"prompt_tokens\":\"5\",\"model\":\"gemini\",\"startTime\":1795683600}]}")
	f.Add("[{\"logging_time\":\"1.7956836E9\",\"response_payload\":[\"{}\"]}]\n[5,{\"outcome\":{}}]")
	f.Add("tokens.input;outcome;time;model\n5;served;1795683600;x")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := demand.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, c := range l.Calls {
			if c.Model == "" || c.At.IsZero() || c.Usage.Input < 0 || c.Took <= 0 {
				t.Errorf("%q has the call %+v", text, c)
			}
		}
	})
}
