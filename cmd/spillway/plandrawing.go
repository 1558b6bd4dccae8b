package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spillway-go/spillway/internal/plan"
)

// drawing is the file of a drawing. What is in it stays until the drawing is there.
type drawing struct {
	file  *os.File
	isNew bool // it is removed if nothing is drawn
	drawn bool
}

func (d *drawing) open(path string) (err error) {
	_, missing := os.Stat(path)
	d.isNew = errors.Is(missing, fs.ErrNotExist)
	d.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666) //nolint:gosec // the user of the command names it
	return err
}

func (d *drawing) draw(a *plan.Answer) error {
	if info, err := d.file.Stat(); err == nil && info.Mode().IsRegular() {
		if err := d.file.Truncate(0); err != nil {
			return err
		}
	}
	d.drawn = true
	return a.WriteSVG(d.file)
}

func (d *drawing) close() error {
	err := d.file.Close()
	if d.isNew && !d.drawn {
		err = errors.Join(err, os.Remove(d.file.Name()))
	}
	return err
}
