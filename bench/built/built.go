// Package built builds the command that the measurements with real processes run.
package built

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Sidecar builds the command into a folder.
func Sidecar(ctx context.Context, dir string) (path string, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/spillway-go/spillway").Output()
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "spillway")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/spillway")
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
}
