package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// file is the sidecar's configuration; %[1]s is the emulator's address.
const file = `
[serve]
admin = "off"

[[serve.token]]
name   = "example"
token  = "env:CLIENT_TOKEN"
models = ["gemini-*", "no-such-model"]

[[project]]
name     = "main"
backend  = "gemini"
keys     = ["env:MAIN_KEY"]
base_url = "%[1]s"

[[project]]
name     = "spare"
backend  = "gemini"
keys     = ["env:SPARE_KEY"]
base_url = "%[1]s"
priority = 1
`

// token is what the clients send in place of an API key.
const token = "a-token-of-this-example"

// patience bounds one client's run, which takes seconds.
const patience = 2 * time.Minute

// drive runs a client against a sidecar in front of an emulator, and checks the emulator's
// requests.
func (c client) drive(ctx context.Context, out io.Writer, binary, work, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	google, err := geminitest.Start(geminitest.Config{Projects: []geminitest.Project{ //nolint:contextcheck // it is closed when drive ends
		{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
	}})
	if err != nil {
		return err
	}
	defer google.Close()
	revoke, end, err := onPost(ctx, func() { google.Revoke("main-key") })
	if err != nil {
		return err
	}
	defer end()

	path := filepath.Join(work, "spillway.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, file, google.URL), 0o600); err != nil {
		return err
	}
	address, stop, err := serve(ctx, binary, path)
	if err != nil {
		return err
	}
	program := c.command(ctx, dir, c.run)
	program.Env = append(os.Environ(), "SPILLWAY_URL="+address, "SPILLWAY_TOKEN="+token, "GOOGLE_URL="+google.URL, "REVOKE_URL="+revoke,
		"NO_PROXY=127.0.0.1", "GOOGLE_GENAI_USE_VERTEXAI=false", "PYTHONUNBUFFERED=1")
	lines := &indented{out: out, margin: c.name + "  "}
	program.Stdout, program.Stderr = lines, lines
	failed := program.Run()
	if err := stop(); err != nil {
		return fmt.Errorf("the sidecar ended badly: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("%s: %w", c.program, failed)
	}
	return inspect(google)
}

// inspect checks that the failover took place, and that no request carried the client's own key.
func inspect(google *geminitest.Server) error {
	refused, served := 0, map[string]int{}
	for _, r := range google.Requests() {
		switch {
		case r.Key != "main-key" && r.Key != "spare-key" || r.KeyInURL:
			return fmt.Errorf("a request carried a credential that is not the pool's, or carried it in its URL: %s %s", r.HTTPMethod, r.Method)
		case r.Status == http.StatusOK:
			served[r.Project]++
		case r.Project == "main" && r.Status == http.StatusBadRequest:
			refused++
		}
	}
	if refused != 1 || served["main"] == 0 || served["spare"] == 0 {
		return fmt.Errorf("main's revoked key was used %d times (want once), and responses came from %v", refused, served)
	}
	return nil
}

// serve starts "spillway serve" and returns its address. stop ends it as a service manager would,
// and returns its error.
func serve(ctx context.Context, binary, file string) (address string, stop func() error, err error) {
	cmd := exec.CommandContext(ctx, binary, "serve", file, "--listen", "127.0.0.1:0", "--drain", "5s") //nolint:gosec // built by run
	cmd.Env = append(os.Environ(), "MAIN_KEY=main-key", "SPARE_KEY=spare-key", "CLIENT_TOKEN="+token)
	var log bytes.Buffer
	cmd.Stderr = &log
	output, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, _ := bufio.NewReader(output).ReadString('\n')
	if address = regexp.MustCompile(`http://\S+`).FindString(line); address == "" {
		_ = cmd.Wait()
		return "", nil, fmt.Errorf("the sidecar printed %q and logged: %s", line, &log)
	}
	return address, func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%w; it logged: %s", err, &log)
		}
		return nil
	}, nil
}

// onPost calls do when its address is posted to.
func onPost(ctx context.Context, do func()) (address string, end func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { do() })}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

// indented prints whole lines behind a margin.
type indented struct {
	out    io.Writer
	margin string
	rest   []byte
}

func (w *indented) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		_, _ = fmt.Fprintf(w.out, "%s%s\n", w.margin, line)
		w.rest = rest
	}
}
