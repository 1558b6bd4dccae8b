package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// traceKey is the context's key of the number that a hearing gives to each call.
type traceKey struct{}

// hearing keeps what a [router.Trace] hears, call by call, as short lines and as it came.
type hearing struct {
	mu    sync.Mutex
	calls [][]string
	ends  []router.CallEnd
	waits []router.WaitEnd
	heard []any
}

// trace returns the functions that fill the hearing.
func (r *hearing) trace() *router.Trace {
	return &router.Trace{
		CallStart: func(ctx context.Context, c router.CallStart) context.Context {
			kind := ""
			if c.Stream {
				kind = " stream"
			}
			r.mu.Lock()
			n := len(r.calls)
			r.calls = append(r.calls, nil)
			r.mu.Unlock()
			ctx = context.WithValue(ctx, traceKey{}, n)
			r.add(ctx, c, "start %s %s%s", c.Model, c.Method, kind)
			return ctx
		},
		WaitEnd: func(ctx context.Context, w router.WaitEnd) {
			r.mu.Lock()
			r.waits = append(r.waits, w)
			r.mu.Unlock()
			waited := w.At.Sub(w.Began).Truncate(time.Second) // a quota's hint is stretched by up to a tenth
			if w.Endpoint == nil {
				r.add(ctx, w, "wait %v: %T", waited, w.Err)
				return
			}
			tier := ""
			if w.Endpoint.Tier > 0 {
				tier = fmt.Sprintf(" in tier %d", w.Endpoint.Tier)
			}
			r.add(ctx, w, "wait %v: %s%s", waited, w.Endpoint.Name, tier)
		},
		AttemptStart: func(ctx context.Context, a router.AttemptStart) {
			r.add(ctx, a, "attempt %d %s %s", a.Number, a.Model, a.Endpoint.Name)
		},
		AttemptEnd: func(ctx context.Context, a router.AttemptEnd) {
			r.add(ctx, a, "ended %d %s %s: %d %s", a.Number, a.Model, a.Endpoint.Name, a.Status, a.Outcome.Class)
		},
		CallEnd: func(ctx context.Context, c router.CallEnd) {
			r.mu.Lock()
			r.ends = append(r.ends, c)
			r.mu.Unlock()
			failed := ""
			if c.Err != nil {
				failed = " failed"
			}
			if c.Refused != nil {
				failed += fmt.Sprintf(" refused for %v", time.Until(c.Refused.RetryAt).Truncate(time.Second))
			}
			r.add(ctx, c, "end %d %s: %d%s", c.Attempts, c.Model, c.Status, failed)
		},
	}
}

// add keeps one line of the call that ctx belongs to.
func (r *hearing) add(ctx context.Context, heard any, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := ctx.Value(traceKey{}).(int)
	if !ok {
		r.calls = append(r.calls, []string{"no context of CallStart: " + fmt.Sprintf(format, args...)})
		return
	}
	r.heard = append(r.heard, heard)
	r.calls[n] = append(r.calls[n], fmt.Sprintf(format, args...))
}

// log returns the lines of every call, a blank line between calls.
func (r *hearing) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for i, lines := range r.calls {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

// shown returns all that was heard, as %+v and JSON show it.
func (r *hearing) shown(t *testing.T) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	return show(t, r.heard)
}

// show returns values as %+v and JSON show them; %+v shows of a pointer only its address, so what
// the fields point to is in the JSON.
func show[T any](t *testing.T, values []T) string {
	t.Helper()
	var b strings.Builder
	for _, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T has no JSON: %v", v, err)
		}
		_, _ = fmt.Fprintf(&b, "%+v\n%#v\n%s\n", v, v, text)
		switch v := any(v).(type) {
		case router.WaitEnd:
			_, _ = fmt.Fprintf(&b, "%+v\n%v\n", v.Endpoint, v.Err)
		case router.AttemptEnd:
			_, _ = fmt.Fprintf(&b, "%+v\n%s\n", v.Endpoint, v.Outcome.Message)
			if v.Outcome.Answer != nil {
				b.Write(v.Outcome.Answer.Body)
			}
		case router.CallEnd:
			_, _ = fmt.Fprintf(&b, "%v\n", v.Err)
		}
	}
	return b.String()
}

