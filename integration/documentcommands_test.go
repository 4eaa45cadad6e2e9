package integration

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// helped is a command of the program, as its --help describes it.
type helped struct {
	flags    map[string]bool // with their dashes
	commands map[string]*helped
}

var (
	helpedCommand = regexp.MustCompile(`(?m)^  ([a-z-]+) +\S`)
	helpedFlag    = regexp.MustCompile(`(?m)^ +(?:(-\w), )?(--[a-z0-9-]+)`)
)

// help asks the program what it takes.
func help(t *testing.T, args ...string) *helped {
	t.Helper()
	out, err := faasLambda(t, append(args, "--help")...)
	if err != nil {
		t.Fatalf("faas-lambda %v: %v\n%s", args, err, out)
	}
	h := &helped{flags: map[string]bool{}, commands: map[string]*helped{}}
	for _, m := range helpedFlag.FindAllStringSubmatch(out, -1) {
		h.flags[m[1]], h.flags[m[2]] = true, true
	}
	if _, list, ok := strings.Cut(out, "Available Commands:\n"); ok {
		list, _, _ = strings.Cut(list, "\n\n")
		for _, m := range helpedCommand.FindAllStringSubmatch(list, -1) {
			if m[1] != "help" {
				h.commands[m[1]] = help(t, append(slices.Clone(args), m[1])...)
			}
		}
	}
	return h
}

// allFlags are those of a command and of all below it.
func (h *helped) allFlags() map[string]bool {
	all := map[string]bool{}
	for flag := range h.flags {
		all[flag] = true
	}
	for _, below := range h.commands {
		for flag := range below.allFlags() {
			all[flag] = true
		}
	}
	return all
}

// lacks returns the first word of a command line that the program does not have.
// Words in capitals stand for something, and so does what follows them.
func (h *helped) lacks(words []string) string {
	for _, word := range words {
		flag, _, _ := strings.Cut(word, "=")
		switch {
		case word == "--" || strings.HasPrefix(word, ">"):
			return ""
		case strings.HasPrefix(word, "-"):
			if !h.flags[flag] {
				return word
			}
		case len(h.commands) > 0 && plainWord.MatchString(word):
			below := h.commands[word]
			if below == nil {
				return word
			}
			h = below
		}
	}
	return ""
}

var plainWord = regexp.MustCompile(`^[a-z][a-z-]*$`)

// simple are the commands of a line of the shell, each by its words, without the
// variables that are set for it.
func simple(line string) (all [][]string) {
	for _, part := range regexp.MustCompile(`[|;&()]+|\$\(`).Split(line, -1) {
		words := strings.Fields(part)
		for len(words) > 0 && assignment.MatchString(words[0]) {
			words = words[1:]
		}
		if i := slices.Index(words, "/faas-lambda"); i > 0 { // kubectl exec POD -- /faas-lambda
			words = words[i:]
		}
		if len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

var assignment = regexp.MustCompile(`^(export|[A-Za-z_]+=.*)$`)

// TestCommandsOfTheDocuments: every command of faas-lambda and every target of
// make in a document is there, with its flags.
func TestCommandsOfTheDocuments(t *testing.T) {
	program, targets := help(t), makeTargets(t)
	flags := program.allFlags()
	found := 0
	for _, d := range documents(t) {
		for _, line := range d.code() {
			if flag, _, _ := strings.Cut(strings.Fields(line)[0], "="); strings.HasPrefix(flag, "--") && !flags[flag] && !ofOthers[flag] {
				t.Errorf("%s: no command of faas-lambda has %s", d.path, flag)
			}
			for _, words := range simple(line) {
				switch name := strings.TrimPrefix(strings.TrimPrefix(words[0], "bin/"), "/"); {
				case name == "faas-lambda":
					found++
					if lacks := program.lacks(words[1:]); lacks != "" {
						t.Errorf("%s: %q: faas-lambda has no %s there", d.path, line, lacks)
					}
				case program.commands[name] != nil && len(words) > 1 && strings.HasPrefix(words[1], "--"): // `up --watch`
					if lacks := program.lacks(words); lacks != "" {
						t.Errorf("%s: %q: faas-lambda has no %s there", d.path, line, lacks)
					}
				case name == "make" && len(words) > 1 && plainWord.MatchString(words[1]) && !targets[words[1]]:
					t.Errorf("%s: %q: the Makefile has no target %s", d.path, line, words[1])
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d commands were found: the test looked at the wrong text", found)
	}
}

// ofOthers are flags of other programs, which documents name by themselves.
var ofOthers = map[string]bool{
	"--set":          true, // helm
	"--endpoint-url": true, // the AWS CLI
	"--tail":         true, // faas-cli logs
	// of faas-cli build, and refused with what to do instead
	"--squash": true, "--shrinkwrap": true, "--debug": true, "--overwrite": true, "--extra-tag": true, "--reset-qemu": true, "--remote-builder": true,
}

func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(read(t, filepath.Join(root, "Makefile")), -1) {
		all[m[1]] = true
	}
	return all
}
