package owner_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spillway-go/spillway/internal/owner"
)

var home = owner.Home{Project: "a", Location: "global"}

// wants checks what the cache says of a name.
func wants(t *testing.T, c *owner.Cache, name string, at int64, want string) {
	t.Helper()
	got := "unknown"
	switch h, known, missing := c.Lookup(name, at); {
	case known && missing:
		got = "both"
	case known:
		got = h.Project + "/" + h.Location
	case missing:
		got = "missing"
	}
	if got != want {
		t.Errorf("%s at %d is %s, want %s", name, at, got, want)
	}
}

func TestCacheRemembersTheLatestNews(t *testing.T) {
	c := owner.New(1 << 20)
	wants(t, c, "x", 0, "unknown")
	c.Put("x", home)
	c.Put("x", owner.Home{Project: "b"})
	wants(t, c, "x", 0, "b/")
	c.Miss("x", 60) // by a search that began before it was known
	wants(t, c, "x", 0, "b/")
	c.Forget("x")
	c.Miss("x", 60)
	wants(t, c, "x", 0, "missing")
	c.Put("x", home)
	wants(t, c, "x", 1<<62, "a/global")
	if c.Len() != 1 {
		t.Errorf("%d entries, want 1", c.Len())
	}
	c.Forget("x")
	c.Forget("x")
	wants(t, c, "x", 0, "unknown")
	if c.Len() != 0 || c.Bytes() != 0 {
		t.Errorf("%d entries of %d bytes are left", c.Len(), c.Bytes())
	}
}

func TestMissingEndsAtItsInstant(t *testing.T) {
	c := owner.New(1 << 20)
	c.Miss("x", 60)
	wants(t, c, "x", 59, "missing")
	wants(t, c, "x", 60, "unknown")
	if c.Len() != 0 || c.Bytes() != 0 {
		t.Errorf("%d entries of %d bytes are left", c.Len(), c.Bytes())
	}
}

func TestMissingNamesMakeRoomForKnownOnes(t *testing.T) {
	const bound = 1 << 20
	c := owner.New(bound)
	c.Put("known", home)
	for i := range 100_000 {
		c.Miss(fmt.Sprint("missing-", i), 60)
		if c.Bytes() > bound {
			t.Fatalf("%d bytes, want at most %d", c.Bytes(), bound)
		}
	}
	wants(t, c, "known", 0, "a/global")
	wants(t, c, "missing-0", 0, "unknown")
	wants(t, c, "missing-99999", 0, "missing")
	for i := range 100_000 {
		c.Put(fmt.Sprint("known-", i), home)
	}
	wants(t, c, "missing-97000", 0, "unknown")
	wants(t, c, "missing-99999", 0, "missing") // they keep a share
}

func TestTheLeastRecentlyUsedMakesRoom(t *testing.T) {
	for _, tt := range []struct {
		kind string
		put  func(*owner.Cache, string)
		want string
	}{
		{"known", func(c *owner.Cache, name string) { c.Put(name, home) }, "a/global"},
		{"missing", func(c *owner.Cache, name string) { c.Miss(name, 60) }, "missing"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			one := owner.New(1 << 20)
			tt.put(one, "a")
			c := owner.New(3 * one.Bytes())
			for _, name := range []string{"a", "b", "c"} {
				tt.put(c, name)
			}
			wants(t, c, "a", 0, tt.want)
			tt.put(c, "b")
			tt.put(c, "d")
			wants(t, c, "c", 0, "unknown")
			for _, name := range []string{"a", "b", "d"} {
				wants(t, c, name, 0, tt.want)
			}
		})
	}
}

func TestLongNamesAreNotKept(t *testing.T) {
	c := owner.New(1 << 20)
	long := strings.Repeat("x", 1025)
	c.Put(long, home)
	c.Miss(long, 60)
	c.Put("x", home)
	c.Put("x", owner.Home{Project: "a", Location: long}) // what was known before is wrong now
	if c.Len() != 0 {
		t.Errorf("%d entries, want none", c.Len())
	}
	c.Miss(long[:1024], 60)
	wants(t, c, long[:1024], 0, "missing")
}

func TestACacheWithoutRoomKeepsNothing(t *testing.T) {
	for _, bound := range []int64{-1, 0, 100} {
		c := owner.New(bound)
		c.Put("x", home)
		c.Miss("y", 60)
		if c.Len() != 0 || c.Bytes() != 0 {
			t.Errorf("bound %d: %d entries of %d bytes", bound, c.Len(), c.Bytes())
		}
	}
}

// TestBytesCoverTheHeap fills a cache twice over with names that are pieces of larger strings.
func TestBytesCoverTheHeap(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const bound = 8 << 20
	before := heap()
	c := owner.New(bound)
	for i := range 2 * bound / 250 {
		response := fmt.Sprintf("files/%012d%01000d", i, 0)
		c.Put(response[:18], owner.Home{Project: response[6:10], Location: "us-central1"})
	}
	used := heap() - before
	t.Logf("%d entries take %d bytes each, counted as %d", c.Len(), used/int64(c.Len()), c.Bytes()/int64(c.Len()))
	if used > c.Bytes() {
		t.Errorf("%d bytes of the heap, counted as %d", used, c.Bytes())
	}
	runtime.KeepAlive(c)
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	c := owner.New(10_000)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 1000 {
				name := strconv.Itoa((i + j) % 100)
				c.Put(name, home)
				c.Lookup(name, 0)
				c.Miss(name, 60)
				c.Lookup(name, 60)
				c.Forget(name)
			}
		})
	}
	wg.Wait()
	if c.Len() != 0 || c.Bytes() != 0 {
		t.Errorf("%d entries of %d bytes are left", c.Len(), c.Bytes())
	}
}

func TestMissingResourcesKeepAShareOfAFullCache(t *testing.T) {
	c := owner.New(1 << 20)
	for i := range 100_000 {
		c.Put(fmt.Sprintf("files/known-%d", i), owner.Home{Project: "p", Location: "global"})
	}
	c.Miss("files/missing", 10)
	for i := range 100 {
		c.Put(fmt.Sprintf("files/later-%d", i), owner.Home{Project: "p", Location: "global"})
	}
	if _, _, missing := c.Lookup("files/missing", 5); !missing {
		t.Error("a cache that is full of known resources forgets the missing ones at once")
	}
	c.SetBound(1 << 10)
	if got := c.Bytes(); got > 1<<10 {
		t.Errorf("%d bytes are left over a bound of 1,024", got)
	}
}