// sound fails the test if the lines of a call are not in the order that a trace has.
func (r *hearing) sound(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, lines := range r.calls {
		var starts, ends, attempts int
		open := false
		for _, l := range lines {
			word, rest, _ := strings.Cut(l, " ")
			switch word {
			case "start":
				starts++
			case "end":
				ends++
			case "attempt":
				attempts++
				if number, _, _ := strings.Cut(rest, " "); open || number != strconv.Itoa(attempts) {
					t.Errorf("call %d: %q, want attempt %d after the end of the one before", i, l, attempts)
				}
				open = true
			case "ended":
				if !open {
					t.Errorf("call %d: %q ends nothing", i, l)
				}
				open = false
			}
		}
		last := lines[len(lines)-1]
		if starts != 1 || ends != 1 || open || !strings.HasPrefix(lines[0], "start ") || !strings.HasPrefix(last, "end ") {
			t.Errorf("call %d has %d starts, %d ends; an attempt without an end: %v\n%s",
				i, starts, ends, open, strings.Join(lines, "\n"))
		}
	}
}

// tidy takes the indentation of a test out of the text that it wants.
func tidy(text string) string {
	var lines []string
	for l := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		lines = append(lines, strings.TrimSpace(l))
	}
	return strings.Join(lines, "\n") + "\n"
}

// priced is a project that is asked before those with a higher number.
func priced(p project, priority int) project {
	p.pool.Priority = priority
	return p
}

