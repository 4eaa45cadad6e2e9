package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the reference in docs/configuration.md anew")

// TestTheReferenceIsThatOfTheCode compares the tables in docs/configuration.md
// with the variables that Read reads and the keys of a file. -update writes them.
func TestTheReferenceIsThatOfTheCode(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, table := range map[string]string{"variables": variables(), "file": fileTables()} {
		begin, end := "<!-- "+name+": go test ./provider/config -update -->\n", "<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		old, after, okEnd := strings.Cut(rest, end)
		if !ok || !okEnd {
			t.Fatalf("%s has no place for %s", path, name)
		}
		if old != table && !*update {
			t.Errorf("the %s in %s are not those of the code: go test ./provider/config -update", name, path)
		}
		text = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func variables() string {
	var b strings.Builder
	b.WriteString("| variable | default | range | meaning |\n|---|---|---|---|\n")
	for _, s := range Settings() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, dash(s.Default), dash(s.Range), s.Meaning)
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// fileTables describes every struct of a file, each once.
func fileTables() string {
	var b strings.Builder
	seen := map[reflect.Type]bool{}
	var describe func(title string, of reflect.Type)
	describe = func(title string, of reflect.Type) {
		if seen[of] {
			return
		}
		seen[of] = true
		fmt.Fprintf(&b, "\n### %s\n\n| key | kind | meaning |\n|---|---|---|\n", title)
		type section struct {
			title string
			of    reflect.Type
		}
		var below []section
		for i := range of.NumField() {
			field := of.Field(i)
			kind, inner := kindOf(field.Type)
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", field.Tag.Get("yaml"), kind, field.Tag.Get("doc"))
			if inner != nil {
				below = append(below, section{"`" + field.Tag.Get("yaml") + "`", inner})
			}
		}
		for _, s := range below {
			describe(s.title, s.of)
		}
	}
	describe("The file", reflect.TypeOf(File{}))
	return b.String() + "\n"
}

// kindOf names a field's type, and returns the struct in it.
func kindOf(t reflect.Type) (string, reflect.Type) {
	switch {
	case t.Kind() == reflect.Pointer:
		return kindOf(t.Elem())
	case t == reflect.TypeOf(Duration(0)):
		return "duration", nil
	case t.Kind() == reflect.Slice:
		kind, inner := kindOf(t.Elem())
		return "list of " + strings.TrimSuffix(kind, "s") + "s", inner
	case t.Kind() == reflect.Struct:
		return "section", t
	case t.Kind() == reflect.Int:
		return "number", nil
	case t.Kind() == reflect.Bool:
		return "true or false", nil
	}
	return "text", nil
}
