package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"

	"github.com/faas-lambda/faas-lambda/provider/bootstraps"
	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/workshop"
)

// folderOptions are the flags of everything that builds folders.
type folderOptions struct {
	base      string
	buildArgs []string
	templates string
	filter    string
	regex     string
	options   []string
	copies    []string
	envsubst  bool
}

func (o *folderOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.base, "base", "", "base image for a folder: a reference, oci:DIR[:ref], or scratch (default: the template's)")
	f.StringArrayVarP(&o.buildArgs, "build-arg", "b", nil, "build argument for a folder, NAME=VALUE; may be repeated")
	f.StringVar(&o.templates, "templates", "", "folder of templates (default: template beside the stack file)")
	f.StringVar(&o.filter, "filter", "", "functions of a stack file by name, with *")
	f.StringVar(&o.regex, "regex", "", "functions of a stack file by name, a regular expression")
	f.StringArrayVar(&o.options, "build-option", nil, "build option of the template, such as dev; may be repeated")
	f.StringArrayVar(&o.copies, "copy-extra", nil, "file or folder that goes into the function's folder; may be repeated")
	f.BoolVar(&o.envsubst, "envsubst", true, "substitute ${NAME} in a stack file")
}

// functions are those that a folder, a stack file or its URL stands for.
func (o *folderOptions) functions(ctx context.Context, target string) ([]workshop.Function, error) {
	stack := o.stack()
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		return workshop.Open(ctx, target, stack)
	}
	return workshop.ReadStack(ctx, target, stack)
}

// stack is how the stack file is read.
func (o *folderOptions) stack() workshop.StackOptions {
	stack := workshop.StackOptions{Templates: o.templates, Filter: o.filter, Regex: o.regex, Options: o.options, Copy: o.copies}
	if o.envsubst {
		stack.Getenv = os.Getenv
	}
	return stack
}

// workshop is how the folders are built.
func (o *folderOptions) workshop(arch string, out io.Writer) (workshop.Options, error) {
	if arch != "amd64" && arch != "arm64" {
		return workshop.Options{}, fmt.Errorf("--arch %s: want amd64 or arm64", arch)
	}
	args, err := pairs("build-arg", o.buildArgs)
	if err != nil {
		return workshop.Options{}, err
	}
	watchdog, err := bootstraps.Watchdog(arch)
	if err != nil {
		return workshop.Options{}, err
	}
	cfg, err := config.Read(os.Getenv)
	if err != nil {
		return workshop.Options{}, err
	}
	return workshop.Options{
		Arch: arch, Base: o.base, Watchdog: watchdog, CacheDir: defaultCache(), Output: out, BuildArgs: args, Insecure: cfg.InsecureRegistries,
	}, nil
}

// folderTarget is a folder of a function to run.
type folderTarget string

// place builds the function and deploys it.
func (t folderTarget) place(ctx context.Context, cfg config.Config, o runOptions, dir string) (placed, error) {
	all, err := o.folder.functions(ctx, string(t))
	if err != nil {
		return placed{}, err
	}
	if len(all) != 1 {
		return placed{}, fmt.Errorf("run %s: it stands for %d functions: choose one with --filter", string(t), len(all))
	}
	f := all[0]
	secrets, err := o.secrets(f.Deployment.Secrets)
	if err != nil {
		return placed{}, fmt.Errorf("run %s: %w", string(t), err)
	}
	options, err := o.folder.workshop(runtime.GOARCH, os.Stderr)
	if err != nil {
		return placed{}, err
	}
	img, err := workshop.Build(ctx, f, options)
	if err != nil {
		return placed{}, err
	}
	layout := filepath.Join(dir, "image")
	if err := workshop.WriteLayout(layout, "", img); err != nil {
		return placed{}, err
	}
	d, err := o.deployment("oci:" + layout)
	if err != nil {
		return placed{}, err
	}
	if o.name == "" {
		d.Service = f.Name
	}
	for name, value := range f.Deployment.EnvVars {
		if _, given := d.EnvVars[name]; !given {
			d.EnvVars[name] = value
		}
	}
	d.EnvProcess = f.Deployment.EnvProcess
	if o.memory == 0 {
		d.Limits = f.Deployment.Limits
	}
	return deployLocal(ctx, cfg, d, secrets)
}