func TestTraceTellsACallFromItsStartToItsEnd(t *testing.T) {
	three := []project{priced(keyed("a", "k-a"), 0), priced(keyed("b", "k-b"), 1), priced(keyed("c", "k-c"), 2)}
	one := three[:1]
	minute := geminitest.MinuteQuota(flash, 10, 3*time.Second)
	for _, tt := range []struct {
		name     string
		setup    setup
		projects []project
		google   func(*geminitest.Emulator)
		call     func(ctx context.Context, t *testing.T, b *bed)
		want     string
	}{
		{name: "unary", projects: one, call: calls(flash), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 200 ok
			end 1 gemini-2.5-flash: 200`},
		{name: "an alias", projects: one, call: calls("fast"), want: `
			start fast generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 200 ok
			end 1 gemini-2.5-flash: 200`, setup: setup{router: router.Config{Models: map[string]string{"fast": flash}}}},
		{name: "a stream that is read to its end", projects: one, call: streams(-1), want: `
			start gemini-2.5-flash streamGenerateContent stream
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 200 ok
			end 1 gemini-2.5-flash: 200`},
		{name: "a stream that is closed early", projects: one, call: streams(1), want: `
			start gemini-2.5-flash streamGenerateContent stream
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 200 cancelled
			end 1 gemini-2.5-flash: 200`,
			setup: setup{google: geminitest.Config{Output: 400, Latency: geminitest.Latency{PerToken: time.Millisecond}}}},
		{name: "a stream that breaks off", projects: one, call: streams(-1), want: `
			start gemini-2.5-flash streamGenerateContent stream
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 200 transport
			end 1 gemini-2.5-flash: 200`,
			google: func(e *geminitest.Emulator) {
				e.Script(geminitest.Match{}, geminitest.Answer{Event: true, After: 1, Truncate: 10, Err: io.ErrUnexpectedEOF})
			}},
		{name: "a refusal of the request", projects: three, call: calls(flash), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 400 caller_fault
			end 1 gemini-2.5-flash: 400`,
			google: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, geminitest.InvalidArgument("no")) }},
		{name: "a wait for a quota", projects: one, call: calls(flash), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 429 minute_quota
			wait 3s: a/global/on_demand
			attempt 2 gemini-2.5-flash a/global/on_demand
			ended 2 gemini-2.5-flash a/global/on_demand: 200 ok
			end 2 gemini-2.5-flash: 200`,
			google: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, minute) }},
		{name: "two failovers", projects: three, call: calls(flash), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 429 minute_quota
			wait 0s: b/global/on_demand in tier 1
			attempt 2 gemini-2.5-flash b/global/on_demand
			ended 2 gemini-2.5-flash b/global/on_demand: 403 key_dead
			wait 0s: c/global/on_demand in tier 2
			attempt 3 gemini-2.5-flash c/global/on_demand
			ended 3 gemini-2.5-flash c/global/on_demand: 200 ok
			end 3 gemini-2.5-flash: 200`,
			google: func(e *geminitest.Emulator) {
				e.Script(geminitest.Match{Project: "a"}, minute)
				e.Script(geminitest.Match{Project: "b"}, geminitest.KeyLeaked())
			}},
		{name: "no response, then none", projects: one, call: calls(flash), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 0 transport
			end 1 gemini-2.5-flash: 0 failed`,
			setup:  setup{router: router.Config{MaxAttempts: 1}},
			google: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, geminitest.ConnectionReset()) }},
		{name: "a fallback", projects: one, call: calls(flash), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 429 minute_quota
			wait 0s: *pool.ExhaustedError
			wait 0s: a/global/on_demand
			attempt 2 gemini-2.5-pro a/global/on_demand
			ended 2 gemini-2.5-pro a/global/on_demand: 200 ok
			end 2 gemini-2.5-pro: 200`,
			setup: setup{router: router.Config{
				MaxWait: -1, Fallbacks: []router.Fallback{{Model: flash, To: []string{pro}}},
			}},
			google: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, minute) }},
		{name: "an exhausted pool", projects: one, call: calls(flash), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 429 minute_quota
			wait 0s: *pool.ExhaustedError
			end 1 gemini-2.5-flash: 429 refused for 3s`,
			setup:  setup{router: router.Config{MaxWait: -1}},
			google: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, minute) }},
		{name: "a caller who leaves during an attempt", projects: one, call: leaves(time.Second), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 0 cancelled
			end 1 gemini-2.5-flash: 0 failed`,
			google: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, geminitest.Answer{Hang: true}) }},
		{name: "a caller who leaves while it waits", projects: one, call: leaves(time.Second), want: `
			start gemini-2.5-flash generateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-2.5-flash a/global/on_demand
			ended 1 gemini-2.5-flash a/global/on_demand: 429 minute_quota
			wait 1s: *errors.errorString
			end 1 gemini-2.5-flash: 0 failed`,
			google: func(e *geminitest.Emulator) { e.Script(geminitest.Match{}, minute) }},
		{name: "a passing response", projects: one, call: gets("models"), want: `
			start  models.list
			wait 0s: a/global/on_demand
			attempt 1  a/global/on_demand
			ended 1  a/global/on_demand: 200 ok
			end 1 : 200`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var heard hearing
				s := tt.setup
				s.opts = []router.Option{router.WithTrace(heard.trace())}
				b := s.bed(t, tt.projects...)
				if tt.google != nil {
					tt.google(b.Emulator)
				}
				tt.call(t.Context(), t, b)
				heard.sound(t)
				if got := heard.log(); got != tidy(tt.want) {
					t.Errorf("heard\n%swant\n%s", got, tidy(tt.want))
				}
			})
		})
	}
}

// calls makes one unary call.
func calls(model string) func(context.Context, *testing.T, *bed) {
	return func(ctx context.Context, t *testing.T, b *bed) {
		t.Helper()
		_, _ = ask(ctx, b.client(t), model)
	}
}

// streams makes one streamed call, and leaves it after so many pieces; negative: never.
func streams(pieces int) func(context.Context, *testing.T, *bed) {
	return func(ctx context.Context, t *testing.T, b *bed) {
		t.Helper()
		n := 0
		for range b.client(t).Models.GenerateContentStream(ctx, flash, genai.Text("hi"), nil) {
			if n++; n == pieces {
				break
			}
		}
	}
}

