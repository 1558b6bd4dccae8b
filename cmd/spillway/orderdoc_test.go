package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/config"
)

// What docs/orders.md has to copy is taken, and what it says that check says is what it says.
func TestTheDocsOfOrdersAreTrue(t *testing.T) {
	doc, err := os.ReadFile("../../docs/orders.md")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, block := range strings.Split(string(doc), "```toml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		files = append(files, text)
	}
	if len(files) != 2 {
		t.Fatalf("there are %d files", len(files))
	}
	for i, text := range files {
		cfg, err := config.Parse("orders.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		orders := cfg.Pool.Projects[0].Provisioned
		if want := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC); len(orders) != i+1 || !orders[0].Until.Equal(want) {
			t.Errorf("file %d has %+v", i+1, orders)
		}
	}
	overlap := strings.Replace(files[1], "from     = 2026-12-01", "from     = 2026-11-01", 1)
	path := filepath.Join(t.TempDir(), "orders.toml")
	if err := os.WriteFile(path, []byte(overlap), 0o600); err != nil {
		t.Fatal(err)
	}
	_, got := transcript(t.Context(), "check", path)
	_, said, _ := strings.Cut(got, "orders.toml:")
	said, _, _ = strings.Cut("orders.toml:"+said, "\n")
	if !strings.Contains(string(doc), "\n"+said+"\n") {
		t.Errorf("docs/orders.md does not show %s", said)
	}
}
