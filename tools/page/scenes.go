package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

const (
	flash = "gemini-3.5-flash"
	pro   = "gemini-3.1-pro-preview"
	lite  = "gemini-3.5-flash-lite"
)

// scene is a pool, and what happens to it. The first act is over before the page is opened.
type scene struct {
	projects []geminitest.Project
	file     string
	acts     []func(*stage) error
}

// key returns the key of a project.
func key(project string) string { return canary + "-key-" + project }

// gemini describes projects of the Developer API, each tried after the one before.
func gemini(names ...string) (projects []geminitest.Project, file string) {
	var b strings.Builder
	b.WriteString("[router]\nmax_wait = \"0s\"\n")
	for i, name := range names {
		projects = append(projects, geminitest.Project{ID: name, Keys: []string{key(name)}})
		fmt.Fprintf(&b, "\n[[project]]\nname = %q\nbackend = \"gemini\"\nkeys = [%q]\nbase_url = \"GOOGLE\"\npriority = %d\n", name, key(name), i)
	}
	return projects, b.String()
}

// vertex describes projects of Vertex AI.
func vertex(names ...string) (projects []geminitest.Project, file string) {
	projects, file = gemini(names...)
	return projects, strings.ReplaceAll(file, `backend = "gemini"`, "backend = \"vertex\"\nlocations = [\"europe-west4\"]")
}

func nothing(*stage) error { return nil }

// calls returns an act of n calls for a model.
func calls(n int, model string) func(*stage) error {
	return func(s *stage) error { return s.call(n, model) }
}

// keeps returns an act: from now on the project gets an answer, and n calls meet it.
func keeps(project, model string, answer geminitest.Answer, n int) func(*stage) error {
	return func(s *stage) error {
		s.google.Keep(geminitest.Match{Project: project, Model: model}, answer)
		return s.call(n, model)
	}
}

// every does one act after the other.
func every(acts ...func(*stage) error) func(*stage) error {
	return func(s *stage) error {
		for _, act := range acts {
			if err := act(s); err != nil {
				return err
			}
		}
		return nil
	}
}

var scenes = map[string]scene{
	"ready":    ready(),
	"idle":     idle(),
	"cooldown": cooldowns(),
	"limits":   limits(),
	"order":    order(),
	"paused":   paused(),
	"breaker":  broken(),
	"store":    storeAway(),
	"refused":  refused(),
	"hostile":  hostile(),
	"hundred":  hundred(),
	"thousand": thousand(),
	"night":    night(),
	"locked":   locked(),
	"cached":   cached(),
	"emptied":  emptied(),
}

// ready has one project that serves; then its key is revoked.
func ready() scene {
	projects, file := gemini("main", "spare")
	return scene{projects, file, []func(*stage) error{
		calls(3, flash),
		func(s *stage) error {
			s.google.Revoke(key("main"))
			return s.call(2, flash)
		},
		func(s *stage) error { s.leave(); return nil },
	}}
}

// idle was never called.
func idle() scene {
	projects, file := gemini("main")
	return scene{projects, file, []func(*stage) error{nothing, calls(1, flash)}}
}

// cooldowns has a project for each kind of cooldown, and one that serves.
func cooldowns() scene {
	answers := []struct {
		project string
		answer  geminitest.Answer
	}{
		{"minute", geminitest.MinuteQuota(flash, 10, 50*time.Second)},
		{"tokens", geminitest.TokenQuota(flash, 250_000, 50*time.Second)},
		{"day", geminitest.DayQuota(flash, 20, 30*time.Second)},
		{"none", geminitest.NoQuota(flash)},
		{"unnamed", geminitest.QuotaUnknown()},
		{"leaked", geminitest.KeyLeaked()},
		{"blocked", geminitest.KeyBlocked()},
		{"disabled", geminitest.ServiceDisabled("disabled")},
		{"billing", geminitest.BillingDisabled("billing")},
		{"prepaid", geminitest.PrepayDepleted(402)},
		{"capped", geminitest.SpendCap()},
		{"spending", geminitest.SpendRate()},
		{"missing", geminitest.ModelMissing(flash, "generateContent")},
	}
	var names []string
	for _, a := range answers {
		names = append(names, a.project)
	}
	projects, file := gemini(append(names, "well")...)
	return scene{projects, file + "\n", []func(*stage) error{func(s *stage) error {
		for _, a := range answers {
			s.google.Keep(geminitest.Match{Project: a.project}, a.answer)
		}
		return s.call(20, flash)
	}}}
}