// leaves makes one unary call whose caller goes away after d.
func leaves(d time.Duration) func(context.Context, *testing.T, *bed) {
	return func(ctx context.Context, t *testing.T, b *bed) {
		t.Helper()
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(d, cancel)
		if _, err := ask(ctx, b.client(t), flash); !errors.Is(err, context.Canceled) {
			t.Errorf("the caller who left got %v", err)
		}
	}
}

// gets reads what is at a path.
func gets(path string) func(context.Context, *testing.T, *bed) {
	return func(ctx context.Context, t *testing.T, b *bed) {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.http.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// The searches of a lookup and the pages of a list are calls of their own in a trace. So is the
// call that asked for them, whether it makes an attempt itself or not.
func TestTraceTellsOfLookupsAndLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := googleOf(geminitest.Config{}, keyed("a", "k-a"), keyed("b", "k-b"))
		made := setup{}.over(t, google, keyed("a", "k-a"), keyed("b", "k-b"))
		file := upload(t, made.client(t), anywhere(0), []byte("x"))
		upload(t, made.client(t), anywhere(1), []byte("y"))

		var heard hearing
		traced := setup{opts: []router.Option{router.WithTrace(heard.trace())}}
		b := traced.over(t, google, keyed("a", "k-a"), keyed("b", "k-b"))
		for name, call := range map[string]func(){
			"a lookup": func() {
				if _, err := b.client(t).Models.GenerateContent(t.Context(), flash, readFile(file), nil); err != nil {
					t.Error(err)
				}
			},
			"a lookup in vain": func() {
				if _, err := b.client(t).Files.Get(t.Context(), "files/unknown", nil); err == nil {
					t.Error("an unknown file is found")
				}
			},
			"a list": func() {
				if _, err := b.client(t).Files.List(t.Context(), nil); err != nil {
					t.Error(err)
				}
			},
		} {
			google.Reset()
			before := len(heard.ends)
			call()
			heard.sound(t)
			attempts := 0
			for _, e := range heard.ends[before:] {
				attempts += e.Attempts
			}
			if n := google.Count(geminitest.Match{}); attempts != n {
				t.Errorf("%s: the trace tells of %d attempts, Google saw %d\n%s", name, attempts, n, heard.log())
			}
		}
	})
}

// A session of the Live API is one attempt, from before it is connected until its place is given
// back.
func TestTraceTellsOfALiveSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard hearing
		r := newRouter(t, poolOf(keyed("a", "k-a")), router.Config{}, router.WithTrace(heard.trace()))
		live, err := r.LiveConfig(t.Context(), liveModel)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if strings.Contains(heard.log(), "end") {
			t.Errorf("the session goes on, and its trace has ended:\n%s", heard.log())
		}
		live.Release(nil)
		live.Release(errors.New("late"))
		heard.sound(t)
		want := tidy(`
			start gemini-live-2.5-flash bidiGenerateContent
			wait 0s: a/global/on_demand
			attempt 1 gemini-live-2.5-flash a/global/on_demand
			ended 1 gemini-live-2.5-flash a/global/on_demand: 0 ok
			end 1 gemini-live-2.5-flash: 0`)
		if got := heard.log(); got != want {
			t.Errorf("heard\n%swant\n%s", got, want)
		}
	})
}

func TestTraceTellsTheTimesOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard hearing
		s := setup{
			google: geminitest.Config{Latency: geminitest.Latency{FirstToken: 2 * time.Second}},
			opts:   []router.Option{router.WithTrace(heard.trace())},
		}
		b := s.bed(t, keyed("a", "k-a"))
		b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 3*time.Second))
		start := time.Now()
		calls(flash)(t.Context(), t, b)
		end := heard.ends[0]
		if !end.Began.Equal(start) || end.At.Sub(end.Began) != time.Since(start) || time.Since(start) < 5*time.Second {
			t.Errorf("the call went from %v to %v, want from %v to %v", end.Began, end.At, start, time.Now())
		}
		i := slices.IndexFunc(heard.heard, func(v any) bool {
			e, ok := v.(router.AttemptEnd)
			return ok && e.Number == 2
		})
		second, _ := heard.heard[i].(router.AttemptEnd)
		if took := second.Ended.Sub(second.At); took != 2*time.Second || second.At.Sub(start) < 3*time.Second {
			t.Errorf("the second attempt began after %v and took %v, want 3 s or a little more, and 2 s", second.At.Sub(start), took)
		}
		if u := second.Outcome.Usage; !second.Outcome.Counted || u.Input == 0 || u.Output == 0 {
			t.Errorf("the trace tells of no tokens: %+v", second.Outcome)
		}
	})
}

