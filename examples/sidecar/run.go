package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// patience bounds one run of a client, which takes seconds.
const patience = 2 * time.Minute

// way is how a client reaches Google in a run.
type way int

const (
	direct   way = iota // without the sidecar
	through             // through it, and nothing fails
	failover            // through it, and in the middle project main has no quota left
)

// bench runs clients.
type bench struct {
	binary string // of the command spillway
	dir    string // an empty folder
}

// compare runs a program on a road in every way. What it prints must be the same.
func (b bench) compare(ctx context.Context, p program, on road) (summary string, err error) {
	want, _, err := b.run(ctx, p, on, direct)
	if err != nil {
		return "", fmt.Errorf("without the sidecar: %w", err)
	}
	calls := len(sections(want))
	if calls == 0 {
		return "", errors.New("the client has called nothing")
	}
	got, usual, err := b.run(ctx, p, on, through)
	if err == nil {
		err = compare(want, got)
	}
	if err != nil {
		return "", err
	}
	if usual.refused > 0 {
		return "", fmt.Errorf("nothing had failed, and yet: %+v", usual)
	}
	got, t, err := b.run(ctx, p, on, failover)
	if err == nil {
		err = compare(want, got)
	}
	if err != nil {
		return "", fmt.Errorf("with main's quota used up in the middle: %w", err)
	}
	if t.main == 0 || t.refused == 0 || t.spare == 0 {
		return "", fmt.Errorf("there was no failover in the middle: %+v", t)
	}
	return fmt.Sprintf("%d results are the same through the sidecar; and with a failover, in which main served %d and refused %d, spare served %d",
		calls, t.main, t.refused, t.spare), nil
}

// run runs a program once, and returns its transcript and what Google saw.
func (b bench) run(ctx context.Context, p program, on road, by way) (transcript string, seen tally, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	work, err := os.MkdirTemp(b.dir, p.name)
	if err != nil {
		return "", seen, err
	}
	google, err := startGoogle(ctx, on, by == failover)
	if err != nil {
		return "", seen, err
	}
	defer google.close()
	if by == direct {
		transcript, err = p.transcript(ctx, work, on, google.url, "main-key")
		return transcript, seen, err
	}
	s, err := serve(ctx, b.binary, work, on, google.url)
	if err != nil {
		return "", seen, err
	}
	transcript, err = p.transcript(ctx, work, on, s.url, token)
	if err = errors.Join(err, s.stop()); err != nil {
		return "", seen, err
	}
	seen, err = google.inspect()
	return transcript, seen, err
}

// transcript runs the program in an empty folder, and returns what it prints.
func (p program) transcript(ctx context.Context, work string, on road, url, key string) (string, error) {
	cmd := p.command(ctx, append(slices.Clone(p.runner), filepath.Join(p.dir, p.files[0])))
	cmd.Dir = work
	cmd.Env = append(append(os.Environ(), on.trust()...),
		"BASE_URL="+url, "API_KEY="+key, "NO_PROXY=127.0.0.1", "GOOGLE_GENAI_USE_VERTEXAI=false")
	var output, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w after the call %q\n%s", p.files[0], err, lastCall(output.String()), &problems)
	}
	return output.String(), nil
}
