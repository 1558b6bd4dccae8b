package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// trial is one row as it is measured.
type trial struct {
	row     row
	options *options
	sidecar string // the program
	dir     string

	serve  *process
	calm   *process // the emulator of the others
	busy   *process // that of the siege
	others *others
	result result
}

// alone is for how long the others are alone, before the siege and after.
func (o *options) alone() time.Duration {
	if o.quick {
		return time.Second
	}
	return 3 * time.Second
}

func (t *trial) run(ctx context.Context) result {
	if t.result.err = os.MkdirAll(t.dir, 0o700); t.result.err == nil {
		t.result.err = t.measure(ctx)
	}
	return t.result
}

// measure starts all processes, and measures them.
func (t *trial) measure(ctx context.Context) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if t.calm, err = start(t.log("calm"), t.options.ranked(high, self, "google")); err != nil {
		return err
	}
	defer t.calm.kill()
	if t.busy, err = start(t.log("busy"), t.options.ranked(low, self, "google", "-slow", t.row.slow.String())); err != nil {
		return err
	}
	defer t.busy.kill()
	if err := t.write(t.file()); err != nil {
		return err
	}
	if t.serve, err = start(t.log("serve"), t.options.ranked(middle, t.sidecar, "serve", t.path("spillway.toml"), "--listen", "127.0.0.1:0", "--drain", "5s")); err != nil {
		return err
	}
	defer t.serve.kill()
	t.others = newOthers(t.url())
	t.listen(ctx, time.Second) // all are warm then
	before := t.listen(ctx, t.options.alone())
	if err := t.serve.resetPeak(); err != nil {
		return err
	}
	if err := t.besiege(ctx, self); err != nil {
		return err
	}
	if t.row.ends {
		t.result.alone = quantile(before.took, 0.95)
		return t.serve.wait(20 * time.Second)
	}
	if t.result.memory, err = t.serve.peak(); err != nil {
		return err
	}
	time.Sleep(time.Second) // connections of the siege close
	after := t.listen(ctx, t.options.alone())
	t.result.alone = quantile(append(before.took, after.took...), 0.95)
	t.fail(before)
	t.fail(after)
	return ctx.Err()
}

// besiege measures the others beside the siege.
func (t *trial) besiege(ctx context.Context, self string) error {
	words := t.options.ranked(low, self, "clients", "-row", t.row.name, "-at", t.serve.address, fmt.Sprintf("-quick=%t", t.options.quick))
	siege := exec.CommandContext(ctx, words[0], words[1:]...)
	siege.Stderr = os.Stderr
	stdout, err := siege.StdoutPipe()
	if err != nil {
		return err
	}
	if err := siege.Start(); err != nil {
		return err
	}
	defer t.profile()()
	on, stop := context.WithCancel(ctx)
	defer stop()
	ended, met, m := make(chan error, 1), newReport(), new(measured)
	go func() {
		defer stop()
		said, err := io.ReadAll(stdout)
		if waited := siege.Wait(); err == nil {
			err = waited
		}
		if err == nil {
			err = json.Unmarshal(said, met)
		}
		ended <- err
	}()
	if t.row.also != nil {
		go t.row.also(on, t)
	}
	t.others.call(on, m)
	if err := <-ended; err != nil {
		return fmt.Errorf("the clients of the siege: %w", err)
	}
	t.result.beside, t.result.met = quantile(m.took, 0.95), met
	t.fail(m)
	return nil
}

// listen returns what the others meet in a time.
func (t *trial) listen(ctx context.Context, d time.Duration) *measured {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	m := new(measured)
	t.others.call(ctx, m)
	return m
}

func (t *trial) fail(m *measured) {
	for why, n := range m.failed {
		if t.row.ends && strings.Contains(why, "connection refused") {
			continue // it was not accepted
		}
		t.result.fail(why, n)
	}
}

func (t *trial) path(name string) string { return filepath.Join(t.dir, name) }
func (t *trial) log(name string) string  { return t.path(name + ".log") }

func (t *trial) url() string {
	if t.row.tls {
		return "https://" + t.serve.address
	}
	return "http://" + t.serve.address
}

// file returns the sidecar's file.
func (t *trial) file() string {
	text := fmt.Sprintf("[router]\nmax_wait = \"0s\"\n\n[serve]\nadmin = \"unix:%s\"\npprof = true\ndrain_delay = \"2s\"\n", t.path("admin.sock"))
	if t.row.tls {
		text += "tls_cert = \"tls.crt\"\ntls_key = \"tls.key\"\n"
	}
	project := "\n[[project]]\nname = %q\nbackend = \"gemini\"\nkeys = [%s]\nmodels = [%s]\nbase_url = \"http://%s\"\n"
	text += fmt.Sprintf(project, "others", `"others-key"`, fmt.Sprintf("%q", othersModel), t.calm.address)
	return text + fmt.Sprintf(project, "siege", `"dead-key", "siege-key"`,
		fmt.Sprintf("%q, %q, %q, %q", plainModel, largeModel, slowModel, liveModel), t.busy.address)
}

// write replaces the sidecar's file as a whole.
func (t *trial) write(text string) error {
	if t.row.tls {
		if err := writeCertificate(t.path("tls.crt"), t.path("tls.key")); err != nil {
			return err
		}
	}
	next := t.path("next.toml")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, t.path("spillway.toml"))
}

// admin is a client of the sidecar's listener for operators.
func (t *trial) admin() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", t.path("admin.sock"))
		},
	}}
}

// profile takes a CPU profile of the sidecar in the siege, if one is asked for. The caller waits
// with what it returns.
func (t *trial) profile() (wait func()) {
	if t.options.profile == "" {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := t.admin().Get(fmt.Sprintf("http://localhost/debug/pprof/profile?seconds=%d", int(t.row.lasts.Seconds())-1)) //nolint:noctx // it has a timeout
		if err != nil {
			return
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err == nil {
			_ = os.WriteFile(filepath.Join(t.options.profile, strings.ReplaceAll(t.row.name, " ", "-")+".pprof"), b, 0o600)
		}
	}()
	return func() { <-done }
}
