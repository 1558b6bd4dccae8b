package quota_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// contend sends so many requests within a second, of which so many meet contention, and reports
// whether the store had to be told of one.
func contend(p *quota.SharedPacer, at time.Duration, sent, refused int) (told bool) {
	for i := range sent {
		now := noon.Add(at + time.Duration(i)*time.Second/time.Duration(sent))
		if allowed, ask := p.Allow(now); ask || !allowed {
			continue
		}
		if i >= sent-refused {
			told = p.Rejected(now, now) || told
			continue
		}
		p.Accepted(now)
	}
	return told
}

func TestReplicaSharesAPaceThatIsSmall(t *testing.T) {
	p := quota.NewSharedPacer(quota.Pacing{})
	p.SetMembers(4)
	if !contend(p, 0, 40, 40) {
		t.Fatal("the store was not told of contention")
	}
	now := noon.Add(2 * time.Second)
	if allowed, ask := p.Allow(now); allowed || !ask {
		t.Fatalf("allowed %v, ask %v: want the store asked", allowed, ask)
	}
	if l := p.Location("near"); l.Name != "near" || !(l.Seed > 0 && l.Seed < 8) || !l.Comes {
		t.Errorf("%+v, want four times what this replica found", l)
	}
	p.Heard(now, 20)
	if l := p.Location("near"); l.Seed != 20 || l.Comes {
		t.Errorf("%+v, want the rate of the fleet", l)
	}
	if !p.Rejected(now, now) || !p.Return(now) {
		t.Error("the store is not told what it has to know")
	}
	p.Heard(now, 41)
	if allowed, ask := p.Allow(now); !allowed || ask {
		t.Errorf("allowed %v, ask %v at more than ten a second for each: want it to pace itself", allowed, ask)
	}
}

func TestReplicaGoesOnFromItsShareOfThePaceWithoutTheStore(t *testing.T) {
	p := quota.NewSharedPacer(quota.Pacing{})
	p.SetMembers(4)
	contend(p, 0, 40, 40)
	now := noon.Add(2 * time.Second)
	p.Heard(now, 16)
	allowed := 0
	for i := range 90 {
		at := now.Add(time.Duration(i) * 10 * time.Millisecond)
		ok, ask := p.Allow(at)
		if ask {
			ok = p.Alone(at)
		}
		if ok {
			allowed++
		}
	}
	if allowed < 3 || allowed > 6 {
		t.Errorf("%d requests in 0.9 s, want a quarter of 16 a second", allowed)
	}
	if _, ask := p.Allow(now.Add(2 * time.Second)); !ask {
		t.Error("the store is not asked again")
	}
}

func TestReplicaThatIsAlonePacesItself(t *testing.T) {
	p := quota.NewSharedPacer(quota.Pacing{})
	if contend(p, 0, 40, 40) || p.Shared(noon.Add(time.Minute)) {
		t.Error("one replica shares its pace")
	}
	if p.Wait(noon.Add(2*time.Second)) < 0 || p.Location("near").Seed <= 0 {
		t.Error("it has no pace")
	}
	if p.Pacing() == (store.Pacing{}) {
		t.Error("the store is not told how to pace")
	}
}
