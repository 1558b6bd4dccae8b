package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
)

// file is the sidecar's configuration; %[1]s is Google's address, %[2]s is what TLS needs.
const file = `
[serve]
admin = "off"
%[2]s
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

// secured are the lines of [serve] for TLS.
const secured = "tls_cert = %q\ntls_key  = %q\n"

// token is what the clients send in place of an API key.
const token = "a-token-of-this-example"

// sidecar is a running "spillway serve".
type sidecar struct {
	url string
	cmd *exec.Cmd
	log *bytes.Buffer
}

// serve starts "spillway serve" on a road, in front of Google at an address.
func serve(ctx context.Context, binary, dir string, on road, google string) (*sidecar, error) {
	var lines string
	if on.dir != "" {
		lines = fmt.Sprintf(secured, filepath.Join(on.dir, certificateFile), filepath.Join(on.dir, keyFile))
	}
	path := filepath.Join(dir, "spillway.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, file, google, lines), 0o600); err != nil {
		return nil, err
	}
	s := &sidecar{log: new(bytes.Buffer)}
	s.cmd = exec.CommandContext(ctx, binary, "serve", path, "--listen", "127.0.0.1:0", "--drain", "5s") //nolint:gosec // built by run
	s.cmd.Env = append(append(os.Environ(), on.trust()...), "MAIN_KEY=main-key", "SPARE_KEY=spare-key", "CLIENT_TOKEN="+token)
	s.cmd.Stderr = s.log
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, _ := bufio.NewReader(output).ReadString('\n')
	if s.url = regexp.MustCompile(`https?://\S+`).FindString(line); s.url == "" {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		return nil, fmt.Errorf("the sidecar printed %q and logged: %s", line, s.log)
	}
	return s, nil
}

// stop ends the sidecar as a service manager would. It fails if calls were cut off.
func (s *sidecar) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the sidecar ended badly: %w; it logged: %s", err, s.log)
	}
	return nil
}
