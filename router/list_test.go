package router_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/geminitest"
)

// Some clients send a body with every request. One that comes with a list says nothing.
func TestListWithABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, keyed("a", "k-a"), keyed("b", "k-b"))
		file := upload(t, b.client(t), context.Background(), []byte("x"))
		req := gen(t.Context(), "files", "{}")
		req.Method = http.MethodGet
		resp, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), file.Name) {
			t.Errorf("answered with %d %s", resp.StatusCode, body)
		}
		if n := b.Count(geminitest.Match{Method: "files.list"}); n == 0 {
			t.Error("nobody was asked")
		}
	})
}
