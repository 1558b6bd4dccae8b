// Page puts a sidecar and the emulator into a state, for the test of the sidecar's page in a browser:
// page SPILLWAY SCENE. It prints the sidecar's address, and does the scene's next act for each line
// that it reads. It ends with its input.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// canary is in every key and prompt of ours. The page must never show it.
const canary = "CANARY"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: page SPILLWAY SCENE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// stage is a sidecar over the emulator.
type stage struct {
	google  *geminitest.Server
	address string
	page    string // where the page is looked at: the address, or that of operators who have a token
	sidecar *exec.Cmd
}

func run(program, name string) error {
	s, ok := scenes[name]
	if !ok {
		return fmt.Errorf("there is no scene %q", name)
	}
	google, err := geminitest.Start(geminitest.Config{Projects: s.projects, Seed: 7, Latency: geminitest.Latency{FirstToken: 20 * time.Millisecond}})
	if err != nil {
		return err
	}
	defer google.Close()
	dir, err := os.MkdirTemp("", "spillway-page")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "spillway.toml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(s.file, "GOOGLE", google.URL)), 0o600); err != nil {
		return err
	}
	at := &stage{google: google}
	if err := at.serve(program, file); err != nil {
		return err
	}
	defer at.leave()
	if !strings.Contains(s.file, "admin_token") {
		at.page = at.address
	}
	input := bufio.NewScanner(os.Stdin)
	for _, act := range s.acts {
		if err := act(at); err != nil {
			return err
		}
		fmt.Println(at.page)
		if !input.Scan() {
			return nil
		}
	}
	return errors.New("the scene has no more acts")
}

// What the sidecar says of its addresses: for clients on its output, for operators in its log.
var (
	listening = regexp.MustCompile(`served at (http://\S+)`)
	operators = regexp.MustCompile(`operators are (?:served" address=(http://\S+)|not served)`)
)

// serve starts the sidecar and waits for its address.
func (s *stage) serve(program, file string) error {
	s.sidecar = exec.Command(program, "serve", file, "--listen", "127.0.0.1:0", "--drain", "1s")
	out, err := s.sidecar.StdoutPipe()
	if err != nil {
		return err
	}
	log, err := s.sidecar.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.sidecar.Start(); err != nil {
		return err
	}
	s.page, s.address = find(operators, log), find(listening, out)
	if s.address == "" {
		return errors.New("the sidecar does not start")
	}
	go func() { _, _ = io.Copy(io.Discard, log) }()
	return nil
}

// find returns what an expression finds in the lines that come.
func find(what *regexp.Regexp, text io.Reader) string {
	for lines := bufio.NewScanner(text); lines.Scan(); {
		if found := what.FindStringSubmatch(lines.Text()); found != nil {
			return found[1]
		}
	}
	return ""
}

// leave ends the sidecar.
func (s *stage) leave() {
	_ = s.sidecar.Process.Signal(syscall.SIGTERM)
	_ = s.sidecar.Wait()
}

// call sends n calls for a model, one after the other. What they get is for the page to show.
func (s *stage) call(n int, model string, header ...string) error {
	for range n {
		if err := s.say(canary+"-prompt", model, header...); err != nil {
			return err
		}
	}
	return nil
}

// say sends a call with a prompt.
func (s *stage) say(prompt, model string, header ...string) error {
	return s.post("/v1beta/models/"+model+":generateContent", `{"contents":[{"role":"user","parts":[{"text":"`+prompt+`"}]}]}`, header...)
}

// goOn sends large calls until the sidecar leaves.
func (s *stage) goOn(model string) {
	for s.say(strings.Repeat(canary+" ", 8_000), model) == nil {
		time.Sleep(50 * time.Millisecond)
	}
}

// post sends a request from this machine.
func (s *stage) post(path, body string, header ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var gone net.Error
		if errors.As(err, &gone) && gone.Timeout() {
			return nil
		}
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}
