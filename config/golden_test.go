package config_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/config"
)

var update = flag.Bool("update", false, "write the .want files of testdata")

// corpus calls test with every file of testdata/kind.
func corpus(t testing.TB, kind string, test func(path, name, text string)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", kind, "*.toml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("testdata/%s has no files (error %v)", kind, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		test(path, strings.TrimSuffix(filepath.Base(path), ".toml"), string(text))
	}
}

// golden compares got with the .want file beside path.
func golden(t *testing.T, path, got string) {
	t.Helper()
	path = strings.TrimSuffix(path, ".toml") + ".want"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", path, diff)
	}
}

func TestInvalidFilesReportEveryMistakeWithItsLine(t *testing.T) {
	corpus(t, "invalid", func(path, name, text string) {
		t.Run(name, func(t *testing.T) {
			cfg, err := parse(name+".toml", text)
			var all config.Errors
			if cfg != nil || !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("config %v, error %v; want no config and Errors", cfg, err)
			}
			if !slices.IsSortedFunc(all, func(a, b *config.Error) int { return a.Line - b.Line }) {
				t.Errorf("not sorted by line:\n%v", err)
			}
			golden(t, path, err.Error()+"\n")
		})
	})
}

func TestValidFilesMeanWhatTheySay(t *testing.T) {
	corpus(t, "valid", func(path, name, text string) {
		t.Run(name, func(t *testing.T) {
			cfg, err := parse(name+".toml", text)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			dump(&b, "Pool", reflect.ValueOf(cfg.Pool))
			dump(&b, "Router", reflect.ValueOf(cfg.Router))
			dump(&b, "Serve", reflect.ValueOf(cfg.Serve))
			dump(&b, "Store", reflect.ValueOf(cfg.Store))
			dump(&b, "Log", reflect.ValueOf(cfg.Log))
			for _, w := range cfg.Warnings {
				fmt.Fprintf(&b, "warning: %v\n", w)
			}
			golden(t, path, b.String())
		})
	})
}

// dump writes one line for each field that is not zero.
func dump(b *strings.Builder, path string, v reflect.Value) {
	if v.IsZero() {
		return
	}
	switch value := v.Interface().(type) {
	case fmt.Formatter:
		fmt.Fprintf(b, "%s = %v\n", path, value)
		return
	case time.Time:
		fmt.Fprintf(b, "%s = %s\n", path, value.Format(time.RFC3339Nano))
		return
	case time.Duration:
		fmt.Fprintf(b, "%s = %v\n", path, value)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			dump(b, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			dump(b, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		for _, key := range keys {
			dump(b, fmt.Sprintf("%s[%q]", path, key), v.MapIndex(key))
		}
	case reflect.Pointer:
		dump(b, path, v.Elem())
	case reflect.Interface:
		fmt.Fprintf(b, "%s = %T(%v)\n", path, v.Interface(), v.Interface())
	case reflect.String:
		fmt.Fprintf(b, "%s = %q\n", path, v)
	default:
		fmt.Fprintf(b, "%s = %v\n", path, v)
	}
}

func TestTheSampleFileLoadsWithoutWarnings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "valid", "full.toml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := parse("full.toml", string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) != 0 {
		t.Errorf("warnings %v", cfg.Warnings)
	}
}

func TestWindowsLineEndsAndByteOrderMarkKeepLines(t *testing.T) {
	text := "\ufeff# a\r\n\r\n[router]\r\npolicy = 'x'\r\n"
	_, err := parse("crlf.toml", text)
	want := "crlf.toml:1: there is no project; write at least one [[project]] with a name and a backend\n" +
		`crlf.toml:4: policy is not a known policy; write "least_loaded", "round_robin" or "random"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%v", err, want)
	}
}

func TestSourcesThatWouldExhaustTheParserAreRefused(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"arrays", "\nx = " + strings.Repeat("[", 1<<20), "deep.toml:2: values nest too deep"},
		{"inline tables", "\nx = " + strings.Repeat("{a=", 1<<18), "deep.toml:2: values nest too deep"},
		{"dotted key", "\n" + strings.Repeat("a.", 1<<18) + "a = 1", "deep.toml:2: values nest too deep"},
		{"header", "\n[" + strings.Repeat("a.", 1<<18) + "a]", "deep.toml:2: values nest too deep"},
		{"size", strings.Repeat("#\n", 4<<20), "deep.toml:1: the file is too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse("deep.toml", test.text)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}
