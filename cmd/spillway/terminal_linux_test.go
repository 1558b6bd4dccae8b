package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// openTerminal makes a terminal of a size: whoever reads person sees what is written to program.
func openTerminal(t *testing.T, columns, lines uint16) (person, program *os.File) {
	t.Helper()
	control := func(f *os.File, request uintptr, value unsafe.Pointer) {
		t.Helper()
		if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(value)); err != 0 {
			t.Fatal(err)
		}
	}
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	var locked, number int32
	control(person, syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	control(person, syscall.TIOCGPTN, unsafe.Pointer(&number))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	size := [4]uint16{lines, columns}
	control(program, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	return person, program
}

// onTerminal runs the command on a terminal of 70 columns until it has shown what is wanted, and
// returns what it has shown.
func onTerminal(t *testing.T, want string, env []string, args ...string) string {
	t.Helper()
	person, program := openTerminal(t, 70, 20)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	command := exec.CommandContext(ctx, os.Args[0], args...)
	command.Env = append(append(os.Environ(), "SPILLWAY_TEST_COMMAND=1", "TERM=xterm", "NO_COLOR="), env...)
	command.Stdout, command.Stderr = program, program
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = program.Close()
	var seen bytes.Buffer
	for piece := make([]byte, 4096); !strings.Contains(seen.String(), want); {
		n, err := person.Read(piece)
		if seen.Write(piece[:n]); err != nil {
			break // the command has ended
		}
	}
	stop()
	_ = command.Wait()
	return strings.ReplaceAll(seen.String(), "\r\n", "\n")
}

func TestStatusOnATerminal(t *testing.T) {
	s := someSnapshot()
	s.Endpoints[1].Cooldown = &cooldownSnapshot{Class: "day_quota", Quota: "GenerateRequestsPerDayPerProjectPerModel", Message: "evil \x1b[2J text"}
	server := httptest.NewServer(respondWith(s))
	defer server.Close()
	const last = "1,203 ok"
	said := onTerminal(t, last, nil, "status", server.URL)
	if !strings.Contains(said, yellow+"day_quota") || !strings.Contains(said, last) || strings.Contains(said, clearScreen) {
		t.Errorf("it shows %q", said)
	}
	for name, env := range map[string]string{"without colours": "NO_COLOR=1", "a dumb terminal": "TERM=dumb"} {
		if said := onTerminal(t, last, []string{env}, "status", server.URL); strings.Contains(said, "\x1b") || !strings.Contains(said, last) {
			t.Errorf("%s: it shows %q", name, said)
		}
	}
	said = onTerminal(t, clearBelow, nil, "status", server.URL, "--watch")
	frame, ok := strings.CutPrefix(said, clearScreen+cursorHome)
	if !ok || strings.Count(frame, "\n") > 19 || strings.Contains(frame, clearScreen) {
		t.Errorf("it draws %q", said)
	}
	if said := onTerminal(t, "}", nil, "status", server.URL, "--json"); strings.Contains(said, "\x1b") {
		t.Errorf("as JSON it shows %q", said)
	}
}

var escapes = regexp.MustCompile("\x1b(\\[[0-9;?]*[A-Za-z]|[=>])")

// TestCompletionInZsh types the lines into a shell on a terminal, and has it list what it offers.
func TestCompletionInZsh(t *testing.T) {
	zsh := installed(t, "zsh")
	path, folder := script(t, "zsh")
	person, program := openTerminal(t, 200, 50)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	shell := exec.CommandContext(ctx, zsh, "-f", "-i")
	shell.Dir, shell.Env = folder, append(os.Environ(), "TERM=xterm", "HOME="+folder)
	shell.Stdin, shell.Stdout, shell.Stderr = program, program, program
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shell.Wait() }()
	defer stop()
	_ = program.Close()
	defer context.AfterFunc(ctx, func() { _ = person.Close() })()
	// Both words that are waited for are written in two parts where they are typed. The prompt says
	// that the shell reads keys, and not the terminal lines.
	typed := func(keys string) []string {
		t.Helper()
		if _, err := person.WriteString(keys + "\x15echo e''nd\r"); err != nil {
			t.Fatal(err)
		}
		var seen bytes.Buffer
		for piece := make([]byte, 4096); ; {
			if _, after, ok := strings.Cut(seen.String(), "end\r\n"); ok && strings.Contains(after, "ready> ") {
				break
			}
			n, err := person.Read(piece)
			if seen.Write(piece[:n]); err != nil {
				t.Fatalf("%v: %q", err, &seen)
			}
		}
		return strings.Fields(escapes.ReplaceAllString(seen.String(), " "))
	}
	typed("PS1='re''ady> '; autoload -Uz compinit; compinit -u -D; source " + path + "\r")
	for _, tt := range completing {
		not := tt.not
		if strings.Contains(tt.line, not) {
			not = ""
		}
		const list = "\x04" // as long as something is typed
		offers(t, tt.line, typed("spillway "+tt.line+list), tt.want, not)
	}
}
