package router_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// saved returns the subjects of a state file, each with what is kept of it.
func saved(t *testing.T, file string) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Subjects []map[string]json.RawMessage }
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, s := range state.Subjects {
		var name string
		_ = json.Unmarshal(s["subject"], &name)
		for k := range s {
			if k != "subject" {
				all[name] = append(all[name], k)
			}
		}
		slices.Sort(all[name])
	}
	return all
}

// What a program learned is there when the next one asks for the model, and is saved again by
// programs that do not ask for it.
func TestRestoredStateIsShownAndSavedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "spillway.state")
		studio := keyed("a", "k-dead", "k-a")
		studio.google.Limits = []geminitest.Limit{{Model: pro, RPD: 50}}
		studio.pool.Limits = []pool.Limit{{Model: pro, RPD: 50}}
		off := priced(keyed("off", "k-off"), 1)
		google := googleOf(geminitest.Config{}, studio, off)
		start := func() *bed {
			return setup{router: router.Config{State: file, MaxWait: -1}}.over(t, google, studio, off)
		}

		b := start()
		google.Script(geminitest.Match{Project: "a", Key: "k-dead"}, geminitest.KeyLeaked())
		google.Script(geminitest.Match{Project: "off"}, geminitest.ServiceDisabled("off"))
		google.Script(geminitest.Match{Project: "a", Model: flash}, geminitest.DayQuota(flash, 20, time.Minute))
		calls(flash)(t.Context(), t, b)
		for range 3 {
			calls(pro)(t.Context(), t, b)
		}
		was := b.router.Stat()
		if err := b.router.Close(); err != nil {
			t.Fatal(err)
		}
		first, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kept := saved(t, file)
		for subject, what := range map[string]string{
			"project:off": "cooldown", "model:a/" + flash: "cooldown limits", "model:a/" + pro: "day",
		} {
			if got := strings.Join(kept[subject], " "); !strings.Contains(got, what) && got != what {
				t.Errorf("of %s is saved %q, want %q", subject, got, what)
			}
		}

		// A program that asks for nothing keeps it all.
		time.Sleep(20 * time.Second) // the probes are due after a minute
		b = start()
		time.Sleep(20 * time.Second)
		if err := b.router.Close(); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(file); err != nil || !bytes.Equal(first, again) {
			t.Errorf("a program that asked for nothing saved something else: %v\n%s", err, cmp.Diff(string(first), string(again)))
		}

		// One that asks has it all in Stat: projects and keys at once, models once they are asked
		// for.
		b = start()
		s := b.router.Stat()
		for i, p := range s.Projects {
			if p.Cooldown.Class != was.Projects[i].Cooldown.Class || !p.Cooldown.Since.Equal(was.Projects[i].Cooldown.Since) {
				t.Errorf("project %s has cooldown %v, want %v", p.Name, p.Cooldown, was.Projects[i].Cooldown)
			}
			for j, k := range p.Keys {
				if k.Cooldown.Class != was.Projects[i].Keys[j].Cooldown.Class {
					t.Errorf("key %s has cooldown %v, want %v", k.Key, k.Cooldown, was.Projects[i].Keys[j].Cooldown)
				}
			}
		}
		google.Reset()
		calls(flash)(t.Context(), t, b)
		calls(pro)(t.Context(), t, b)
		day := endpointStat(t, b.router, "a/global/on_demand", flash)
		if day.Cooldown.Class != pool.ClassDayQuota || day.Learned.RPD != 20 || google.Count(geminitest.Match{Model: flash}) != 0 {
			t.Errorf("the day's quota is shown as %v, learned %+v", day.Cooldown, day.Learned)
		}
		counted := endpointStat(t, b.router, "a/global/on_demand", pro)
		if counted.Quota == nil || counted.Quota.Day.Used != 4 || counted.Quota.Day.Limit != 50 {
			t.Errorf("4 calls of the day's 50 are shown as %+v", counted.Quota)
		}
		if err := b.router.Close(); err != nil {
			t.Fatal(err)
		}
		for subject, what := range saved(t, file) {
			if subject != "model:a/"+pro && !slices.Equal(what, kept[subject]) {
				t.Errorf("of %s is saved %q again, want %q", subject, what, kept[subject])
			}
		}
		if got := saved(t, file); len(got) != len(kept) {
			t.Errorf("saved again are %v, want %v", got, kept)
		}

		// What has ended is neither shown nor saved.
		time.Sleep(48 * time.Hour)
		b = start()
		_ = b.router.Plan(flash)
		if day := endpointStat(t, b.router, "a/global/on_demand", flash); day.Cooldown.Class == pool.ClassDayQuota {
			t.Errorf("two days later the day's quota is shown as %v", day.Cooldown)
		}
		if _, err := ask(context.Background(), b.client(t), flash); err != nil {
			t.Errorf("two days later: %v", err)
		}
		_ = b.router.Close()
	})
}
