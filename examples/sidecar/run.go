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
	direct   way = iota
	through      // and nothing fails
	failover     // through it, and in the middle project main has no quota left
)

func (w way) String() string {
	switch w {
	case through:
		return "through the sidecar"
	case failover:
		return "through the sidecar, with main's quota used up in the middle"
	default:
		return "without the sidecar"
	}
}

// bench runs clients.
type bench struct {
	binary string // of the command spillway
	dir    string // an empty folder
}

// compare runs a program on a road in every way. What it prints must be the same.
func (b bench) compare(ctx context.Context, p program, on road) (summary string, err error) {
	want, _, err := b.run(ctx, p, on, direct)
	if err != nil {
		return "", fmt.Errorf("%s: %w", direct, err)
	}
	results := len(sections(want))
	if results == 0 {
		return "", errors.New("the client has called nothing")
	}
	var seen tally
	for _, by := range []way{through, failover} {
		var got string
		got, seen, err = b.run(ctx, p, on, by)
		if err == nil {
			err = errors.Join(compare(want, got), seen.check(by))
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", by, err)
		}
	}
	return fmt.Sprintf("%d results, three times the same; in the last main served %d, refused %d, spare served %d",
		results, seen.main, seen.refused, seen.spare), nil
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
