package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"
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
	stack := workshop.StackOptions{Templates: o.templates, Filter: o.filter, Regex: o.regex, Options: o.options, Copy: o.copies}
	if o.envsubst {
		stack.Getenv = os.Getenv
	}
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		return workshop.Open(ctx, target, stack)
	}
	return workshop.ReadStack(ctx, target, stack)
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
	if err := workshop.WriteLayout(layout, img); err != nil {
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

// buildOptions are the flags of build.
type buildOptions struct {
	folder   folderOptions
	yaml     string
	output   string
	image    string
	arch     string
	push     bool
	compress bool
}

func buildCommand() *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build [FOLDER]",
		Short: "Build the images of functions, without Docker",
		Long: `Build functions of our templates into OCI layouts, or push them to a registry.

FOLDER is a function's folder, or one with a stack.yaml, which is read as
faas-cli reads it; without FOLDER it is the file or URL that -f names, else the
one of the working directory. Go and Rust are compiled into static programs, Node, Python and Ruby are laid on a base image
from a registry or an OCI layout. The language's own tools must be installed.
The same sources, tools and base give the same image.`,
		Example: `  faas-lambda build ./hello
  faas-lambda build -f stack.yaml --filter 'api-*' --push
  faas-lambda build ./hello --base oci:node-base -o hello.oci`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := cmp.Or(o.yaml, ".")
			if len(args) > 0 {
				target = args[0]
			}
			return o.build(cmd.Context(), target, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	o.folder.flags(f)
	f.StringVarP(&o.yaml, "yaml", "f", "", "stack file or its URL (default: stack.yaml or stack.yml)")
	f.StringVarP(&o.output, "output", "o", "", "OCI layout to write (default: build/oci/NAME)")
	f.StringVar(&o.image, "image", "", "reference to push to (default: what the stack file says)")
	f.StringVar(&o.arch, "arch", runtime.GOARCH, "amd64 or arm64")
	f.BoolVar(&o.push, "push", false, "push to the registry instead of writing a layout")
	f.BoolVar(&o.compress, "compress", false, "compress the layers of the layout")
	return cmd
}

func (o buildOptions) build(ctx context.Context, target string, out io.Writer) error {
	if o.push && o.output != "" {
		return errors.New("build: --push and --output are two places: give one of them")
	}
	all, err := o.folder.functions(ctx, target)
	if err != nil {
		return err
	}
	if len(all) > 1 && (o.output != "" || o.image != "") {
		return fmt.Errorf("build: %d functions cannot go to one place: choose one with --filter", len(all))
	}
	options, err := o.folder.workshop(o.arch, out)
	if err != nil {
		return err
	}
	var failed []error
	for _, f := range all {
		if ctx.Err() != nil {
			break
		}
		if f.SkipBuild {
			fmt.Fprintf(out, "%s: skipped, as its skip_build says\n", f.Name)
			continue
		}
		begin := time.Now()
		where, err := o.one(ctx, f, options)
		if err != nil { // the others are built all the same
			failed = append(failed, err)
			continue
		}
		fmt.Fprintf(out, "%s: %s in %.2f s\n", f.Name, where, time.Since(begin).Seconds())
	}
	return errors.Join(append(failed, ctx.Err())...)
}

// one builds a function and returns where its image is.
func (o buildOptions) one(ctx context.Context, f workshop.Function, options workshop.Options) (string, error) {
	img, err := workshop.Build(ctx, f, options)
	if err != nil {
		return "", err
	}
	return o.publish(ctx, f, img, options)
}

// publish puts the image where the flags say, and returns its reference.
func (o buildOptions) publish(ctx context.Context, f workshop.Function, img v1.Image, options workshop.Options) (string, error) {
	if o.push {
		ref := o.image
		if ref == "" {
			ref = f.Image
		}
		if ref == "" {
			return "", fmt.Errorf("build function %s: it has no image to push to: name one with --image", f.Name)
		}
		return workshop.Push(ctx, ref, img, options.Insecure)
	}
	if o.compress {
		var err error
		if img, err = workshop.Compress(img); err != nil {
			return "", fmt.Errorf("compress image of function %s: %w", f.Name, err)
		}
	}
	dir := o.output
	if dir == "" {
		dir = filepath.Join("build", "oci", f.Name)
	}
	if err := workshop.WriteLayout(strings.TrimPrefix(dir, "oci:"), img); err != nil {
		return "", err
	}
	digest, err := img.Digest()
	return fmt.Sprintf("oci:%s, %s", dir, digest), err
}