// A call that is under way when the router is closed goes on to its end.
func TestTraceOfACallThatOutlivesTheRouterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard hearing
		s := setup{google: geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Minute}}}
		s.opts = []router.Option{router.WithTrace(heard.trace())}
		b := s.bed(t, keyed("a", "k-a"))
		done := make(chan struct{})
		go func() {
			defer close(done)
			calls(flash)(t.Context(), t, b)
		}()
		time.Sleep(time.Second)
		_ = b.router.Close()
		<-done
		heard.sound(t)
		if len(heard.ends) != 1 || heard.ends[0].Status != http.StatusOK {
			t.Errorf("heard\n%s", heard.log())
		}
		calls(flash)(t.Context(), t, b)
		if len(heard.calls) != 1 {
			t.Errorf("a closed router tells of calls:\n%s", heard.log())
		}
	})
}

// Functions that are nil are skipped, and a CallStart that returns no context leaves the caller's.
func TestTraceMayHaveAnyOfItsFunctions(t *testing.T) {
	var heard hearing
	all := heard.trace()
	count := 0
	for name, tr := range map[string]*router.Trace{
		"none": {}, "the start": {CallStart: all.CallStart},
		"the wait": {WaitEnd: func(context.Context, router.WaitEnd) { count++ }},
		"attempts": {
			AttemptStart: func(context.Context, router.AttemptStart) { count++ },
			AttemptEnd:   func(context.Context, router.AttemptEnd) { count++ },
		},
		"the end": {CallEnd: func(context.Context, router.CallEnd) { count++ }},
		"a start without a context": {
			CallStart: func(context.Context, router.CallStart) context.Context { return nil },
			CallEnd: func(ctx context.Context, _ router.CallEnd) {
				if ctx == nil || ctx.Value(traceKey{}) != "the caller's" {
					t.Errorf("CallEnd gets %v, want the caller's context", ctx)
				}
				count++
			},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			count = 0
			b := setup{opts: []router.Option{router.WithTrace(tr)}}.bed(t, keyed("a", "k-a"))
			ctx := context.WithValue(t.Context(), traceKey{}, "the caller's")
			if _, err := ask(ctx, b.client(t), flash); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			want := map[string]int{"the wait": 1, "attempts": 2, "the end": 1, "a start without a context": 1}[name]
			if count != want {
				t.Errorf("%s: %d functions were called, want %d", name, count, want)
			}
		})
	}
}

func TestCallWithoutATraceCostsNothing(t *testing.T) {
	measure := func(opts ...router.Option) float64 {
		over := transport(func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil })
		r := newRouter(t, poolOf(keyed("a", "k-a")), router.Config{}, append(opts, router.WithTransport(over))...)
		return testing.AllocsPerRun(200, func() {
			resp, err := r.RoundTrip(gen(t.Context(), genPath, `{"contents":[{"parts":[{"text":"hi"}]}]}`))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Error(resp, err)
			}
		})
	}
	without := measure()
	if n := measure(router.WithTrace(nil)); n != without {
		t.Errorf("a nil trace costs %v allocations, none at all %v", n, without)
	}
	if n := measure(router.WithTrace(&router.Trace{})); n > without+1 { // the id of the call
		t.Errorf("a trace without functions costs %v allocations, none at all %v", n, without)
	}
	if n := measure(router.WithEvents(func(pool.Event) {})); n != without {
		t.Errorf("an observer of events costs %v allocations a call, none at all %v", n, without)
	}
	var heard hearing
	if n := measure(router.WithTrace(heard.trace())); n <= without {
		t.Errorf("a trace that keeps all costs %v allocations, none %v: what is measured?", n, without)
	}
}