// limits has windows in all stages of fill.
func limits() scene {
	projects, file := gemini("low", "high", "full")
	limit := func(rpm int) string {
		return fmt.Sprintf("\n[[project.limits]]\nrpm = %d\ntpm = 100000\nrpd = 100\n", rpm)
	}
	for i := range projects {
		file = strings.Replace(file, fmt.Sprintf("priority = %d\n", i), fmt.Sprintf("priority = %d\nmodels = [%q]\n", i, []string{flash, pro, lite}[i])+limit([]int{10, 10, 3}[i]), 1)
	}
	return scene{projects, file, []func(*stage) error{every(calls(2, flash), calls(9, pro), calls(5, lite))}}
}

// order has Provisioned Throughput that is full, with and without a spill.
func order() scene {
	projects, file := vertex("prod")
	projects[0].Orders = []geminitest.Order{{Model: flash, Location: "europe-west4", GSUs: 1}}
	file += "\n[[project.provisioned]]\nmodel = \"" + flash + "\"\nlocation = \"europe-west4\"\ngsus = 1\n"
	return scene{projects, file, []func(*stage) error{
		calls(5, flash),
		func(s *stage) error {
			s.google.Keep(geminitest.Match{Traffic: "shared"}, geminitest.Contention())
			if err := s.say(strings.Repeat("word ", 60_000), flash); err != nil {
				return err
			}
			go s.goOn(flash)
			return nil
		},
	}}
}

// paused has a project that an operator has taken out, and brings it back.
func paused() scene {
	projects, file := gemini("main", "spare")
	return scene{projects, file, []func(*stage) error{
		every(calls(2, flash), func(s *stage) error {
			return s.post("/spillway/pause", `{"subject":"project:main","for":"10m","why":"invoices are looked at"}`)
		}, calls(2, flash)),
		func(s *stage) error { return s.post("/spillway/resume", `{"subject":"project:main"}`) },
	}}
}

// broken has a server that fails until its breaker opens.
func broken() scene {
	projects, file := gemini("main", "spare")
	return scene{projects, file, []func(*stage) error{
		every(calls(3, flash), keeps("main", flash, geminitest.Overloaded(), 30)),
	}}
}

// storeAway names a store where nobody listens.
func storeAway() scene {
	projects, file := gemini("main", "spare")
	return scene{projects, file + "\n[store]\nredis = \"redis://127.0.0.1:1\"\n", []func(*stage) error{calls(2, flash)}}
}

// refused has nothing left to serve a model with.
func refused() scene {
	projects, file := gemini("main", "spare")
	return scene{projects, file, []func(*stage) error{
		every(calls(5, flash), func(s *stage) error {
			s.google.Keep(geminitest.Match{}, geminitest.MinuteQuota(flash, 5, 55*time.Second))
			return s.call(12, flash)
		}),
		calls(4, flash),
	}}
}

// hostile has callers and a Google that write markup, and what turns a text around.
func hostile() scene {
	projects, file := gemini("main", "spare")
	evil := geminitest.KeyInvalid()
	evil.Body = []byte(`{"error":{"code":403,"status":"PERMISSION_DENIED","message":"<img src=x onerror=alert(1)>\u202e <script>alert(2)</script> \u001b[2J` +
		canaryKey + `","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","domain":"googleapis.com"}]}}`)
	evil.Status = 403
	return scene{projects, file, []func(*stage) error{every(
		keeps("main", "", evil, 0),
		func(s *stage) error { return s.call(2, flash, "Spillway-Label", "<b onclick=alert(3)>team</b>") },
		calls(2, "%3Cscript%3Ealert(4)%3C%2Fscript%3E"),
	)}}
}

// canaryKey is the key that the hostile answer quotes.
var canaryKey = key("main")

// hundred has a hundred projects.
func hundred() scene {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("project-%03d", i))
	}
	projects, file := gemini(names...)
	return scene{projects, file, []func(*stage) error{func(s *stage) error {
		for i := range 40 {
			s.google.Keep(geminitest.Match{Project: names[i]}, geminitest.DayQuota(flash, 20, time.Minute))
		}
		return s.call(60, flash)
	}}}
}

