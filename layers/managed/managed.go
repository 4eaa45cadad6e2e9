// Package managed packs images whose base is one of Lambda's own
// (public.ecr.aws/lambda/…): Lambda has the base, and only what stands above it
// goes into a zip, which runs in the runtime that the base is an image of.
//
// What such a base holds, and where users put their own files, is documented:
// docs.aws.amazon.com/lambda, "Using an AWS base image" of each language.
package managed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// Errors of Pack, for errors.Is.
var (
	// ErrElsewhere says that the image has files where a zip cannot have them.
	ErrElsewhere = errors.New("image changes its base outside of the function's own directory")
	// ErrHandler says that the image does not say what to run.
	ErrHandler = errors.New("image sets no CMD, which names the handler")
)

// entrypoint is how all of the bases start.
const entrypoint = "/lambda-entrypoint.sh"

// Base is one of Lambda's own images.
type Base struct {
	Runtime string // as Lambda names it: python3.12
	Layers  int    // how many of the image's layers are the base's
}

// Provided tells whether the base has no runtime of a language: the function
// brings its bootstrap.
func (b Base) Provided() bool { return strings.HasPrefix(b.Runtime, "provided.") }

var (
	executionEnv = regexp.MustCompile(`AWS_Lambda_([a-z]+[0-9][a-z0-9.]*)`)
	python       = regexp.MustCompile(`^var/lang/bin/(python3\.[0-9]+)$`)
	nodeMajor    = regexp.MustCompile(`(?m)^#define NODE_MAJOR_VERSION ([0-9]+)`)
	rubyVersion  = regexp.MustCompile(`^var/lang/lib/ruby/([0-9]+\.[0-9]+)\.[0-9]+$`)
	javaVersion  = regexp.MustCompile(`(?m)^JAVA_VERSION="([0-9]+)`)
	amazonLinux  = regexp.MustCompile(`(?m)^VERSION_ID="?(2023|2)"?$`)
)

// Detect finds out whether an image with that root stands on one of the bases and
// runs a handler, not a watchdog, on it.
func Detect(root *layers.Tree, config layers.Config, list []layers.Layer) (Base, bool) {
	if len(config.Entrypoint) == 0 || config.Entrypoint[0] != entrypoint || watchdog(config.Cmd) {
		return Base{}, false
	}
	number := map[string]int{}
	for i, l := range list {
		number[l.Digest] = i + 1
	}
	var b Base
	mark := func(p string) {
		if e, ok := root.Get(p); ok {
			b.Layers = max(b.Layers, number[layers.LayerOf(e)])
		}
	}
	mark(entrypoint[1:])
	mark("usr/local/bin/aws-lambda-rie")
	if b.Layers == 0 {
		return Base{}, false
	}
	b.Runtime = runtimeOf(root, mark)
	return b, b.Runtime != ""
}

// runtimeOf names the runtime, and marks the files that tell of it.
func runtimeOf(root *layers.Tree, mark func(string)) string {
	const start = "var/runtime/bootstrap"
	name := first(root, start, executionEnv)
	if name != "" {
		mark(start)
	}
	for e := range root.Under("var/lang/bin") {
		if m := python.FindStringSubmatch(e.Path); m != nil {
			mark(e.Path)
			name = orElse(name, m[1])
		}
	}
	for _, known := range []struct {
		program, file, form string
		version             *regexp.Regexp
	}{
		{"var/lang/bin/node", "var/lang/include/node/node_version.h", "nodejs%s.x", nodeMajor},
		{"var/lang/bin/java", "var/lang/release", "java%s", javaVersion},
	} {
		if _, ok := root.Get(known.program); !ok {
			continue
		}
		mark(known.program)
		if version := first(root, known.file, known.version); version != "" {
			name = orElse(name, fmt.Sprintf(known.form, version))
		}
	}
	for e := range root.Under("var/lang/lib/ruby") {
		if m := rubyVersion.FindStringSubmatch(e.Path); m != nil {
			mark("var/lang/bin/ruby")
			name = orElse(name, "ruby"+m[1])
		}
	}
	if name != "" {
		return name
	}
	if _, ok := root.Get("var/lang"); ok {
		return "" // a language that is not known
	}
	switch first(root, "etc/os-release", amazonLinux) + first(root, "usr/lib/os-release", amazonLinux) {
	case "2023", "20232023":
		return "provided.al2023"
	case "2", "22":
		return "provided.al2"
	}
	return ""
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// watchdog tells whether a command starts a watchdog, as templates name it.
func watchdog(cmd []string) bool {
	for _, word := range cmd {
		if strings.HasSuffix(path.Base(word), "watchdog") {
			return true
		}
	}
	return false
}

// maxRead bounds the files that tell of a version.
const maxRead = 64 << 10

// first returns what a pattern finds in a small file.
func first(root *layers.Tree, p string, pattern *regexp.Regexp) string {
	e, err := root.Resolve(p)
	if err != nil || e.Type != layers.File {
		return ""
	}
	r, err := e.Content.Open()
	if err != nil {
		return ""
	}
	data, err := io.ReadAll(io.LimitReader(r, maxRead))
	if err := errors.Join(err, r.Close()); err != nil || bytes.IndexByte(data, 0) >= 0 {
		return ""
	}
	if m := pattern.FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return ""
}
