package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed client.py client.mjs chat.py requirements.txt requirements-openai.txt package.json
var files embed.FS

// client is a program in another language, with its requirements.
type client struct {
	name     string
	program  string     // the program, run in the folder of its SDK
	manifest string     // the file that pins the SDK's version
	tools    []string   // commands that this machine needs; the first runs the program
	probe    []string   // fails if the first tool is too old or incomplete, and prints its version
	wants    string     // the requirement that probe checks, for messages
	installs [][]string // commands that install the SDK into the folder
	run      []string   // the program, in the folder
}

// pythonWith returns a client in Python.
func pythonWith(name, program, manifest string) client {
	return client{
		name: name, program: program, manifest: manifest,
		tools: []string{"python3"}, wants: "Python 3.11 or newer with its module venv",
		probe: []string{"python3", "-c", "import ensurepip, sys, venv; assert sys.version_info >= (3, 11); print(sys.version)"},
		installs: [][]string{
			{"python3", "-m", "venv", "--clear", "sdk"},
			{"sdk/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", manifest},
		},
		run: []string{"sdk/bin/python", program},
	}
}

var (
	python = pythonWith("python", "client.py", "requirements.txt")
	// openAI is OpenAI's own client, and LangChain's.
	openAI = pythonWith("openai", "chat.py", "requirements-openai.txt")
)

var javascript = client{
	name: "javascript", program: "client.mjs", manifest: "package.json",
	tools: []string{"node", "npm"}, wants: "Node.js 20 or newer",
	probe: []string{"node", "-e", "if (parseInt(process.versions.node) < 20) process.exit(1); console.log(process.version)"},
	// No lock file, because it would name where each package was fetched. package.json pins the
	// SDK.
	installs: [][]string{{"npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}},
	run:      []string{"node", "client.mjs"},
}

// missingError says what a client needs and this machine lacks.
type missingError string

func (e missingError) Error() string { return string(e) }

// installed marks a folder whose installation is complete.
const installed = "installed"

// install makes a folder with the SDK and the program, or returns the one of an earlier run.
func (c client) install(ctx context.Context, out io.Writer) (dir string, err error) {
	for _, tool := range c.tools {
		if _, err := exec.LookPath(tool); err != nil {
			return "", missingError(tool + " is not installed on this machine")
		}
	}
	version, err := exec.CommandContext(ctx, c.probe[0], c.probe[1:]...).Output() //nolint:gosec // the commands above
	if err != nil {
		return "", missingError("it needs " + c.wants)
	}
	manifest, err := files.ReadFile(c.manifest)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(append(version, manifest...))
	dir = filepath.Join(cache, "spillway-example-sidecar", fmt.Sprintf("%s-%x", c.name, key[:6]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{c.manifest, c.program} {
		text, err := files.ReadFile(name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	mark := filepath.Join(dir, installed)
	if _, err := os.Stat(mark); err == nil {
		return dir, nil
	}
	began := time.Now()
	for _, argv := range c.installs {
		if said, err := c.command(ctx, dir, argv).CombinedOutput(); err != nil {
			return "", fmt.Errorf("installing its SDK: %s: %w\n%s", strings.Join(argv, " "), err, said)
		}
	}
	_, _ = fmt.Fprintf(out, "%s: installed its SDK in %.1f s, in %s\n", c.name, time.Since(began).Seconds(), dir)
	return dir, os.WriteFile(mark, nil, 0o600)
}

// command returns a command in the client's folder. A relative program is in that folder.
func (c client) command(ctx context.Context, dir string, argv []string) *exec.Cmd {
	program := argv[0]
	if strings.Contains(program, "/") {
		program = filepath.Join(dir, program)
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...) //nolint:gosec // the commands above
	cmd.Dir = dir
	return cmd
}
