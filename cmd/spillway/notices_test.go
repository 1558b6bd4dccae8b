package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// swap makes a link lead to a new folder with files, as the kubelet does with ..data.
func swap(t *testing.T, link string, files map[string]string) {
	t.Helper()
	old, _ := os.Readlink(link)
	dir := fmt.Sprintf("%s_%d", link, time.Now().UnixNano())
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Base(dir), link+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		t.Fatal(err)
	}
	if old != "" {
		_ = os.RemoveAll(filepath.Join(filepath.Dir(link), old))
	}
}

func TestANoticeComesForEveryWayToChangeAFile(t *testing.T) {
	dir := t.TempDir()
	plain, mounted := filepath.Join(dir, "plain"), filepath.Join(dir, "secret", "token")
	data := filepath.Join(dir, "secret", "..data")
	if err := os.Mkdir(filepath.Dir(mounted), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..data", "token"), mounted); err != nil {
		t.Fatal(err)
	}
	swap(t, data, map[string]string{"token": "0"})
	for name, change := range map[string]func() error{
		"a rename":      func() error { replace(t, plain, []byte("new")); return nil },
		"a write":       func() error { return os.WriteFile(plain, []byte("longer"), 0o600) },
		"a removal":     func() error { return os.Remove(plain) },
		"another link":  func() error { swap(t, data, map[string]string{"token": "new"}); return nil },
		"a link's file": func() error { return os.WriteFile(mounted, []byte("written"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			replace(t, plain, []byte("there"))
			n := newNotices()
			defer n.close()
			if n.watcher == nil {
				t.Skip("this system tells nothing of files")
			}
			files := []string{plain, mounted, filepath.Join(dir, "gone", "file")}
			n.of(files)
			if err := change(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-n.changed:
			case <-time.After(10 * time.Second):
				t.Error("no notice comes")
			}
			// Afterwards they are about where the files are now, and nothing else.
			n.of(files)
			now, err := filepath.EvalSymlinks(mounted)
			if err != nil {
				t.Fatal(err)
			}
			if !n.about(now) || !n.about(data) || !slices.Contains(n.watcher.WatchList(), filepath.Dir(now)) {
				t.Errorf("they are not about %s: %v", now, n.watcher.WatchList())
			}
			if n.about(filepath.Join(dir, "other")) {
				t.Error("they are about other files")
			}
		})
	}
}

func TestATrailHasTheFileAndTheLinksOnItsWay(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(names ...string) (all []string) {
		for _, name := range names {
			all = append(all, filepath.Join(dir, name))
		}
		return all
	}
	for link, target := range map[string]string{"a": "b", "b": filepath.Join(dir, "c"), "loop": "loop", "up": "../" + filepath.Base(dir) + "/c"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string][]string{
		"c": in("c"), "a": in("a", "b", "c"), "up": in("up", "c"), "a/d": in("a", "b", "c/d"), "no/where": in("no/where"),
	} {
		if got := trail(filepath.Join(dir, file)); !slices.Equal(got, want) {
			t.Errorf("the trail of %s is %v, want %v", file, got, want)
		}
	}
	if got := trail(filepath.Join(dir, "loop")); len(got) != mostLinks {
		t.Errorf("a loop has %d links", len(got))
	}
}
