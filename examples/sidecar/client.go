package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed *.py *.mjs *.java *.sh *.txt package.json
var files embed.FS

// client is a program in another language, with its requirements.
type client struct {
	name     string
	files    []string   // the program first, then what it reads
	manifest string     // the file that pins the SDK's version; "": there is no SDK
	tools    []string   // commands that this machine needs
	probe    []string   // fails if one of them is too old or incomplete, and prints its version
	wants    string     // the requirement that probe checks, for messages
	installs [][]string // commands that install the SDK into the client's folder
	runner   []string   // what runs the program
}

// clients are all there are, in the order in which they run.
var clients = []client{
	inPython("python", "python.py", "requirements.txt"),
	inPython("aio", "aio.py", "requirements.txt"),
	inPython("aiohttp", "aio.py", "requirements-aiohttp.txt"),
	{
		name: "node", files: []string{"node.mjs"}, manifest: "package.json",
		tools: []string{"node", "npm"}, wants: "Node.js 20 or newer",
		probe: []string{"node", "-e", "if (parseInt(process.versions.node) < 20) process.exit(1); console.log(process.version)"},
		// No lock file, because it would name where each package was fetched. package.json pins the
		// SDK.
		installs: [][]string{{"npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}},
		runner:   []string{"node"},
	},
	inPython("openai", "openai_client.py", "requirements-openai.txt"),
	{
		name: "java", files: []string{"Client.java"},
		tools: []string{"java", "javac", "keytool"}, wants: "a JDK, 17 or newer",
		probe:  []string{"javac", "--release", "17", "-version"},
		runner: []string{"java"},
	},
	{
		name: "curl", files: []string{"curl.sh"},
		tools: []string{"curl", "sh", "sed", "awk"}, wants: "curl with HTTP/2",
		probe:  []string{"sh", "-c", "curl --version | grep HTTP2"},
		runner: []string{"sh"},
	},
}

// inPython returns a client in Python.
func inPython(name, program, manifest string) client {
	return client{
		name: name, files: []string{program, "transcript.py"}, manifest: manifest,
		tools: []string{"python3"}, wants: "Python 3.11 or newer with its module venv",
		probe: []string{"python3", "-c", "import ensurepip, sys, venv; assert sys.version_info >= (3, 11); print(sys.version)"},
		installs: [][]string{
			{"python3", "-m", "venv", "--clear", "sdk"},
			{"sdk/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", manifest},
		},
		runner: []string{"sdk/bin/python", "-B"},
	}
}

// program is a client that is ready to run.
type program struct {
	client

	dir string // of its files and its SDK
}

// missingError says what a client needs and this machine lacks.
type missingError string

func (e missingError) Error() string { return string(e) }

// installed marks a folder whose installation is complete.
const installed = "installed"

// install makes a folder with the SDK and the program. An SDK stays in the user's cache for later
// runs; clients with the same manifest share it.
func (c client) install(ctx context.Context, out io.Writer, work string) (program, error) {
	for _, tool := range c.tools {
		if _, err := exec.LookPath(tool); err != nil {
			return program{}, missingError(tool + " is not installed on this machine")
		}
	}
	version, err := exec.CommandContext(ctx, c.probe[0], c.probe[1:]...).Output() //nolint:gosec // the commands above
	if err != nil {
		return program{}, missingError("it needs " + c.wants)
	}
	if c.manifest == "" {
		p := program{c, filepath.Join(work, c.name)}
		return p, p.unpack(c.files...)
	}
	manifest, err := files.ReadFile(c.manifest)
	if err != nil {
		return program{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return program{}, err
	}
	key := sha256.Sum256(append(version, manifest...))
	p := program{c, filepath.Join(cache, "spillway-example-sidecar", fmt.Sprintf("%s-%x", c.tools[0], key[:6]))}
	if err := errors.Join(p.unpack(c.files...), p.unpack(c.manifest)); err != nil {
		return p, err
	}
	mark := filepath.Join(p.dir, installed)
	if _, err := os.Stat(mark); err == nil {
		return p, nil
	}
	began := time.Now()
	for _, argv := range c.installs {
		if said, err := p.command(ctx, argv).CombinedOutput(); err != nil {
			return p, fmt.Errorf("installing its SDK: %s: %w\n%s", strings.Join(argv, " "), err, said)
		}
	}
	_, _ = fmt.Fprintf(out, "%-8s installed its SDK in %.1f s, in %s\n", c.name, time.Since(began).Seconds(), p.dir)
	return p, os.WriteFile(mark, nil, 0o600)
}

// unpack writes files of this example into the program's folder.
func (p program) unpack(names ...string) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// command returns a command that works in the program's folder. A relative one is in that folder.
func (p program) command(ctx context.Context, argv []string) *exec.Cmd {
	name := argv[0]
	if strings.Contains(name, "/") {
		name = filepath.Join(p.dir, name)
	}
	cmd := exec.CommandContext(ctx, name, argv[1:]...) //nolint:gosec // the commands above
	cmd.Dir = p.dir
	return cmd
}
