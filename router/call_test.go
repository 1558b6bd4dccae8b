package router_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestHeadersThatAreNotUnderstoodAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, vertexed("a", "global", "europe-west4", "eu"), vertexed("b", "us-central1"))
		long := strings.Repeat("x", 500_000)
		for _, tt := range []struct{ header, value, want string }{
			{"Spillway-Location", "europe-west4", "did you mean Spillway-Locations?"},
			{"spillway-location", "europe-west4", "did you mean Spillway-Locations?"},
			{"SPILLWAY-LOCATOINS", "europe-west4", "did you mean Spillway-Locations?"},
			{"Spillway-Maxwait", "5s", "did you mean Spillway-Max-Wait?"},
			{"Spillway-Prio", "batch", "Spillway-Priority"},
			{"Spillway-Afinity", "me", "did you mean Spillway-Affinity?"},
			{"Spillway-Team", "team-a", "write one of Spillway-Affinity, Spillway-Locations"},
			{"Spillway-Lable", "team-a", "did you mean Spillway-Label?"},
			{"Spillway-Label", long, "write at most 64 characters"},
			{"Spillway-Label", "team\x1b[2J", "has control characters"},
			{"Spillway-Label", "team\xff", "has control characters"},
			{"Spillway-Call", "0123456789abcdef", "one of responses"},
			{"Spillway-", "x", "unknown header"},
			{"Spillway-" + long, "x", "unknown header"},
			{"Spillway-Endpoint", "a/global/on_demand", "one of responses"},
			{"Spillway-Locations", "europe-west3", `did you mean \"europe-west4\"?`},
			{"spillway-locations", "europe-west3", `did you mean \"europe-west4\"?`},
			{"Spillway-Locations", "x17", "it has eu, europe-west4, global, us-central1"},
			{"Spillway-Locations", "eu, x17", `\"x17\" is none of the pool's`},
			{"Spillway-Locations", long, "none of the pool's"},
			{"Spillway-Locations", "", "names no location"},
			{"Spillway-Max-Wait", "5", "write a duration"},
			{"Spillway-Max-Wait", "-5s", "write a duration"},
			{"Spillway-Max-Wait", long, "write a duration"},
			{"Spillway-Priority", "low", `write \"interactive\" or \"batch\"`},
			{"Spillway-Share", "30%", "write a part up to 1"},
			{"Spillway-Share", "1.1", "write a part up to 1"},
			{"Spillway-Share", "0", "write a part up to 1"},
			{"Spillway-Share", "NaN", "write a part up to 1"},
			{"Spillway-Priority", long, `write \"interactive\" or \"batch\"`},
			{"Spillway-Affinity", long, "500000 bytes"},
			// These are well.
			{"Spillway-Locations", "EU,europe-west4", ""},
			{"sPILLWAY-locations", " Global ,", ""},
			{"Spillway-Max-Wait", "5s", ""},
			{"spillway-max-wait", "0s", ""},
			{"Spillway-Max-Wait", "", ""},
			{"Spillway-Priority", "batch", ""},
			{"Spillway-Share", "0.3", ""},
			{"spillway-share", "1", ""},
			{"Spillway-Affinity", strings.Repeat("x", 1024), ""},
			{"Spillway-Label", strings.Repeat("ä", 64), ""},
			{"Spillway-Label", "", ""},
			{"Spillwayed", "x", ""},
		} {
			b.Reset()
			req, err := toVertex(t.Context(), ":generateContent")
			if err != nil {
				t.Fatal(err)
			}
			req.Header[tt.header] = []string{tt.value}
			resp, err := b.router.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			what := fmt.Sprintf("%.30s: %.30s", tt.header, tt.value)
			switch sent := b.Count(geminitest.Match{}); {
			case tt.want == "" && (resp.StatusCode != http.StatusOK || sent != 1):
				t.Errorf("%s: %d after %d requests: %s", what, resp.StatusCode, sent, body)
			case tt.want == "":
			case resp.StatusCode != http.StatusBadRequest || sent != 0:
				t.Errorf("%s: %d after %d requests, want 400 and none", what, resp.StatusCode, sent)
			case !strings.Contains(string(body), tt.want) || len(body) > 1000:
				t.Errorf("%s: %s, want %q in it", what, body, tt.want)
			}
		}
	})
}

