package spillway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// modulePath begins the import path of every package of ours.
const modulePath = "github.com/spillway-go/spillway"

// A room says which packages of ours some packages may import. Paths are relative to the module,
// "." is the root, and "/..." at the end of a pattern stands for the package and all below it.
type room struct {
	packages string
	imports  []string
}

// The first room that matches a package decides. A package without a room fails the test: add it
// here.
var house = []room{
	{"cmd/...", []string{
		"cmd/...", ".", "config", "router", "pool", "quota", "breaker", "store/...", "metrics", "otel", "calls",
		"geminitest", "internal/credential", "internal/demand", "internal/discover", "internal/modelid", "internal/pace", "internal/plain",
		"internal/plan", "internal/price", "internal/remedy", "internal/report", "internal/spelling", "internal/standin",
		"internal/wire/request",
		"internal/wire/verdict",
	}},
	{"examples/...", []string{
		"examples/...", ".", "config", "router", "pool", "quota", "breaker", "store/...", "metrics", "otel", "calls",
		"geminitest",
	}},
	{".", []string{"config", "router", "pool", "quota", "breaker", "store", "calls"}},
	{"config", []string{"router", "pool", "quota", "breaker", "store", "internal/field", "internal/credential", "internal/modelid", "internal/spelling"}},
	{"router", []string{"pool", "quota", "breaker", "store", "internal/..."}},
	{"pool", []string{
		"quota", "breaker", "store",
		"internal/cooldown", "internal/tokens", "internal/owner", "internal/field", "internal/credential", "internal/modelid",
		"internal/plain", "internal/remedy", "internal/spelling",
	}},

	// The arithmetic knows none of the others, but for the words in which a ledger and a pacer are
	// shared.
	{"quota", []string{"store", "internal/modelid"}},
	{"breaker", nil},
	{"store", nil},

	// Beside the router: what hears of its calls.
	{"calls", []string{"router", "pool", "internal/plain"}},

	// Beside the store and the router; only programs import these.
	{"store/connect", []string{"store/redis", "config"}},
	{"store/...", []string{"store/..."}},
	{"metrics", []string{"router", "pool", "quota", "breaker", "internal/observed"}},
	{"otel", []string{"router", "pool", "quota", "internal/observed"}},
	{"internal/observed", []string{"router", "pool"}},

	// Google's wire speaks of pool's words. The rest of internal stands alone.
	{"internal/wire/...", []string{"internal/wire/...", "internal/plain", "internal/remedy", "pool"}},
	{"internal/cooldown", []string{"quota"}}, // for midnight in Los Angeles
	{"internal/discover", []string{"internal/credential", "internal/modelid", "internal/plain"}},
	{"internal/quotasim", []string{"quota", "store"}},
	{"internal/demand", []string{"quota", "calls", "router", "internal/plain", "internal/wire/jsonscan"}},
	{"internal/plan", []string{"pool", "quota", "internal/demand", "internal/price", "internal/plain", "internal/standin"}},
	{"internal/price", []string{"quota", "internal/modelid", "internal/plain"}},
	{"internal/pace", []string{"internal/plain"}},
	{"internal/report", []string{"calls", "router", "pool", "internal/plain"}},
	{"internal/grid", []string{"router", "pool"}}, // imported by tests and bench only
	{"internal/...", nil},

	// The emulator shares no code with what it tests.
	{"geminitest", nil},
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range listPackages(t) {
		from, ours := inModule(p.ImportPath)
		if !ours {
			continue
		}
		i := slices.IndexFunc(house, func(r room) bool { return covers(r.packages, from) })
		if i < 0 {
			t.Errorf("package %s has no place in the house: add it to the table", from)
			continue
		}
		for _, path := range p.Imports {
			to, ours := inModule(path)
			allowed := func(pattern string) bool { return covers(pattern, to) }
			if ours && !slices.ContainsFunc(house[i].imports, allowed) {
				t.Errorf("%s imports %s, want only %q", from, to, house[i].imports)
			}
		}
	}
}

func TestImportPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"pool", "pool", true},
		{"pool", "pool/x", false},
		{".", ".", true},
		{".", "pool", false},
		{"internal/wire/...", "internal/wire", true},
		{"internal/wire/...", "internal/wire/stream", true},
		{"internal/wire/...", "internal/wireless", false},
	} {
		if got := covers(test.pattern, test.path); got != test.want {
			t.Errorf("covers(%q, %q) = %v, want %v", test.pattern, test.path, got, test.want)
		}
	}
}

// A program that embeds the router must not compile in what it does not use. The SDK and
// cloud.google.com/go/auth bring OpenCensus and gRPC with them, and nothing of these.
func TestRootCompilesInNoStoreAndNoTelemetry(t *testing.T) {
	packages := map[string]listed{}
	for _, p := range listPackages(t) {
		packages[p.ImportPath] = p
	}
	importedBy := map[string]string{modulePath: ""} // how each package came in
	for queue := []string{modulePath}; len(queue) > 0; queue = queue[1:] {
		for _, path := range packages[queue[0]].Imports {
			if _, seen := importedBy[path]; !seen {
				importedBy[path] = queue[0]
				queue = append(queue, path)
			}
		}
	}
	if _, ok := importedBy["google.golang.org/genai"]; !ok {
		t.Fatal("the SDK is not among what the root package compiles in: the test looks at nothing")
	}
	for path, by := range importedBy {
		for _, unwanted := range []string{
			"redis", "rueidis", "valkey", "prometheus", "fsnotify", "opentelemetry",
			modulePath + "/metrics", modulePath + "/otel", modulePath + "/geminitest",
		} {
			if strings.Contains(path, unwanted) {
				t.Errorf("importing %s compiles in %s, which %s imports", modulePath, path, by)
			}
		}
	}
}

