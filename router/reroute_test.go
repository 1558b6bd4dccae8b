package router_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

func TestARetiredModelIsToldAndItsUsageIsThatOfTheModelThatAnswers(t *testing.T) {
	for _, streams := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const other = "gemini-3.5-flash-lite"
			var events observed
			s := setup{
				google: geminitest.Config{Reroutes: []geminitest.Reroute{{Model: flash, To: other}}},
				opts:   []router.Option{router.WithEvents(events.observe)},
			}
			b := s.bed(t, keyed("a", "k-a"))
			c := b.client(t)
			for range 3 {
				if !streams {
					if _, err := ask(t.Context(), c, flash); err != nil {
						t.Fatal(err)
					}
					continue
				}
				for _, err := range c.Models.GenerateContentStream(t.Context(), flash, genai.Text("hi"), nil) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := ask(t.Context(), c, other); err != nil {
				t.Fatal(err)
			}
			if got, want := events.taken(), "model_rerouted model:"+flash; got != want {
				t.Errorf("streams %v: heard %q, want %q", streams, got, want)
			}
			for _, e := range b.router.Stat().Endpoints {
				if tokens := e.TokenCounts.Output > 0; tokens != strings.Contains(e.Model, other) {
					t.Errorf("streams %v: %s has %+v", streams, e.Model, e.TokenCounts)
				}
			}
		})
	}
}
