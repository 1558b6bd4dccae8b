package pool_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what a sync.Pool holds lives through one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func file(i int) string { return fmt.Sprintf("files/unknown-%06d", i) }

// ownersMemory is a pool that keeps a megabyte of resources: about 4,000.
func ownersMemory() pool.Config {
	return pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}, Memory: 4 << 20}
}

func TestUnknownFilesTakeABoundedMemoryAndNoKnownOnesPlace(t *testing.T) {
	inBubble(t, ownersMemory(), func(t *testing.T, b *bed) {
		home := pool.Home{Project: "studio", Location: "global"}
		for i := range 100 {
			b.pool.Own(fmt.Sprintf("files/known-%d", i), home)
		}
		before := heap()
		for i := range 100_000 {
			name := file(i)
			if _, known, missing := b.pool.Owner(b.start, name); known || missing {
				t.Fatalf("%s is known before anyone asked for it", name)
			}
			b.pool.Miss(b.start, name)
		}
		if grown := heap() - before; grown > 3<<19 {
			t.Errorf("100,000 unknown files take %d kB, want a megabyte", grown>>10)
		}
		for i := range 100 {
			if got, known, _ := b.pool.Owner(b.start, fmt.Sprintf("files/known-%d", i)); !known || got != home {
				t.Errorf("a known file has the home %+v, known: %v", got, known)
			}
		}
		remembered := 0
		for i := range 100_000 {
			if _, _, missing := b.pool.Owner(b.start, file(i)); missing {
				remembered++
				if i < 90_000 {
					t.Fatalf("%s, an old one, is remembered", file(i))
				}
			}
		}
		if remembered < 2_000 || remembered > 6_000 {
			t.Errorf("%d unknown files are remembered", remembered)
		}
		if _, _, missing := b.pool.Owner(b.start, file(99_999)); !missing {
			t.Error("the newest is forgotten")
		}
		if _, _, missing := b.pool.Owner(b.start.Add(time.Minute), file(99_999)); missing {
			t.Error("it is remembered for more than a minute")
		}
	})
}

func TestKnownFilesMakeRoomForNewOnesTheLeastRecentlyUsedFirst(t *testing.T) {
	inBubble(t, ownersMemory(), func(t *testing.T, b *bed) {
		home := pool.Home{Project: "studio", Location: "global"}
		before := heap()
		for i := range 100_000 {
			b.pool.Own(file(i), home)
			if _, known, _ := b.pool.Owner(b.start, file(7)); i >= 7 && !known {
				t.Fatalf("after %d files one in use is forgotten", i)
			}
		}
		if grown := heap() - before; grown > 3<<19 {
			t.Errorf("100,000 files take %d kB, want a megabyte", grown>>10)
		}
		first := 0
		for i := 99_999; i > 7; i-- {
			if _, known, _ := b.pool.Owner(b.start, file(i)); known {
				first = i
			}
		}
		if kept := 100_000 - first; kept < 2_000 || kept > 6_000 {
			t.Errorf("the %d newest files are known", kept)
		}
		for i := first; i < 100_000; i++ {
			if _, known, _ := b.pool.Owner(b.start, file(i)); !known {
				t.Fatalf("%s is forgotten, and the older %s is not", file(i), file(first))
			}
		}
	})
}

func TestAFileIsWhatWasSaidOfItLast(t *testing.T) {
	inBubble(t, ownersMemory(), func(t *testing.T, b *bed) {
		studio, eu := pool.Home{Project: "studio", Location: "global"}, pool.Home{Project: "prod", Location: "eu"}
		for i, step := range []struct {
			do             func()
			home           pool.Home
			known, missing bool
		}{
			{func() {}, pool.Home{}, false, false},
			{func() { b.pool.Miss(b.start, "files/a") }, pool.Home{}, false, true},
			{func() { b.pool.Own("files/a", studio) }, studio, true, false},
			{func() { b.pool.Own("files/a", eu) }, eu, true, false},
			{func() { b.pool.Miss(b.start, "files/a") }, eu, true, false}, // by a search that began before
			{func() { b.pool.Own("files/a", pool.Home{}) }, pool.Home{}, false, false},
			{func() { b.pool.Own("files/a", pool.Home{}) }, pool.Home{}, false, false},
			{func() { b.reload(b.start, ownersMemory()); b.pool.Own("files/a", eu) }, eu, true, false},
		} {
			step.do()
			home, known, missing := b.pool.Owner(b.start, "files/a")
			if home != step.home || known != step.known || missing != step.missing {
				t.Errorf("step %d: %+v, known: %v, missing: %v", i, home, known, missing)
			}
		}
		for _, name := range []string{"", "files/ключ", string(make([]byte, 900))} {
			b.pool.Own(name, studio)
			if home, known, _ := b.pool.Owner(b.start, name); !known || home != studio {
				t.Errorf("%.20q has the home %+v", name, home)
			}
		}
		long := string(make([]byte, 1<<20)) // no resource has such a name
		b.pool.Own(long, studio)
		b.pool.Miss(b.start, long)
		if _, known, missing := b.pool.Owner(b.start, long); known || missing {
			t.Error("a name of a megabyte is kept")
		}
	})
}

func TestModelsAreForgottenTheLeastRecentlyUsedFirst(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}, Memory: 4 << 20}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		const asked = 4_000
		for i := range asked {
			time.Sleep(time.Millisecond)
			b.flood(time.Now(), i, 1)
			b.pool.View(time.Now(), "misspelled-3") // in use all the time
		}
		var kept []string
		for _, m := range b.pool.Stat(time.Now()).Models {
			kept = append(kept, m.Model)
		}
		names := make(map[string]bool)
		for _, name := range kept {
			names[name] = true
		}
		if !names["misspelled-3"] {
			t.Error("the one that is in use is forgotten")
		}
		if len(kept) < 200 || len(kept) > asked/2 {
			t.Fatalf("%d models are remembered", len(kept))
		}
		for i := asked - (len(kept) - 1); i < asked; i++ {
			if !names[fmt.Sprintf("misspelled-%d", i)] {
				t.Fatalf("misspelled-%d is forgotten, and %d older ones are not", i, asked-i)
			}
		}
	})
}
