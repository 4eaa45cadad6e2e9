// Command images makes the container images of faas-lambda and fwatchdog out of
// their programs, as OCI layouts or in a registry, without a container engine:
// the same programs give the same bytes. `make images` compiles and calls it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// order is what the command line asks for.
type order struct {
	programs string // directory with linux-ARCH/NAME
	arches   []string
	out      string // directory of the layouts
	push     string // prefix of the repositories to push to; empty pushes nothing
	root     string // directory for the root file system of the provider's image, in the place of images
	version  string
	revision string
	created  time.Time
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o := order{}
	var created int64
	var arches string
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.StringVar(&o.programs, "programs", "bin/images/programs", "directory with the compiled programs, as linux-ARCH/NAME")
	flags.StringVar(&arches, "arch", "amd64,arm64", "processors that the images are for, separated by commas")
	flags.StringVar(&o.out, "out", "bin/images", "directory for the OCI layouts")
	flags.StringVar(&o.push, "push", "", "prefix of repositories to push to, such as ghcr.io/faas-lambda")
	flags.StringVar(&o.root, "root", "", "write what the provider's image has besides the program to this directory, and no images")
	flags.StringVar(&o.version, "version", "dev", "version, and tag, of the images")
	flags.StringVar(&o.revision, "revision", "", "commit that the programs were made from")
	flags.Int64Var(&created, "created", 0, "time of the images and of all their files, in seconds since 1970")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("read command line: %q is no flag", flags.Arg(0))
	}
	o.created, o.arches = time.Unix(created, 0).UTC(), strings.Split(arches, ",")
	if o.root != "" {
		return writeRoot(o.root)
	}
	return o.make(ctx, out)
}

// make makes, writes and pushes every image.
func (o order) make(ctx context.Context, out io.Writer) error {
	if !tag.MatchString(o.version) {
		return fmt.Errorf("make images: version %q cannot be a tag: letters, digits, _, . and -, at most 128", o.version)
	}
	for _, of := range []recipe{provider, fwatchdog} {
		made, err := o.image(of)
		if err != nil {
			return fmt.Errorf("make image of %s: %w", of.name, err)
		}
		dir := filepath.Join(o.out, of.name)
		if err := made.write(dir, o.version); err != nil {
			return fmt.Errorf("write image of %s to %s: %w", of.name, dir, err)
		}
		digest, err := made.index.Digest()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "oci:%s:%s  %s\n", dir, o.version, digest)
		if o.push != "" {
			var ref string
			if ref, err = made.push(ctx, o.push+"/"+of.name, o.version); err == nil {
				_, err = fmt.Fprintln(out, ref)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
