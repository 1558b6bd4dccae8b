//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A SIGHUP that comes before the file is read would end a program that does not expect it.
func TestAHangUpWhileServeStartsReloadsAfterwards(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spillway.toml")
	pipe := func() { // where the next one who reads the file waits for the test to write
		t.Helper()
		if err := syscall.Mkfifo(file+".new", 0o600); err != nil {
			t.Skip(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	pipe()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	defer context.AfterFunc(ctx, func() { // a program that has died reads nothing
		_, _ = os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	})()
	command := exec.CommandContext(ctx, os.Args[0], "serve", file, "--listen", "127.0.0.1:0")
	command.Env = append(os.Environ(), "SPILLWAY_TEST_COMMAND=1", "MAIN_KEY=a-key", "SPARE_KEY=another-key")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // at the start, and because of the signal
		writer, err := os.OpenFile(file, os.O_WRONLY, 0) // waits until it is opened to be read
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			pipe()
			if err := command.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = io.WriteString(writer, twoProjects)
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), "file reloaded") {
			_ = command.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := command.Wait(); err != nil || !strings.Contains(said.String(), "file reloaded") {
		t.Errorf("it ended with %v and said %s", err, &said)
	}
}
