package main

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

// floods are clients that send as fast as they can what costs a server more than them. Those that
// lose their connection come back.
func floods(n int, lasts time.Duration) []row {
	flood := func(name, opening string, next func(i uint32) string) row {
		return row{name: name, lasts: lasts, least: n,
			siege: func(ctx context.Context, to *target, met *report) { pour(ctx, to, met, n, preface+opening, next) }}
	}
	noise := strings.Repeat(frame(frameContinuation, 0, 1, block(plainModel, hpack.HeaderField{Name: "x-a", Value: strings.Repeat("b", 100)})), 100)
	pings := strings.Repeat(frame(framePing, 0, 0, make([]byte, 8)), 100)
	settings := strings.Repeat(frame(frameSettings, 0, 0, nil), 100)
	return []row{
		flood("flood of CONTINUATION", frame(frameHeaders, 0, 1, block(plainModel)), func(uint32) string { return noise }),
		flood("rapid reset", "", func(i uint32) string {
			return frame(frameHeaders, flagEndHeaders, 2*i+1, block(plainModel)) + frame(frameReset, 0, 2*i+1, []byte{0, 0, 0, 8})
		}),
		flood("rapid reset by a wrong frame", "", func(i uint32) string {
			return frame(frameHeaders, flagEndHeaders, 2*i+1, block(plainModel)) + frame(frameWindow, 0, 2*i+1, binary.BigEndian.AppendUint32(nil, 0))
		}),
		flood("flood of PING", "", func(uint32) string { return pings }),
		flood("flood of SETTINGS", "", func(uint32) string { return settings }),
	}
}

// pour writes on n connections without end.
func pour(ctx context.Context, to *target, met *report, n int, opening string, next func(i uint32) string) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			defer met.client()
			for ctx.Err() == nil {
				c, err := dial(ctx, to)
				if err != nil {
					if ctx.Err() == nil {
						met.wrong("a connection is refused: %v", err)
					}
					return
				}
				go func() { _, _ = io.Copy(io.Discard, c) }()
				_, err = io.WriteString(c, opening)
				for i := uint32(0); err == nil; i++ {
					_, err = io.WriteString(c, next(i))
				}
				_ = c.Close()
				if ctx.Err() == nil {
					met.saw("the sidecar closed a connection")
				}
			}
		})
	}
	all.Wait()
}
