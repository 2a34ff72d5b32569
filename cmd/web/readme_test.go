package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// The README's table of settings names every flag with its variable, and no other.
func TestReadmeSettings(t *testing.T) {
	readme := readFile(t, "../../README.md")
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(--[a-z-]+)` \\| `(HEADWAY_[A-Z_]+)` \\|").FindAllStringSubmatch(readme, -1) {
		rows[m[1]] = m[2]
	}
	for f := range reflect.TypeFor[Settings]().Fields() {
		env := f.Tag.Get("env")
		flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(env, "HEADWAY_")), "_", "-")
		if rows[flag] != env {
			t.Errorf("the README has %q for %s, not %s", rows[flag], flag, env)
		}
		delete(rows, flag)
	}
	for flag := range rows {
		t.Errorf("the README has a setting that does not exist: %s", flag)
	}
}

// Every test that the README and ARCHITECTURE name as holding a promise exists.
func TestNamedTestsExist(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "node_modules" {
			return skipOr(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				tests[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{"../../README.md", "../../ARCHITECTURE.md", "../../CONTRIBUTING.md", "../../SECURITY.md", "../../docs/reliability.md"} {
		text := readFile(t, doc)
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]+)`").FindAllStringSubmatch(text, -1) {
			if !tests[name[1]] {
				t.Errorf("%s names %s, which does not exist", filepath.Base(doc), name[1])
			}
		}
		if strings.HasSuffix(doc, "CONTRIBUTING.md") {
			continue // its recipes name files that do not exist yet
		}
		for _, m := range regexp.MustCompile("`((?:e2e|static|docs|cmd|domain|eventstore|projections|live|views)/[A-Za-z0-9_./-]+\\.[a-z]+)`").FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat("../../" + m[1]); err != nil {
				t.Errorf("%s names %s, which does not exist", filepath.Base(doc), m[1])
			}
		}
	}
}

func skipOr(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
