package config_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"strings"
	"sync"

	"github.com/spillway-go/spillway/config"
)

// marker is part of every secret in these tests. Nothing that is printed may contain it.
const marker = "CANARY"

// canary has the form of a Google API key, plainSecret that of nothing in particular.
const (
	canary      = "AIzaSyCANARY0123456789abcdefghijklmnopq"
	plainSecret = "s3cr3t-CANARY-value"
)

// redisURL holds a password.
const redisURL = "rediss://spillway:" + plainSecret + "@redis.internal/2"

var variables = map[string]string{
	"GEMINI_API_KEY": canary,
	"SECOND_KEY":     plainSecret,
	"ACCESS_TOKEN":   "ya29.CANARY-token",
	"REDIS_URL":      redisURL,
	"EMPTY":          "",
	"SPACED":         plainSecret + " with a space",
	"LINES":          plainSecret + "\nX-Injected: yes",
}

var files = map[string]string{
	"/run/secrets/gemini-2": "\n  file-CANARY-key \r\n",
	"conf/key.json":         serviceAccount("https://oauth2.googleapis.com/token"),
	"conf/damaged.json":     strings.ReplaceAll(serviceAccount("https://oauth2.googleapis.com/token"), `\n`, `\\n`),
	"conf/empty":            " \n",
	"conf/installed":        `{"installed": {"client_id": "CANARY", "client_secret": "CANARY"}}`,
	"conf/unknown.json":     `{"type": "CANARY"}`,
	"conf/plain":            "file-CANARY-key",
	"conf/redis":            "\n " + redisURL + " \r\n",
	"conf/large":            strings.Repeat("CANARY", 20_000),
}

// signingKey is made anew for each run, so that no private key stands in the repository.
var signingKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

// serviceAccount is the file of a service account that gets its tokens at uri.
func serviceAccount(uri string) string {
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "acme", "client_email": "CANARY@acme.iam.gserviceaccount.com",
		"private_key_id": "CANARY", "private_key": signingKey(), "token_uri": uri,
	})
	if err != nil {
		panic(err)
	}
	return string(file)
}

// onTestMachine keeps Parse away from the real environment and disk. Relative paths start in conf.
func onTestMachine() []config.Option {
	return []config.Option{
		config.WithEnv(func(name string) (string, bool) {
			value, ok := variables[name]
			return value, ok
		}),
		config.WithDir("conf"),
		config.WithFiles(func(path string) ([]byte, error) {
			if path == "conf/locked" {
				return nil, &fs.PathError{Op: "open", Path: marker, Err: fs.ErrPermission}
			}
			text, ok := files[path]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: marker, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		}),
	}
}

func parse(name, text string) (*config.Config, error) {
	return config.Parse(name, []byte(text), onTestMachine()...)
}
