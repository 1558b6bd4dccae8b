package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// notices tell when files may have changed, where the system tells that. They come too often rather
// than too seldom, but not on every file system: who follows them looks now and then, too.
type notices struct {
	changed chan struct{} // holds one at most

	watcher *fsnotify.Watcher // nil: none come
	mu      sync.Mutex
	paths   map[string]bool // whose entries in their folders are the files
}

// newNotices returns notices of no files yet. The caller closes them.
func newNotices() *notices {
	n := &notices{changed: make(chan struct{}, 1)}
	watcher, err := fsnotify.NewWatcher()
	if err != nil { // of the system's limits, for instance
		return n
	}
	n.watcher = watcher
	go n.run()
	return n
}

func (n *notices) run() {
	for {
		select {
		case e, ok := <-n.watcher.Events:
			if !ok {
				return
			}
			if n.about(e.Name) && e.Op != fsnotify.Chmod {
				n.tell()
			}
		case _, ok := <-n.watcher.Errors:
			if !ok {
				return
			}
			n.tell() // some were lost
		}
	}
}

func (n *notices) about(path string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.paths[path]
}

func (n *notices) tell() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// of sets which files the notices are about. It watches folders: a file that is replaced by a rename,
// and a link that leads elsewhere, as Kubernetes swaps a Secret, are other entries of the same name.
func (n *notices) of(files []string) {
	if n.watcher == nil {
		return
	}
	paths, folders := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		for _, path := range trail(file) {
			paths[path], folders[filepath.Dir(path)] = true, true
		}
	}
	n.mu.Lock()
	n.paths = paths
	n.mu.Unlock()
	for _, folder := range n.watcher.WatchList() {
		if !folders[folder] {
			_ = n.watcher.Remove(folder) // which fails for one that is gone
		}
	}
	for folder := range folders {
		_ = n.watcher.Add(folder)
	}
}

// mostLinks is how many links a path may lead over, as for Linux.
const mostLinks = 40

// trail returns the paths whose entries decide what a file is: itself, and the links on the way.
func trail(file string) (all []string) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	volume := filepath.VolumeName(path)
	at, rest := volume+string(filepath.Separator), split(path[len(volume):])
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(next)
		switch {
		case err != nil: // no link
			if at = next; len(rest) == 0 {
				all = append(all, next)
			}
			continue
		case links >= mostLinks:
			return all
		case filepath.IsAbs(target):
			at = filepath.VolumeName(target) + string(filepath.Separator)
			target = target[len(filepath.VolumeName(target)):]
		}
		links++
		all = append(all, next)
		rest = append(split(target), rest...)
	}
	return all
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return os.IsPathSeparator(uint8(r)) && r < 0x80 })
}

func (n *notices) close() {
	if n.watcher != nil {
		_ = n.watcher.Close()
	}
}
