package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// packageOptions are the flags of package.
type packageOptions struct {
	output  string
	arch    string
	keepAll bool
	json    bool
}

func packageCommand() *cobra.Command {
	var o packageOptions
	cmd := &cobra.Command{
		Use:   "package IMAGE -o function.zip",
		Short: "Write the Lambda package of an image",
		Long: `Repackage an image as the zip that Lambda runs, and nothing else.

The zip is the same bytes for the same image digest. IMAGE is registry/name:tag,
registry/name@sha256:…, docker://…, oci:DIR[:ref], oci-archive:FILE or
docker-archive:FILE.`,
		Example: "  faas-lambda package registry.example.com/hello:1 -o function.zip",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("package: want one image reference, got %d: faas-lambda package IMAGE -o function.zip", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Read(os.Getenv)
			if err != nil {
				return err
			}
			cfg.LocalImages = true
			if o.arch == "" {
				o.arch = cfg.Lambda.Arch
			}
			return pack(cmd.Context(), cfg, args[0], o, cmd.OutOrStdout(), os.Stderr)
		},
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "function.zip", "file to write")
	cmd.Flags().StringVar(&o.arch, "arch", "", "amd64 or arm64 (default $function_arch, else amd64)")
	cmd.Flags().BoolVar(&o.keepAll, "keep-all", false, "keep what no function reads: manuals, headers, databases of package managers")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the summary as JSON")
	return cmd
}

// packageGC is Go's GOGC for making one package: little is live and much passes
// through, so that collecting more often costs nothing that can be measured and
// keeps a large image from taking more memory than a small one.
const packageGC = 20

// pack makes the package and puts it where it was asked for, all of it or
// nothing: a file that is there already is replaced at once or not at all.
func pack(ctx context.Context, cfg config.Config, ref string, o packageOptions, out io.Writer, terminal *os.File) error {
	begin := time.Now()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(packageGC)
	}
	file, err := os.CreateTemp(filepath.Dir(o.output), "."+filepath.Base(o.output)+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", o.output, err)
	}
	display := newDisplay(terminal)
	made, err := packager(cfg).Write(ctx, packaging.Spec{Image: ref, Arch: o.arch, KeepAll: o.keepAll, Progress: display.step}, file)
	display.end()
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err == nil {
		err = os.Rename(file.Name(), o.output)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return summarize(out, o, made, time.Since(begin))
}

// summarize prints what is in the package.
func summarize(out io.Writer, o packageOptions, p packaging.Package, took time.Duration) error {
	if o.json {
		return json.NewEncoder(out).Encode(map[string]any{
			"file": o.output, "image": p.Digest, "architecture": o.arch, "layers": p.Layers,
			"files": p.Summary.Files, "directories": p.Summary.Dirs, "symlinks": p.Summary.Symlinks,
			"zippedBytes": p.Summary.Zipped, "unzippedBytes": p.Summary.Unzipped, "codeSha256": p.Summary.SHA256, "seconds": took.Seconds(), "leftOut": p.LeftOut,
		})
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s\n", o.output)
	fmt.Fprintf(w, "image\t%s, linux/%s\n", p.Digest, o.arch)
	fmt.Fprintf(w, "layers\t%d\n", p.Layers)
	fmt.Fprintf(w, "files\t%d, %d directories, %d symlinks\n", p.Summary.Files, p.Summary.Dirs, p.Summary.Symlinks)
	fmt.Fprintf(w, "zipped\t%s\n", megabytes(p.Summary.Zipped))
	fmt.Fprintf(w, "unzipped\t%s of 262.1 MB that Lambda allows\n", megabytes(p.Summary.Unzipped))
	fmt.Fprintf(w, "CodeSha256\t%s\n", p.Summary.SHA256)
	fmt.Fprintf(w, "time\t%.2f s\n", took.Seconds())
	for i, left := range p.LeftOut {
		if i == shownLeftOut {
			fmt.Fprintf(w, "left out\t… and %d more; --json lists them\n", len(p.LeftOut)-i)
			break
		}
		fmt.Fprintf(w, "left out\t/%s: %s\n", left.Path, left.Reason)
	}
	return w.Flush()
}

// shownLeftOut is how many of the entries that were left out are named.
const shownLeftOut = 10

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
