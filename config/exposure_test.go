package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
)

func TestAddressInClearTextIsAWarningWithItsLine(t *testing.T) {
	for address, warns := range map[string]bool{
		"http://gateway.example":                  true,
		"HTTP://10.0.0.7:8080/proxy":              true,
		"http://llm.svc.cluster.local":            true,
		"http://[2001:db8::1]:80":                 true,
		"http://localhost.example":                true,
		"http://127.0.0.1.example":                true,
		"http://host.docker.internal:9090":        true,
		"https://gateway.example":                 false,
		"http://127.0.0.1:9090":                   false,
		"http://127.8.9.1":                        false,
		"http://localhost:9090":                   false,
		"http://LOCALHOST.:9090":                  false,
		"http://google.localhost":                 false,
		"http://[::1]:9090":                       false,
		"http://0.0.0.0:9090":                     false,
		"http://[::ffff:127.0.0.1]:9090":          false,
		"https://europe-west4.private.example/v1": false,
	} {
		for _, project := range []string{
			"name = \"a\"\nbackend = \"gemini\"\nkeys = [\"env:GEMINI_API_KEY\"]\n",
			"name = \"a\"\nbackend = \"vertex\"\ncredentials = \"env:ACCESS_TOKEN\"\n",
			"name = \"a\"\nbackend = \"vertex\"\ncredentials = \"none\"\n",
		} {
			cfg, err := parse("file.toml", "[[project]]\n"+project+"\nbase_url = \""+address+"\"\n")
			if err != nil {
				t.Fatal(err)
			}
			switch got := fmt.Sprint(cfg.Warnings); {
			case !warns && len(cfg.Warnings) != 0:
				t.Errorf("%s: warnings %s", address, got)
			case warns && (len(cfg.Warnings) != 1 || !strings.HasPrefix(got, "[file.toml:6: base_url is http://") || !strings.Contains(got, "clear text")):
				t.Errorf("%s: warnings %s", address, got)
			}
		}
	}
}

func TestKeyFileThatOthersMayReadIsAWarningWithItsLine(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes")
	}
	for mode, may := range map[os.FileMode]string{
		0o600: "", 0o400: "", 0o640: "", 0o660: "", 0o440: "",
		0o644: "read", 0o444: "read", 0o604: "read", 0o666: "write", 0o602: "write", 0o777: "write",
	} {
		dir := folder(t, map[string]string{"key": "CANARY-key", "credentials.json": serviceAccount("https://oauth2.googleapis.com/token")})
		for _, file := range []string{"key", "credentials.json"} {
			if err := os.Chmod(filepath.Join(dir, file), mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("key", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Parse("file.toml", []byte(`[[project]]
name = "studio"
backend = "gemini"
keys = ["env:SPILLWAY_TEST_KEY",
  "file:link"]

[[project]]
name = "prod"
backend = "vertex"
credentials = "file:credentials.json"
`), config.WithDir(dir), config.WithEnv(func(string) (string, bool) { return "CANARY-env", true }))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if may != "" {
			want = []string{
				fmt.Sprintf(`file.toml:5: keys[1]: every user of this machine may %s the file "link" (mode %04o); run chmod 600 "link"`, may, mode),
				fmt.Sprintf(`file.toml:10: credentials: every user of this machine may %s the file "credentials.json" (mode %04o); run chmod 600 "credentials.json"`, may, mode),
			}
		}
		var got []string
		for _, w := range cfg.Warnings {
			got = append(got, w.String())
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("mode %04o: warnings\n%s\nwant\n%s", mode, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		mustHide(t, "a warning", fmt.Sprint(cfg.Warnings))
	}
}

func TestLoadWarnsOfAKeyFileThatOthersMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes")
	}
	dir := folder(t, map[string]string{"key": "CANARY-key", "file.toml": "[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"file:key\"]\n"})
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o644: 1} {
		if err := os.Chmod(filepath.Join(dir, "key"), mode); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(filepath.Join(dir, "file.toml"))
		if err != nil {
			t.Fatal(err)
		}
		if len(cfg.Warnings) != want {
			t.Errorf("mode %04o: warnings %v", mode, cfg.Warnings)
		}
	}
}

// Kubernetes gives secrets the mode 0644 where it is told nothing else.
func TestSecretOfKubernetesIsNoWarning(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes")
	}
	for mode, warns := range map[os.FileMode]bool{0o644: false, 0o444: false, 0o666: true} {
		dir := folder(t, map[string]string{"..2026_11_25_10_00_00.123/key": "CANARY-key"})
		if err := os.Chmod(filepath.Join(dir, "..2026_11_25_10_00_00.123/key"), mode); err != nil {
			t.Fatal(err)
		}
		for link, to := range map[string]string{"..data": "..2026_11_25_10_00_00.123", "key": "..data/key"} {
			if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		cfg, err := config.Parse("file.toml", []byte("[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"file:key\"]\n"), config.WithDir(dir))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(cfg.Warnings) != 0; got != warns {
			t.Errorf("mode %04o: warnings %v", mode, cfg.Warnings)
		}
	}
}
