package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// reloads is n calls under way while the file changes a hundred times. Half of the changes are
// broken.
func reloads(n int, lasts time.Duration) row {
	const changes = 100
	return row{name: "calls while the file changes", lasts: 3 * time.Minute, slow: 2 * lasts, least: n, roomy: true,
		siege: func(ctx context.Context, to *target, met *report) {
			client := newClient(to, true)
			for range 4 { // until the dead key is known as that
				if status, err := post(ctx, client, to, plainModel); err != nil || status != "200 OK" {
					met.wrong("a call before gets %s, %v", status, err)
				}
			}
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					if status, err := post(ctx, client, to, slowModel); err != nil || status != "200 OK" {
						met.wrong("a call gets %s, %v", status, err)
						return
					}
					met.client()
				})
			}
			all.Wait()
		},
		also: func(ctx context.Context, t *trial) {
			time.Sleep(lasts / 2)
			before := t.cooldown()
			for i := range changes {
				if ctx.Err() != nil {
					t.result.fail("the calls ended before the changes", 1)
					return
				}
				text := t.file() + "\n# " + strings.Repeat("x", i) + "\n"
				if i%2 == 1 {
					text = text[:len(text)-i] + "\n[[proj" // it is half written
				}
				if t.write(text) == nil {
					_ = t.serve.Process.Signal(syscall.SIGHUP)
				}
				time.Sleep(lasts / changes)
			}
			if after := t.cooldown(); before == "" || before != after {
				t.result.fail("the dead key had the cooldown "+before+" and has "+after, 1)
			}
			log, _ := os.ReadFile(t.log("serve"))
			taken, refused := strings.Count(string(log), "file reloaded"), strings.Count(string(log), "file not reloaded")
			if taken < changes/4 || refused < changes/4 {
				t.result.fail(fmt.Sprintf("of %d changes %d were taken and %d refused", changes, taken, refused), 1)
			}
		}}
}

// cooldown returns the class of the cooldown of the key that is dead; empty if it has none.
func (t *trial) cooldown() string {
	var status struct {
		Projects []struct {
			Keys []struct{ Cooldown struct{ Class string } }
		}
	}
	resp, err := t.admin().Get("http://localhost/status") //nolint:noctx // it has a timeout
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	if json.NewDecoder(resp.Body).Decode(&status) != nil {
		return ""
	}
	for _, p := range status.Projects {
		for _, k := range p.Keys {
			if k.Cooldown.Class != "" {
				return k.Cooldown.Class
			}
		}
	}
	return ""
}
