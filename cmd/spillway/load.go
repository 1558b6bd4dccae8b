package main

import (
	"context"
	"os"
	"time"

	"github.com/spillway-go/spillway/config"
)

// fileSoon is how long an empty file is waited for that was made just now: in
// `spillway emulate > FILE &` the shell makes it before the emulator can write to it.
const fileSoon = 3 * time.Second

// load reads a file, perhaps a moment after the shell has made it for another command.
func load(ctx context.Context, file string) (*config.Config, error) {
	for {
		info, err := os.Stat(file) //nolint:gosec // the user of the command names it
		if err != nil || !info.Mode().IsRegular() || info.Size() > 0 || time.Since(info.ModTime()) >= fileSoon {
			return config.Load(file)
		}
		select {
		case <-ctx.Done():
			return config.Load(file)
		case <-time.After(fileSoon / 100):
		}
	}
}
