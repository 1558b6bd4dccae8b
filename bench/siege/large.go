package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// largeBody is the length of a large body, of which nearly all is a picture.
const largeBody = 60 << 20

// large is clients that send a large body each, all at once. All have to be served.
func large(n int, lasts time.Duration) row {
	return row{name: fmt.Sprintf("%d bodies of 60 MB", n), lasts: 15 * lasts, least: n, siege: func(ctx context.Context, to *target, met *report) {
		const before, after = `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"`, `"}}]}]}`
		picture := strings.Repeat("ABCDEFGH", (largeBody-len(before)-len(after))/8)
		opening := head(plainModel, false, fmt.Sprintf("Content-Length: %d\r\n", len(before)+len(picture)+len(after)))
		began := time.Now()
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				status, err := send(ctx, to, opening, before, picture, after)
				if err != nil || !strings.HasPrefix(status, "200") {
					met.wrong("a call gets %s, %v", status, err)
					return
				}
				met.client()
			})
		}
		all.Wait()
		met.saw("ms until all were served: %d", time.Since(began).Milliseconds())
	}}
}

// send sends a request and returns the status of its response.
func send(ctx context.Context, to *target, parts ...string) (status string, err error) {
	c, err := dial(ctx, to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	go func() {
		for _, part := range parts {
			if _, err := io.WriteString(c, part); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s: %.200s", resp.Status, body), err
	}
	return resp.Status, err
}

// endless is clients whose bodies have no end.
func endless(n int, lasts time.Duration) row {
	return row{name: "bodies without end", lasts: lasts, least: n, siege: func(ctx context.Context, to *target, met *report) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				c, err := dial(ctx, to)
				if err != nil {
					met.wrong("a connection is refused: %v", err)
					return
				}
				chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
				_, _ = io.Copy(struct{ io.Writer }{c}, io.MultiReader(strings.NewReader(head(plainModel, false, "Transfer-Encoding: chunked\r\n")), &repeated{text: chunk}))
				met.client()
			})
		}
		all.Wait()
	}}
}
