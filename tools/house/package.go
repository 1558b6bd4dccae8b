package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// pkg is one package as it was counted.
type pkg struct {
	path       string // relative to the root
	files      []sized
	functions  []sized
	types      map[string]*typ
	exports    int // names at top level, constants apart; methods are counted with their type
	constants  int // that are exported
	statements int
}

// sized is a file or a function.
type sized struct {
	name  string
	at    token.Position
	lines int
}

// typ is a type at the top level of a package.
type typ struct {
	name     string
	at       token.Position
	isStruct bool
	fields   int      // its own, without embedded structs that are unexported
	methods  []string // its own; of an interface, those that it names
	embeds   []string // unexported types of the package that it embeds
}

// readTree counts the packages in the folders below root, and below those.
func readTree(root string, folders ...string) ([]*pkg, error) {
	byPath := map[string]*pkg{}
	for _, folder := range folders {
		err := fs.WalkDir(os.DirFS(root), folder, func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && name == folder:
				return nil
			case err != nil:
				return err
			case d.IsDir() && name != folder && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			in := path.Dir(name)
			if byPath[in] == nil {
				byPath[in] = &pkg{path: in, types: map[string]*typ{}}
			}
			return byPath[in].read(root, name)
		})
		if err != nil {
			return nil, err
		}
	}
	var packages []*pkg
	for _, p := range byPath {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
	return packages, nil
}

// read counts one file.
func (p *pkg) read(root, name string) error {
	text, err := fs.ReadFile(os.DirFS(root), name)
	if err != nil {
		return err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	lines := bytes.Count(text, []byte("\n"))
	p.files = append(p.files, sized{path.Base(name), files.Position(file.FileStart), lines})
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			p.function(files, d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				p.spec(files, spec, d.Tok == token.CONST)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		_, block := n.(*ast.BlockStmt)
		if _, ok := n.(ast.Stmt); ok && !block {
			p.statements++
		}
		return true
	})
	return nil
}

func (p *pkg) function(files *token.FileSet, d *ast.FuncDecl) {
	at, end := files.Position(d.Pos()), files.Position(d.End())
	name := d.Name.Name
	if d.Recv == nil {
		p.export(name)
	} else {
		of := p.typ(baseName(d.Recv.List[0].Type))
		of.methods = append(of.methods, name)
		name = of.name + "." + name
	}
	p.functions = append(p.functions, sized{name, at, end.Line - at.Line + 1})
}

func (p *pkg) spec(files *token.FileSet, spec ast.Spec, constant bool) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			if constant && ast.IsExported(name.Name) {
				p.constants++
			} else {
				p.export(name.Name)
			}
		}
	case *ast.TypeSpec:
		p.export(spec.Name.Name)
		t := p.typ(spec.Name.Name)
		t.at = files.Position(spec.Pos())
		switch of := spec.Type.(type) {
		case *ast.StructType:
			t.isStruct = true
			for _, f := range of.Fields.List {
				t.field(f)
			}
		case *ast.InterfaceType:
			for _, m := range of.Methods.List {
				for _, name := range m.Names {
					t.methods = append(t.methods, name.Name)
				}
			}
		}
	}
}

func (t *typ) field(f *ast.Field) {
	embedded := baseName(f.Type)
	if len(f.Names) == 0 && embedded != "" && !ast.IsExported(embedded) {
		t.embeds = append(t.embeds, embedded)
		return
	}
	t.fields += max(len(f.Names), 1)
}

func (p *pkg) export(name string) {
	if ast.IsExported(name) {
		p.exports++
	}
}

// typ returns the type of a name, which may be declared later than it is first spoken of.
func (p *pkg) typ(name string) *typ {
	if p.types[name] == nil {
		p.types[name] = &typ{name: name}
	}
	return p.types[name]
}

// baseName is the name of a type of this package, of which e may be a pointer or an instance; else
// empty.
func baseName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return baseName(e.X)
	case *ast.ParenExpr:
		return baseName(e.X)
	case *ast.IndexExpr:
		return baseName(e.X)
	case *ast.IndexListExpr:
		return baseName(e.X)
	}
	return ""
}

// size counts the fields and methods of a type, with those of the structs that it embeds.
func (p *pkg) size(t *typ) (fields, methods int) {
	return p.sizeWithout(t, map[*typ]bool{})
}

// sizeWithout is size without the types that are counted already: structs may embed each other by
// pointer.
func (p *pkg) sizeWithout(t *typ, counted map[*typ]bool) (fields, methods int) {
	counted[t] = true
	fields, methods = t.fields, len(t.methods)
	for _, name := range t.embeds {
		embedded := p.types[name]
		switch {
		case embedded == nil || !embedded.isStruct:
			fields++ // another kind of type is one field
		case !counted[embedded]:
			f, m := p.sizeWithout(embedded, counted)
			fields, methods = fields+f, methods+m
		}
	}
	return fields, methods
}

// exported counts the exported names of the package.
func (p *pkg) exported() int {
	n := p.exports
	for _, t := range p.types {
		if !ast.IsExported(t.name) {
			continue
		}
		for _, m := range t.methods {
			if ast.IsExported(m) {
				n++
			}
		}
	}
	return n
}
