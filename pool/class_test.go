package pool_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/spillway-go/spillway/pool"
)

// classConstants reads the constants of type Class from class.go.
func classConstants(t *testing.T) map[string]pool.Class {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "class.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	constants := make(map[string]pool.Class)
	for _, decl := range file.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			if kind, ok := v.Type.(*ast.Ident); !ok || kind.Name != "Class" {
				continue
			}
			for i, name := range v.Names {
				text, ok := v.Values[i].(*ast.BasicLit)
				if !ok {
					t.Fatalf("%s is not a literal", name.Name)
				}
				value, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				constants[name.Name] = pool.Class(value)
			}
		}
	}
	return constants
}

func TestEveryConstantOfClassHasARuleAndALife(t *testing.T) {
	constants := classConstants(t)
	if len(constants) < 10 {
		t.Fatalf("class.go declares %d classes: the test does not find them", len(constants))
	}
	ruled := pool.RuledClasses()
	var living []pool.Class
	for _, l := range lives {
		living = append(living, l.class)
	}
	seen := make(map[pool.Class]string)
	for name, class := range constants {
		if !slices.Contains(ruled, class) {
			t.Errorf("%s has no rule", name)
		}
		if !slices.Contains(living, class) {
			t.Errorf("%s has no row in lives", name)
		}
		if other, taken := seen[class]; taken {
			t.Errorf("%s and %s have the same text", name, other)
		}
		seen[class] = name
	}
	for _, class := range ruled {
		if seen[class] == "" {
			t.Errorf("%q has a rule and no constant", class)
		}
	}
	if len(living) != len(constants) {
		t.Errorf("lives has %d rows for %d classes", len(living), len(constants))
	}
}