func TestHeaderThatIsThereTwiceIsRefused(t *testing.T) {
	b := setup{}.bed(t, vertexed("a", "global", "eu"))
	for _, tt := range []struct {
		header http.Header
		want   int
	}{
		{http.Header{"Spillway-Max-Wait": {"5s", "6s"}}, 400},
		{http.Header{"Spillway-Max-Wait": {"5s", "5s"}}, 200},
		{http.Header{"Spillway-Priority": {"batch", "interactive"}}, 400},
		{http.Header{"Spillway-Locations": {"eu"}, "spillway-locations": {"global"}}, 400},
		{http.Header{"Spillway-Locations": {"eu", "global"}}, 200},
		{http.Header{"Spillway-Label": {"a", "b"}}, 400},
		{http.Header{"Spillway-Label": {"a", "a"}}, 200},
	} {
		req, _ := toVertex(t.Context(), ":generateContent")
		maps.Copy(req.Header, tt.header)
		resp, err := b.router.RoundTrip(req)
		if err != nil || resp.StatusCode != tt.want {
			t.Errorf("%v: %v, %v; want %d", tt.header, resp, err, tt.want)
		}
	}
}

// What a caller gives is the caller's: nothing of it is changed, and it is checked like a header.
func TestLocationsOfCallsInGoAreChecked(t *testing.T) {
	b := setup{}.bed(t, vertexed("a", "global", "eu"))
	for _, tt := range []struct {
		locations []string
		want      int
	}{
		{[]string{"EU", "global", "eu"}, 200}, {[]string{"eu", "us"}, 400}, {[]string{""}, 400},
	} {
		given := slices.Clone(tt.locations)
		req, _ := toVertex(router.WithCall(t.Context(), router.Call{Locations: given}), ":generateContent")
		resp, err := b.router.RoundTrip(req)
		if err != nil || resp.StatusCode != tt.want || !slices.Equal(given, tt.locations) {
			t.Errorf("%q: %v, %v, and then they are %q", tt.locations, resp, err, given)
		}
	}
}

// Callers who make up locations, and callers who write the same ones in many ways, take nothing from
// one who waits.
func TestMadeUpLocationsDoNotGoBeforeAnHonestCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, router.Config{MaxWait: time.Minute}, limited("a", pool.Limit{Concurrency: 1}), farAway(2))
		l.answer = func(string) *http.Response { time.Sleep(time.Second); return answerOf(200, okBody) }
		l.call("first", router.Call{})
		l.at(100 * time.Millisecond)
		l.call("honest", router.Call{})
		l.at(200 * time.Millisecond)
		for i := range 500 {
			req := gen(t.Context(), genPath, `{}`)
			req.Header.Set("Spillway-Locations", fmt.Sprintf("global, x%d", i))
			if resp, err := l.router.RoundTrip(req); err != nil || resp.StatusCode != http.StatusBadRequest {
				t.Fatal(resp, err)
			}
		}
		l.at(3 * time.Second)
		if got := l.names(); got != "first honest" {
			t.Errorf("sent: %s", got)
		}
		l.wg.Wait()
	})
}

func TestReloadChangesTheLocationsThatCallsMayName(t *testing.T) {
	p := vertexed("a", "global", "eu")
	b := setup{}.bed(t, p)
	call := func(location string) int {
		req, _ := toVertex(router.WithCall(context.Background(), router.Call{Locations: []string{location}}), ":generateContent")
		resp, err := b.router.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	if eu, us := call("eu"), call("us"); eu != 200 || us != 400 {
		t.Errorf("eu: %d, us: %d", eu, us)
	}
	p.pool.Locations = []string{"global", "us"}
	if err := b.router.Reload(poolOf(p), router.Config{}); err != nil {
		t.Fatal(err)
	}
	if eu, us := call("eu"), call("us"); eu != 400 || us != 200 {
		t.Errorf("after the reload, eu: %d, us: %d", eu, us)
	}
}

// TestHeaderOfOursInAnySpellingIsRefused: who bounds a call's locations by a header that is nearly
// ours has to be told, and nothing of it goes to Google.
func TestHeaderOfOursInAnySpellingIsRefused(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return answerOf(200, okBody), nil
	}, router.Config{})
	for _, name := range []string{"Spillway_Locations", "spillway_location", "X-Spillway-Locations", "x-spillway-location"} {
		req := gen(t.Context(), genPath, `{}`)
		req.Header[name] = []string{"global"}
		resp, err := r.RoundTrip(req)
		if status, body := read(t, resp, err); status != 400 || !strings.Contains(body, "did you mean Spillway-Locations?") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}
