// Package sdktour calls every exported method of every service of an unmodified genai.Client, and
// checks the answers as far as the emulator of geminitest decides them. Tests take the tour over
// the emulator itself and over what stands between a client and it, so the list of methods is kept
// once. The client's Google starts empty, and the tour leaves little behind.
package sdktour

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/genai"
)

const flash = "gemini-2.5-flash"

// tour calls the SDK and keeps a list of what it has called.
type tour struct {
	*testing.T
	client *genai.Client
	google Google
	called map[string]bool
}

// Google is what answers.
type Google struct {
	Models []string // in the order of the list
	Mixed  bool     // projects of the other back end, which has no traffic types, may serve what can be said in its dialect
}

// Everything calls every exported method of every service of the client, and fails the test for
// those that it does not know: a new version of the SDK cannot add one unnoticed. Only Live.Connect
// is left out, which is not HTTP.
func Everything(t *testing.T, client *genai.Client, google Google) {
	t.Helper()
	defer fails(t)
	tour := &tour{T: t, client: client, google: google, called: map[string]bool{"ClientConfig": true, "Live.Connect": true}}
	tour.basics()
	tour.allModels()
	tour.caches()
	tour.chats()
	tour.resources()
	for _, method := range exportedMethods(client) {
		if !tour.called[method] {
			t.Errorf("%s is not called", method)
		}
	}
}

// Resources calls what makes and uses things that live in a project.
func Resources(t *testing.T, client *genai.Client) {
	t.Helper()
	defer fails(t)
	tour := &tour{T: t, client: client, called: map[string]bool{}}
	tour.caches()
	tour.resources()
}

// Basics calls what asks models, and asks about them.
func Basics(t *testing.T, client *genai.Client, google Google) {
	t.Helper()
	defer fails(t)
	tour := &tour{T: t, client: client, google: google, called: map[string]bool{}}
	tour.basics()
}

func (t *tour) resources() {
	t.jobs()
	if t.vertex() {
		t.notOnVertex()
	} else {
		t.files()
		t.stores()
	}
	t.interactions()
	t.agents()
	t.environments()
}

// vertex reports whether the client speaks to Vertex AI.
func (t *tour) vertex() bool { return t.client.ClientConfig().Backend == genai.BackendVertexAI }

// calls notes which method comes next.
func (t *tour) calls(methods ...string) {
	for _, m := range methods {
		t.called[m] = true
	}
}

// ok passes a value on, and panics with an error: calls of several results cannot take a test, too.
func ok[T any](value T, err error) T {
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		panic(unexpected{fmt.Errorf("%s:%d: %w", filepath.Base(file), line, err)})
	}
	return value
}

// unexpected is what ok panics with; fails turns it into the end of a test.
type unexpected struct{ error }

func fails(t *testing.T) {
	if v := recover(); v != nil {
		e, expected := v.(unexpected)
		if !expected {
			panic(v)
		}
		t.Fatal(e)
	}
}

// all collects a sequence.
func all[T any](list iter.Seq2[T, error]) []T {
	var items []T
	for item, err := range list {
		items = append(items, ok(item, err))
	}
	return items
}

// is fails the test if something is not as it should be.
func (t *tour) is(good bool, what string, got any) {
	t.Helper()
	if !good {
		t.Errorf("%s: %+v", what, got)
	}
}

// refuses checks that the SDK itself refuses a call that the back end does not have.
func refuses(t *tour, method string, err error) {
	t.Helper()
	t.calls(method)
	if err == nil || !strings.Contains(err.Error(), "only supported in") {
		t.Errorf("%s: %v, want the SDK's refusal", method, err)
	}
}

// second drops a value.
func second[T any](_ T, err error) error { return err }

// first returns the first error of a sequence.
func first[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		return err
	}
	return nil
}

// write writes a file and returns its path.
func (t *tour) write(name, content string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// exportedMethods are the methods of all services of a client, as "Files.Upload".
func exportedMethods(client *genai.Client) []string {
	var names []string
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for method := range v.Type().Methods() {
			names = append(names, prefix+method.Name)
		}
		for i := range v.Elem().NumField() {
			if f := v.Elem().Type().Field(i); f.IsExported() && f.Type.Kind() == reflect.Pointer {
				walk(prefix+f.Name+".", v.Elem().Field(i))
			}
		}
	}
	walk("", reflect.ValueOf(client))
	return names
}
