package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// likeFaasCLI are the flags of build that are there so that command lines of
// `faas-cli build` and `faas-cli publish` work, or say why they do not.
type likeFaasCLI struct {
	name, lang, handler string // a function without a stack file
	platforms           string
}

// always are flags of faas-cli that ask for what is so here in any case.
var always = map[string]string{
	"disable-stack-pull": "as always: templates are not fetched",
	"pull":               "as always: the base is asked for at each build",
	"quiet":              "as always: what tools print is shown when they fail",
}

// elsewhere are flags of faas-cli that cannot be followed, and why.
var elsewhere = []struct {
	name, why string
	value     bool // it takes one
}{
	{name: "squash", why: "an image has one layer for each thing that changes by itself: there is nothing to squash"},
	{name: "shrinkwrap", why: "nothing is left for Docker to build: faas-cli build --shrinkwrap does that"},
	{name: "debug", why: "templates are not fetched: faas-cli template pull does that"},
	{name: "overwrite", why: "templates are not fetched: faas-cli template pull does that"},
	{name: "reset-qemu", why: "nothing is emulated: --arch chooses the processor"},
	{name: "extra-tag", value: true, why: "an image is pushed to one reference: build again with another --image"},
	{name: "remote-builder", value: true, why: "functions are built on this machine: faas-cli publish sends them elsewhere"},
	{name: "payload-secret", value: true, why: "functions are built on this machine: faas-cli publish sends them elsewhere"},
	{name: "builder-public-key", value: true, why: "functions are built on this machine: faas-cli publish sends them elsewhere"},
	{name: "network", value: true, why: "a function gets its network when it is deployed: see the annotation com.openfaas.lambda/vpc-subnets"},
}

func (l *likeFaasCLI) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.handler, "handler", "", "folder of a function that no stack file has; with --name and --lang")
	f.StringVar(&l.name, "name", "", "name of the function in --handler")
	f.StringVar(&l.lang, "lang", "", "template of the function in --handler")
	f.StringVar(&l.platforms, "platforms", "", "linux/amd64 or linux/arm64: the same as --arch")
	for name, so := range always {
		f.Bool(name, true, so)
	}
	for _, e := range elsewhere {
		if e.value {
			f.String(e.name, "", e.why)
		} else {
			f.Bool(e.name, false, e.why)
		}
		cobra.CheckErr(f.MarkHidden(e.name))
	}
	cmd.MarkFlagsRequiredTogether("handler", "name", "lang")
	for _, other := range []string{"yaml", "filter", "regex"} {
		cmd.MarkFlagsMutuallyExclusive("handler", other)
	}
	cmd.MarkFlagsMutuallyExclusive("platforms", "arch")
}

// check refuses flags that cannot be followed.
func (l *likeFaasCLI) check(cmd *cobra.Command, args []string) error {
	for _, e := range elsewhere {
		if cmd.Flags().Changed(e.name) {
			return fmt.Errorf("--%s: %s", e.name, e.why)
		}
	}
	if l.handler != "" && len(args) > 0 {
		return errors.New("--handler and FOLDER are two functions: give one of them")
	}
	return nil
}

// processor is the one to build for, by --platforms or --arch.
func (l *likeFaasCLI) processor(arch string) (string, error) {
	if l.platforms == "" {
		return arch, nil
	}
	if strings.Contains(l.platforms, ",") {
		return "", fmt.Errorf("--platforms %s: an image is for one processor here: build it for each, or use faas-cli publish", l.platforms)
	}
	arch, ok := strings.CutPrefix(l.platforms, "linux/")
	if !ok || arch != "amd64" && arch != "arm64" {
		return "", fmt.Errorf("--platforms %s: want linux/amd64 or linux/arm64", l.platforms)
	}
	return arch, nil
}
