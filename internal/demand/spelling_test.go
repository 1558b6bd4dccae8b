package demand_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/quota"
)

// Programs and databases spell one log in several ways.
func TestSpellingsOfOneCall(t *testing.T) {
	lite := demand.Call{At: nine, Took: 2 * time.Second, Model: flash, Label: "7", Usage: quota.Usage{Input: 1000, Cached: 300, Output: 200}}
	bare := lite
	bare.Label, bare.Usage.Cached = "", 0
	own := demand.Call{At: nine, Took: 2 * time.Second, Model: flash, Label: "app", Usage: quota.Usage{Input: 1000, Cached: 300, Output: 200}}
	vertex := demand.Call{At: nine, Model: flash, Usage: quota.Usage{Input: 1000, Cached: 300, Output: 200}}
	vertex.Took = demand.Took(vertex.Usage)
	const details = `{"usage_object":{"prompt_tokens_details":{"cached_tokens":"300"}}}`
	quote := func(text string) string {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	}
	vertexRow := func(at, response string) string {
		return `{"logging_time":` + at + `,"model":"publishers/google/models/gemini-3.5-flash","api_method":"GenerateContent","full_response":` + response + `}`
	}
	const usage = `{"candidates":[{"content":{"parts":[{"text":"the \"outcome\" is {\"prompt_tokens\": 5}"}]}}],"outcome":"served","prompt_tokens":3,` +
		`"usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":300,"candidatesTokenCount":200}}`
	for name, tt := range map[string]struct {
		text string
		want demand.Call
	}{
		"LiteLLM, numbers as strings":            {`{"prompt_tokens":"1000","completion_tokens":"200","model":"gemini-3.5-flash","startTime":"2026-11-26T09:00:00Z","endTime":"2026-11-26T09:00:02Z","user":7,"metadata":` + details + `}`, lite},
		"LiteLLM, a team that is a number":       {`{"prompt_tokens":1000.0,"completion_tokens":2e2,"model":"gemini-3.5-flash","startTime":"2026-11-26 09:00:00","endTime":"2026-11-26 09:00:02","user":{"id":3},"team_id":7,"metadata":` + quote(details) + `}`, lite},
		"LiteLLM's logger":                       {`{"prompt_tokens":1000,"completion_tokens":200,"model":"gemini/gemini-3.5-flash","startTime":1795683600.0,"endTime":1795683602.0,"cache_hit":null,"status":"success","team_id":null,"user":"","metadata":null}`, bare},
		"a table in lower case":                  {"request_id,starttime,endtime,model,prompt_tokens,completion_tokens\na,2026-11-26 09:00:00+00,2026-11-26 09:00:02+00,gemini-3.5-flash,1000,200\n", bare},
		"a table in upper case":                  {"STARTTIME,ENDTIME,MODEL,PROMPT_TOKENS,COMPLETION_TOKENS,TEAM_ID\n2026-11-26 09:00:00 +0000,2026-11-26 09:00:02 +0000,gemini-3.5-flash,1000,200,NULL\n", bare},
		"a table with semicolons":                {"startTime;endTime;model;prompt_tokens;completion_tokens\n\"2026-11-26 09:00:00\";\"2026-11-26 09:00:02\";gemini-3.5-flash;1000;200\n", bare},
		"a table with tabs":                      {"startTime\tendTime\tmodel\tprompt_tokens\tcompletion_tokens\n1795683600\t1795683602\tgemini-3.5-flash\t1000\t200\n", bare},
		"a flat table":                           {"start_time,end_time,model,prompt_tokens,completion_tokens,user,metadata.usage_object.prompt_tokens_details.cached_tokens\n1795683600000,1795683602000,gemini-3.5-flash,1000.0,200.0,7,300\n", lite},
		"Spillway's, numbers as text":            {`{"outcome":"served","time":"2026-11-26 09:00:00 UTC","model":"gemini-3.5-flash","method":"generateContent","label":"app","tokens":{"input":"1000","cached":"300","output":"200"},"latency_ms":"2500","waited_ms":"500"}`, own},
		"Spillway's, as a table":                 {"outcome,time,model,method,label,tokens,latency_ms\nserved,2026-11-26 09:00:00.000 UTC,gemini-3.5-flash,generateContent,app,\"{\"\"input\"\":1000,\"\"cached\"\":300,\"\"output\"\":200}\",2000\n", own},
		"Vertex AI's, its content as other logs": {vertexRow(`"2026-11-26 09:00:00.000000 UTC"`, usage), vertex},
		"Vertex AI's, seconds":                   {vertexRow(`"1.7956836E9"`, quote(usage)), vertex},
		"Vertex AI's, seconds as a number":       {vertexRow(`1795683600.0`, usage), vertex},
		"Vertex AI's, microseconds":              {vertexRow(`"1795683600000000"`, usage), vertex},
		"Vertex AI's, nanoseconds":               {vertexRow(`1795683600000000000`, usage), vertex},
		"Vertex AI's, in snake case":             {vertexRow(`"2026-11-26T09:00:00"`, `{"usage_metadata":{"prompt_token_count":"1000","cached_content_token_count":"300","candidates_token_count":"200"}}`), vertex},
		"Vertex AI's, the payload in parts":      {`{"logging_time":"2026-11-26 09:00:00 UTC","model":"gemini-3.5-flash","full_response":null,"response_payload":["{}",` + quote(usage) + `]}`, vertex},
		"Vertex AI's, as a table":                {"logging_time,model,full_response\n2026-11-26 09:00:00 UTC,gemini-3.5-flash,\"" + strings.ReplaceAll(usage, `"`, `""`) + "\"\n", vertex},
	} {
		got, err := demand.Read(strings.NewReader(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff([]demand.Call{tt.want}, got.Calls); diff != "" || len(got.Left) > 0 {
			t.Errorf("%s: -want +got:\n%s%+v", name, diff, got.Left)
		}
	}
}

// What cannot be read is told with its line, and costs no other.
func TestWhatCannotBeReadIsTold(t *testing.T) {
	good := record(t, nothing)
	edit := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for name, tt := range map[string]struct {
		text  string
		calls int
		want  string
	}{
		"the first line is cut off": {good[5:] + good + good, 2, "1 cannot be read, the first in line 1: no JSON object"},
		"so is one in the middle":   {good + good[:40] + "\n" + good + good[:30] + good, 2, "2 cannot be read, the first in line 2: no JSON object"},
		"tokens that are a word":    {good + edit(`"input":1000`, `"input":"many"`), 1, "1 cannot be read, the first in line 2: input is no number"},
		"no time":                   {good + edit(`"time":"2026-11-26T09:00:00.000Z",`, ``), 1, "1 cannot be read, the first in line 2: no time"},
		"a time that is a word":     {edit("2026-11-26T09", "soon") + good, 1, "1 cannot be read, the first in line 1: time is no time"},
		"a clock that was not set":  {good + edit("2026-11-26T", "1970-01-01T"), 1, "1 cannot be read, the first in line 2: time is no time"},
		"no model":                  {good + edit(`"gemini-3.5-flash"`, `""`), 1, "1 cannot be read, the first in line 2: no model"},
		"another log":               {good + `{"prompt_tokens":5}` + "\n", 1, "1 cannot be read, the first in line 2: no entry of such a log"},
		"an array that is cut off":  {"[" + good + "," + good + "," + good[:50], 2, "1 cannot be read, the first in line 3: cut off, and what follows it"},
		"an array of others":        {"[" + good + ", 5, null, " + good + "]", 2, "2 cannot be read, the first in line 2: no JSON object"},
	} {
		got, err := demand.Read(strings.NewReader(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var left []string
		for _, l := range got.Left {
			left = append(left, fmt.Sprintf("%d cannot be read, the first in line %d: %s", l.Entries, l.Line, l.Why))
		}
		if text := strings.Join(left, "; "); len(got.Calls) != tt.calls || text != tt.want {
			t.Errorf("%s: %d calls, and %s\nwant %d, and %s", name, len(got.Calls), text, tt.calls, tt.want)
		}
	}
}

// A line that is too long costs only itself, and needs no memory of its length.
func TestALineThatIsTooLong(t *testing.T) {
	good := record(t, nothing)
	long := func() io.Reader { return io.LimitReader(letters{}, 65<<20) }
	for name, in := range map[string]io.Reader{
		"in the middle": io.MultiReader(strings.NewReader(good+`{"outcome":"`), long(), strings.NewReader("\n"+good)),
		"at the begin":  io.MultiReader(strings.NewReader(`{"outcome":"`), long(), strings.NewReader("\n"+good+good)),
		"at the end":    io.MultiReader(strings.NewReader(good+good+`{"outcome":"`), long()),
		"in an array":   io.MultiReader(strings.NewReader("["+good+","+good+`,{"outcome":"`), long(), strings.NewReader(`"}]`)),
	} {
		got, err := demand.Read(in)
		if err != nil || len(got.Calls) != 2 || len(got.Left) != 1 || !strings.HasPrefix(got.Left[0].Why, "longer than 64 MB") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	table := "outcome,time,model,method,tokens\nserved,2026-11-26 09:00:00,gemini-3.5-flash,generateContent,\"{\"\"input\"\":5}\"\n\""
	got, err := demand.Read(io.MultiReader(strings.NewReader(table), long()))
	if err != nil || len(got.Calls) != 1 || len(got.Left) != 1 || !strings.HasPrefix(got.Left[0].Why, "longer than 64 MB") {
		t.Errorf("in a table: %+v, %v", got, err)
	}
}

// letters is a text without an end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestCallsThatTheLogDroppedAreTold(t *testing.T) {
	got, err := demand.Read(strings.NewReader(`{"time":"2026-11-26T09:00:00.000Z","dropped":12}` + "\n" + record(t, nothing)))
	if err != nil {
		t.Fatal(err)
	}
	want := []demand.Left{{Why: "that tell of calls which the log had dropped", Entries: 1, Line: 1}}
	if diff := cmp.Diff(want, got.Left); diff != "" || len(got.Calls) != 1 {
		t.Errorf("%s%+v", diff, got)
	}
}

// A call log that was just rotated is empty, and LiteLLM answers an empty list.
func TestAnEmptyLogIsOne(t *testing.T) {
	for _, text := range []string{"", " \n", "\ufeff", "[]", "[ ]\n[]"} {
		if l, err := demand.Read(strings.NewReader(text)); err != nil || len(l.Calls) > 0 || l.Format != "" {
			t.Errorf("%q: %+v, %v", text, l, err)
		}
	}
	if _, err := demand.Read(strings.NewReader("\xff\xfe{\x00}\x00")); err == nil || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("UTF-16: %v", err)
	}
}

func TestLogsAddUp(t *testing.T) {
	l := &demand.Log{}
	for i, text := range []string{"", record(t, nothing), record(t, func(r *calls.Record) { r.Tokens = calls.Tokens{}; r.Time.Time = nine.Add(-time.Hour) }) + record(t, nothing), strings.ReplaceAll(litellmRow, "\n", "")} {
		one, err := demand.Read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		l.Add(one, fmt.Sprint("file ", i))
	}
	want := []demand.Left{{Why: "without tokens", Entries: 1, File: "file 2", Line: 1}}
	if diff := cmp.Diff(want, l.Left); diff != "" || l.Skipped != 1 || len(l.Calls) != 3 || l.Format != "Spillway's call log and LiteLLM's spend logs" {
		t.Errorf("%s%+v", diff, l)
	}
}

// What is hostile takes no longer than its length asks for.
func TestHostileEntriesAreReadSoon(t *testing.T) {
	const n = 200_000
	for name, text := range map[string]string{
		"many lists":    "{" + strings.TrimSuffix(strings.Repeat(`"a":[{}],`, n), ",") + "}",
		"many keys":     "{" + strings.Repeat(`"a":1,`, n) + `"outcome":"served"}`,
		"a key of dots": `{"outcome":"served","` + strings.Repeat("_", n) + strings.Repeat(".", n) + `":1}`,
		"nested":        strings.Repeat(`{"data":[`, n),
		"nested in one": `{"outcome":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}",
		"escapes":       `{"outcome":"` + strings.Repeat(`\"`, n) + `"}`,
		"empty lines":   strings.Repeat("\n", 10*n) + `{"outcome":"served"}`,
		"columns":       strings.Repeat("a,", n) + "outcome\n" + strings.Repeat("1,", n) + "served",
		"quotes":        "outcome,a\n" + strings.Repeat(`"`, 10*n),
	} {
		began := time.Now()
		l, err := demand.Read(strings.NewReader(text))
		if took := time.Since(began); took > 5*time.Second || err == nil && len(l.Calls) > 0 {
			t.Errorf("%s: after %v, %+v, %v", name, took, l, err)
		}
	}
}

// With more room, calls that Google refused would have been served.
func TestCallsThatGoogleRefusedToLiteLLMCount(t *testing.T) {
	good := strings.ReplaceAll(litellmRow, "\n", "") + "\n"
	row := func(metadata string) string {
		return `{"model":"gemini-3.5-flash","startTime":"2026-11-26T09:00:01Z","prompt_tokens":0,"status":"failure",` + metadata + "}\n"
	}
	text := good + row(`"metadata":{"status":"failure","error_information":{"error_code":"429","llm_provider":"vertex_ai"}}`) +
		row(`"error_information":{"error_code":429,"llm_provider":"gemini"},"metadata":"{}"`) +
		row(`"metadata":{"error_information":{"error_code":"429","llm_provider":""}}`) +
		row(`"metadata":{"error_information":{"error_code":"500","llm_provider":"gemini"}}`)
	got, err := demand.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []demand.Left{{Why: "of calls that failed", Entries: 2, Line: 4}}
	if diff := cmp.Diff(want, got.Left); diff != "" || len(got.Calls) != 3 || got.Filled != 2 || got.Calls[2].Usage.Input != 1000 {
		t.Errorf("%s%+v", diff, got)
	}
}
