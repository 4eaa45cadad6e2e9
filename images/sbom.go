package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The part of CycloneDX 1.6 that is said here
// (cyclonedx.org/docs/1.6/json). It has no time and no serial number: the same
// program has the same bill.
type (
	billOfMaterial struct {
		BOMFormat    string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		BOMRef     string     `json:"bom-ref"`
		Type       string     `json:"type"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl,omitempty"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// billOfMaterials reads from a program which modules Go's linker put into it.
func billOfMaterials(path, version string) (billOfMaterial, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return billOfMaterial{}, fmt.Errorf("read build information of %s: %w", path, err)
	}
	sum, err := sha256File(path)
	if err != nil {
		return billOfMaterial{}, err
	}
	name := filepath.Base(path)
	program := component{BOMRef: name, Type: "application", Name: name, Version: version, Hashes: []hash{{"SHA-256", sum}}}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" || s.Key == "GOOS" || s.Key == "CGO_ENABLED" || s.Key == "-tags" {
			program.Properties = append(program.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	all := []component{{
		BOMRef: "pkg:golang/stdlib@" + goVersion, Type: "library", Name: "stdlib", Version: goVersion, PURL: "pkg:golang/stdlib@" + goVersion,
	}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		purl := "pkg:golang/" + module.Path + "@" + strings.ReplaceAll(module.Version, "+", "%2B")
		c := component{BOMRef: purl, Type: "library", Name: module.Path, Version: module.Version, PURL: purl}
		if module.Sum != "" {
			c.Properties = []property{{"go:sum", module.Sum}}
		}
		all = append(all, c)
	}
	uses := dependency{Ref: name}
	for _, c := range all {
		uses.DependsOn = append(uses.DependsOn, c.BOMRef)
	}
	return billOfMaterial{
		BOMFormat: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{Component: program}, Components: all, Dependencies: []dependency{uses},
	}, nil
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
