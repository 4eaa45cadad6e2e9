package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/faas-lambda/faas-lambda/provider/workshop"
)

// buildOptions are the flags of build.
type buildOptions struct {
	folder   folderOptions
	yaml     string
	output   string
	image    string
	arch     string
	push     bool
	compress bool
	parallel int
	tag      string
	tagging  workshop.Tagging // tag, read
	labels   []string
	fresh    bool
	like     likeFaasCLI
}

func buildCommand() *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build [FOLDER]",
		Short: "Build the images of functions, without Docker",
		Long: `Build functions of our templates into OCI layouts, or push them to a registry.

FOLDER is a function's folder, or one with a stack.yaml, which is read as
faas-cli reads it; without FOLDER it is the file or URL that -f names, else the
one of the working directory; --handler, --lang and --name describe one without
a stack file. Go and Rust are compiled into static programs, Node, Python, Java
and Ruby are laid on a base image from a registry or an OCI layout. The
language's own tools must be installed. The same sources, tools and base give
the same image.

--tag names the image as faas-cli deploy --tag looks for it: NAME:latest-SHA,
NAME:latest-BRANCH-SHA, NAME:latest-DESCRIBED of the working directory's commit,
where a tag of the image takes the place of latest, or NAME:DIGEST of the
handler's files.`,
		Example: `  faas-lambda build ./hello
  faas-lambda build -f stack.yaml --filter 'api-*' --push --tag sha
  faas-lambda build ./hello --base oci:node-base -o hello.oci
  faas-lambda build --name hello --lang go-lambda --handler ./hello --image registry.example.com/hello --push`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.like.check(cmd, args); err != nil {
				return fmt.Errorf("build: %w", err)
			}
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
	f.StringVar(&o.tag, "tag", "", "tag of the image as faas-cli has it: latest, sha, branch, describe or digest (default: the image's own)")
	f.StringArrayVar(&o.labels, "build-label", nil, "label of the image, NAME=VALUE; may be repeated")
	f.IntVar(&o.parallel, "parallel", 1, "how many functions are built at a time")
	f.BoolVar(&o.fresh, "no-cache", false, "build in an empty folder, without what earlier builds of the function left in it")
	o.like.flags(cmd)
	return cmd
}

func (o buildOptions) build(ctx context.Context, target string, out io.Writer) error {
	if o.push && o.output != "" {
		return errors.New("build: --push and --output are two places: give one of them")
	}
	if o.parallel < 1 {
		return fmt.Errorf("build: --parallel %d: want 1 or more", o.parallel)
	}
	var err error
	if o.tagging, err = workshop.ParseTagging(o.tag); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	all, err := o.functions(ctx, target)
	if err != nil {
		return err
	}
	if len(all) > 1 && (o.output != "" || o.image != "") {
		return fmt.Errorf("build: %d functions cannot go to one place: choose one with --filter", len(all))
	}
	arch, err := o.like.processor(o.arch)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	options, err := o.folder.workshop(arch, out)
	if err != nil {
		return err
	}
	options.Fresh = o.fresh
	if options.Labels, err = pairs("build-label", o.labels); err != nil {
		return err
	}
	return o.all(ctx, all, options, out)
}

// functions are those of the stack file, or the one that flags describe.
func (o buildOptions) functions(ctx context.Context, target string) ([]workshop.Function, error) {
	if o.like.handler == "" {
		return o.folder.functions(ctx, target)
	}
	f, err := workshop.Described(o.like.name, o.like.lang, o.like.handler, o.folder.stack())
	return []workshop.Function{f}, err
}

// all builds functions, several at a time. What is wrong with one does not keep
// the others from being built.
func (o buildOptions) all(ctx context.Context, all []workshop.Function, options workshop.Options, out io.Writer) error {
	failed := make([]error, len(all))
	out = &shared{out: out}
	options.Output = out
	var group errgroup.Group
	group.SetLimit(o.parallel)
	for i, f := range all {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			said, err := o.one(ctx, f, options)
			if err != nil {
				failed[i] = err
				return nil
			}
			_, err = fmt.Fprintf(out, "%s: %s\n", f.Name, said)
			return err
		})
	}
	return errors.Join(append(failed, group.Wait(), ctx.Err())...)
}

// shared is a writer that several builds write lines to.
type shared struct {
	mu  sync.Mutex // guards out
	out io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

// one builds a function and returns where its image is.
func (o buildOptions) one(ctx context.Context, f workshop.Function, options workshop.Options) (string, error) {
	if f.SkipBuild {
		return "skipped, as its skip_build says", nil
	}
	begin := time.Now()
	ref, err := o.reference(ctx, f)
	if err != nil {
		return "", fmt.Errorf("build function %s: %w", f.Name, err)
	}
	img, err := workshop.Build(ctx, f, options)
	if err != nil {
		return "", err
	}
	where, err := o.publish(ctx, f, ref, img, options)
	return fmt.Sprintf("%s in %.2f s", where, time.Since(begin).Seconds()), err
}

// reference is the name of a function's image, and empty where nobody needs one.
func (o buildOptions) reference(ctx context.Context, f workshop.Function) (string, error) {
	ref := cmp.Or(o.image, f.Image)
	if ref == "" && o.push {
		return "", errors.New("it has no image to push to: name one with --image")
	}
	if ref == "" && o.tagging != "" {
		return "", errors.New("it has no image to tag: name one with --image")
	}
	return o.tagging.Image(ctx, ref, f.Handler)
}

// publish puts the image where the flags say, and returns where that is.
func (o buildOptions) publish(ctx context.Context, f workshop.Function, ref string, img v1.Image, options workshop.Options) (string, error) {
	if o.push {
		where, err := workshop.Push(ctx, ref, img, options.Insecure)
		return o.named(where, ref), err
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
	tag := ""
	if o.tagging != "" {
		tag = ref[strings.LastIndexByte(ref, ':')+1:]
	}
	if err := workshop.WriteLayout(strings.TrimPrefix(dir, "oci:"), tag, img); err != nil {
		return "", err
	}
	digest, err := img.Digest()
	return o.named(fmt.Sprintf("oci:%s, %s", dir, digest), ref), err
}

// named adds the name that --tag made to where an image is.
func (o buildOptions) named(where, ref string) string {
	if o.tagging == "" {
		return where
	}
	return where + ", " + ref
}
