package pool_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

func TestARefusedPlaceIsTheBackEndsOnceTwoProjectsAreToldSo(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		a, c := b.candidate(flash, "a/global/on_demand"), b.candidate(flash, "c/global/on_demand")
		blocked := pool.Outcome{Class: pool.ClassEgressBlocked, Message: "User location is not supported for the API use."}
		b.answer(b.start, a, blocked)
		if a.Ready(b.start) || !c.Ready(b.start) {
			t.Fatal("one refusal closes another project, or not its own")
		}
		b.answer(b.start.Add(time.Second), c, blocked)
		now := b.start.Add(2 * time.Second)
		if a.Ready(now) || c.Ready(now) || b.candidate(flash, "v/eu/on_demand").Ready(now) == false {
			t.Error("two refusals alike do not close the back end, or close the other one")
		}
		found := false
		for s := range b.pool.Cooldowns(now) {
			found = found || s.Kind == "backend"
		}
		if !found {
			t.Error("the back end is not on cooldown")
		}
	})
}

func TestARefusedPlaceIsTheBackEndsWhereThereIsOneProject(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("a", "a-key")}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "a/global/on_demand"), pool.Outcome{Class: pool.ClassEgressBlocked})
		for s := range b.pool.Cooldowns(b.start) {
			if s.Kind != "backend" {
				t.Errorf("%s is on cooldown", s)
			}
		}
	})
}