func TestNoExportedSignatureShowsAnInternalType(t *testing.T) {
	packages := listPackages(t)
	exports := map[string]string{}
	for _, p := range packages {
		exports[p.ImportPath] = p.Export
	}
	read := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	for _, p := range packages {
		path, ours := inModule(p.ImportPath)
		if !ours || p.Name == "main" || covers("internal/...", path) {
			continue
		}
		pkg, err := read.Import(p.ImportPath)
		if err != nil {
			t.Fatal(err)
		}
		scope := pkg.Scope()
		for _, name := range scope.Names() {
			if !token.IsExported(name) {
				continue
			}
			s := shown{seen: map[types.Type]bool{}}
			s.object(scope.Lookup(name))
			for _, found := range s.internal {
				t.Errorf("%s.%s shows %s, which its users cannot name", path, name, found)
			}
		}
	}
}

// shown collects the internal types that one exported name of a package shows.
type shown struct {
	seen     map[types.Type]bool
	internal []string
}

// object looks at an exported name: its type and, of a type, also the methods.
func (s *shown) object(o types.Object) {
	name, isType := o.(*types.TypeName)
	if !isType {
		s.types(o.Type())
		return
	}
	if name.IsAlias() {
		s.types(types.Unalias(o.Type()))
	}
	s.types(o.Type().Underlying())
	methods := types.NewMethodSet(types.NewPointer(o.Type()))
	for m := range methods.Methods() {
		if m.Obj().Exported() {
			s.types(m.Type())
		}
	}
}

// types looks at a type as its user sees it: of a struct only the exported and the embedded fields,
// of a named type only the name and the type arguments.
func (s *shown) types(t types.Type) {
	if t == nil || s.seen[t] {
		return
	}
	s.seen[t] = true
	switch t := t.(type) {
	case *types.Named:
		if p := t.Obj().Pkg(); p != nil {
			if path, ours := inModule(p.Path()); ours && covers("internal/...", path) {
				s.internal = append(s.internal, t.String())
			}
		}
		for arg := range t.TypeArgs().Types() {
			s.types(arg)
		}
	case *types.Alias:
		s.types(types.Unalias(t))
	case *types.Signature:
		for p := range t.TypeParams().TypeParams() {
			s.types(p.Constraint())
		}
		s.types(t.Params())
		s.types(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			s.types(v.Type())
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				s.types(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() {
				s.types(m.Type())
			}
		}
		for e := range t.EmbeddedTypes() {
			s.types(e)
		}
	case *types.Union:
		for term := range t.Terms() {
			s.types(term.Type())
		}
	case *types.Map:
		s.types(t.Key())
		s.types(t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays and channels
		s.types(t.Elem())
	}
}

func TestShownFindsInternalTypes(t *testing.T) {
	internal := types.NewPackage(modulePath+"/internal/secret", "secret")
	name := types.NewTypeName(token.NoPos, internal, "T", nil)
	hidden := types.NewNamed(name, types.NewStruct(nil, nil), nil)
	public := types.NewPackage(modulePath+"/public", "public")
	field := func(name string, embedded bool) types.Type {
		return types.NewStruct([]*types.Var{
			types.NewField(token.NoPos, public, name, types.NewSlice(types.NewPointer(hidden)), embedded),
		}, nil)
	}
	result := types.NewSignatureType(nil, nil, nil, nil,
		types.NewTuple(types.NewVar(token.NoPos, public, "", types.NewSlice(hidden))), false)
	for _, test := range []struct {
		name string
		typ  types.Type
		want int
	}{
		{"an exported field", field("Open", false), 1},
		{"an unexported field", field("closed", false), 0},
		{"an embedded field", field("closed", true), 1},
		{"a result", result, 1},
		{"a function in a channel", types.NewChan(types.SendRecv, result), 1},
	} {
		s := shown{seen: map[types.Type]bool{}}
		s.types(test.typ)
		if len(s.internal) != test.want {
			t.Errorf("%s: found %v, want %d types", test.name, s.internal, test.want)
		}
	}
}

// listed is what the go command tells of a package.
type listed struct {
	ImportPath, Name, Export string
	Imports                  []string
}

// listPackages returns the packages of the module and all that they import.
func listPackages(t *testing.T) []listed {
	t.Helper()
	packages, err := listOnce()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

var listOnce = sync.OnceValues(func() ([]listed, error) {
	// The go command takes up the result of an earlier run unless a file has changed that the test
	// looked at itself.
	if err := lookAtFolders("."); err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	list := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Name,Export,Imports", "./...")
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", list.Args, err, stderr.Bytes())
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		}
		packages = append(packages, p)
	}
})

func lookAtFolders(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
}

// inModule returns the path of a package relative to the module, if it is one of ours.
func inModule(importPath string) (path string, ours bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// covers reports whether a pattern of the table stands for a package.
func covers(pattern, path string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == below || strings.HasPrefix(path, below+"/")
	}
	return pattern == path
}