// thousand has a thousand projects, and more models than there are.
func thousand() scene {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("project-%03d", i))
	}
	projects, file := gemini(names...)
	// The first alone takes what no one has.
	file = strings.ReplaceAll(file, "priority = ", "models = [\"gemini-*\"]\npriority = ")
	file = strings.Replace(file, "models = [\"gemini-*\"]\npriority = 0\n", "priority = 0\n", 1)
	return scene{projects, file, []func(*stage) error{func(s *stage) error {
		for i := range 250 {
			if err := s.call(1, fmt.Sprintf("made-up-%d", i)); err != nil {
				return err
			}
		}
		return s.call(1, flash)
	}}}
}

// cached has two response caches, one of which serves; then a call asks for one by itself.
func cached() scene {
	projects, file := gemini("main")
	file += "\n[[cache]]\nmodel = \"" + flash + "\"\nnamespace = \"all of them\"\nmax_bytes = \"1MB\"\n\n[[cache]]\nmodel = \"" + lite + "\"\n"
	return scene{projects, file, []func(*stage) error{
		calls(4, flash),
		func(s *stage) error { return s.call(2, pro, "Spillway-Cache", "1m") },
	}}
}

// operatorsToken is what the operators of locked have.
const operatorsToken = canary + "-operators-token"

// locked asks operators for a token.
func locked() scene {
	projects, file := gemini("main")
	return scene{projects, file + "\n[serve]\nadmin = \"127.0.0.1:0\"\nadmin_token = \"" + operatorsToken + "\"\n", []func(*stage) error{calls(2, flash)}}
}

// emptied has nothing left before the first call: every project was taken out.
func emptied() scene {
	projects, file := gemini("main", "spare")
	pause := func(project string) func(*stage) error {
		return func(s *stage) error {
			return s.post("/spillway/pause", `{"subject":"project:`+project+`","why":"moving"}`)
		}
	}
	return scene{projects, file, []func(*stage) error{every(pause("main"), pause("spare")), calls(2, flash)}}
}

// night is what an operator may find at three in the morning: most of it well, some of it not.
func night() scene {
	projects, file := gemini("free-a", "free-b", "paid-eu", "paid-us")
	file = strings.Replace(file, "priority = 0\n", "priority = 0\n\n[[project.limits]]\nrpm = 15\ntpm = 250000\nrpd = 500\n", 1)
	file = strings.Replace(file, "priority = 2\n", "priority = 2\n\n[[project.limits]]\nrpm = 300\ntpm = 2000000\n", 1)
	file = strings.Replace(file, fmt.Sprintf("keys = [%q]", key("free-b")), fmt.Sprintf("keys = [%q, %q]", key("free-b"), key("free-b-2")), 1)
	projects[1].Keys = append(projects[1].Keys, key("free-b-2"))
	label := func(n int, model, label string) func(*stage) error {
		return func(s *stage) error { return s.call(n, model, "Spillway-Label", label) }
	}
	traffic := func(s *stage) error {
		return every(label(6, flash, "search"), label(3, pro, "assistant"), label(2, lite, "batch"))(s)
	}
	return scene{projects, file, []func(*stage) error{every(
		traffic,
		func(s *stage) error {
			s.google.Revoke(key("free-b"))
			s.google.Keep(geminitest.Match{Project: "free-a", Model: pro}, geminitest.DayQuota(pro, 5, 40*time.Second))
			s.google.Keep(geminitest.Match{Project: "free-b", Model: pro}, geminitest.MinuteQuota(pro, 5, 52*time.Second))
			s.google.Keep(geminitest.Match{Project: "paid-us"}, geminitest.BillingDisabled("paid-us"))
			return nil
		},
		traffic, traffic,
		func(s *stage) error {
			s.google.Keep(geminitest.Match{Project: "paid-eu", Model: pro}, geminitest.MinuteQuota(pro, 60, 50*time.Second))
			return nil
		},
		traffic,
		func(s *stage) error {
			time.Sleep(11 * time.Second) // a sample for the plots
			return nil
		},
		traffic,
	), traffic, traffic}}
}