// What traces and events tell shows no credential, however they are printed and whoever repeats it.
func TestTracesAndEventsShowNoCredential(t *testing.T) {
	const canary = "canary-AIzaSyD4k3y"
	key := keyed("a", canary)
	access := project{
		geminitest.Project{ID: "a", Tokens: []string{canary}},
		pool.Project{Name: "a", Backend: pool.BackendVertex, Credentials: token(canary)},
	}
	reset := geminitest.Answer{Err: &url.Error{Op: "Post", URL: "https://x/?key=" + canary, Err: errors.New("reset")}}
	for name, tt := range map[string]struct {
		project project
		answer  geminitest.Answer
	}{
		"a key":                          {key, geminitest.Answer{}},
		"a key that Google repeats":      {key, geminitest.KeySuspended(canary)},
		"at the beginning of a stream":   {key, geminitest.KeySuspended(canary).AfterEvents(0)},
		"late in a stream":               {key, geminitest.KeySuspended(canary).AfterEvents(1)},
		"in a URL of the transport's":    {key, reset},
		"a token":                        {access, geminitest.Answer{}},
		"a token that has expired":       {access, geminitest.TokenInvalid()},
		"a token in the transport's URL": {access, reset},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var heard hearing
				var events []pool.Event
				b := setup{
					router: router.Config{MaxWait: -1},
					opts: []router.Option{
						router.WithTrace(heard.trace()),
						router.WithEvents(func(e pool.Event) { events = append(events, e) }),
					},
				}.bed(t, tt.project)
				b.Keep(geminitest.Match{}, tt.answer)
				calls(flash)(t.Context(), t, b)
				streams(-1)(t.Context(), t, b)
				_, _ = b.router.LiveConfig(t.Context(), liveModel)
				if len(heard.ends) < 2 || b.Count(geminitest.Match{Key: canary}) == 0 {
					t.Errorf("%d calls ended, want two that show the credential to Google", len(heard.ends))
				}
				for line := range strings.Lines(heard.shown(t) + show(t, events)) {
					if strings.Contains(line, canary) {
						t.Fatalf("the credential is shown: %s", line)
					}
				}
			})
		})
	}
}

// TestATraceThatPanicsFailsNoCall: neither the call nor its lease is lost.
func TestATraceThatPanicsFailsNoCall(t *testing.T) {
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(log) })
	for name, trace := range map[string]*router.Trace{
		"CallStart":    {CallStart: func(context.Context, router.CallStart) context.Context { panic("a fault of another's") }},
		"WaitEnd":      {WaitEnd: func(context.Context, router.WaitEnd) { panic("a fault of another's") }},
		"AttemptStart": {AttemptStart: func(context.Context, router.AttemptStart) { panic("a fault of another's") }},
		"Header":       {Header: func(context.Context, http.Header) { panic("a fault of another's") }},
		"AttemptEnd":   {AttemptEnd: func(context.Context, router.AttemptEnd) { panic("a fault of another's") }},
		"CallEnd":      {CallEnd: func(context.Context, router.CallEnd) { panic("a fault of another's") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, ended := keyed("a", "k-a"), 0
				count := &router.Trace{CallEnd: func(context.Context, router.CallEnd) { ended++ }}
				r := newRouter(t, poolOf(p), router.Config{}, router.WithTransport(googleOf(setup{}.google, p)),
					router.WithTrace(trace), router.WithTrace(count))
				if _, err := ask(context.Background(), clientOver(t, pool.BackendGemini, r), flash); err != nil {
					t.Error(err)
				}
				if e := r.Stat().Endpoints[0]; e.Calls != 0 || e.AttemptCounts[pool.ClassOK] != 1 || ended != 1 {
					t.Errorf("%d calls are in flight, %v ended; another trace heard of %d", e.Calls, e.AttemptCounts, ended)
				}
			})
		})
	}
}
