package grid

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

func TestEveryCaseHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range All() {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		seen[c.Name] = true
	}
}

func TestTheTwentiethTakesOfEveryGroup(t *testing.T) {
	all, chosen := map[string]int{}, map[string]int{}
	for _, c := range All() {
		all[c.Group]++
	}
	for _, c := range Twentieth() {
		chosen[c.Group]++
	}
	for group, n := range all {
		if want := (n + 19) / 20; chosen[group] != want {
			t.Errorf("%d of %d cases of %q, want %d", chosen[group], n, group, want)
		}
	}
}

func TestEveryErrorIsJSON(t *testing.T) {
	for _, f := range faults() {
		for _, b := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			for i := range f.answers(b) {
				a := f.answerOf(&query{backend: b, model: model}, i)
				if a.body == "" || a.html || a.stalls {
					continue
				}
				if !json.Valid([]byte(a.body)) {
					t.Errorf("%s, %s, %d: no JSON: %s", f.name, b, i, a.body)
				}
			}
		}
	}
}

func TestTheWatchFindsACredentialOncePerPlace(t *testing.T) {
	w := &watch{}
	w.look("body", "a key: AQ."+canary+"-a-1")
	w.look("body", "again: AQ."+canary+"-a-1")
	w.look("log", "nothing")
	found := w.found()
	if len(found) != 1 || !strings.Contains(found[0], "body: ") {
		t.Errorf("found %q", found)
	}
}

// The bounds hold where nothing is broken, so that what breaks them is the fault.
func TestAPoolThatIsWellHoldsEveryBound(t *testing.T) {
	for _, p := range places() {
		for _, stream := range []bool{false, true} {
			c := &cell{fault: &fault{name: "none"}, place: p, stream: stream, deadline: 2 * time.Second}
			o := c.run(t)
			if o.Calls != callCount || o.Requests < callCount/2 || len(o.Broken) > 0 || len(o.Leaks) > 0 {
				t.Errorf("%s: %d calls, %d requests, %q", c.name(), o.Calls, o.Requests, append(o.Broken, o.Leaks...))
			}
		}
	}
}
