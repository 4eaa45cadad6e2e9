package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// inspectOptions are the flags of inspect.
type inspectOptions struct {
	arch    string
	process string
	keepAll bool
	json    bool
}

func inspectCommand() *cobra.Command {
	var o inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect IMAGE|ZIP",
		Short: "Show what an image would become on Lambda, or what a package holds",
		Long: `Look at an image as a deployment would: its layers and who brings which size,
what is moved and how, what cannot be and why, Lambda's limits and how far away
they are, the largest files, and the type of package to expect. Of a ZIP, what
it holds. Nothing is written and nothing deployed.

IMAGE is what package takes.`,
		Example: "  faas-lambda inspect registry.example.com/hello:1\n  faas-lambda inspect function.zip --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("inspect: want one image reference or one zip, got %d: faas-lambda inspect IMAGE|ZIP", len(args))
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
			found, err := inspect(cmd.Context(), cfg, args[0], o)
			if err != nil {
				return err
			}
			if o.json {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				return out.Encode(found)
			}
			return showInspection(cmd.OutOrStdout(), found)
		},
	}
	cmd.Flags().StringVar(&o.arch, "arch", "", "amd64 or arm64 (default $function_arch, else amd64)")
	cmd.Flags().StringVar(&o.process, "fprocess", "", "the deployment's envProcess, when the image says nothing")
	cmd.Flags().BoolVar(&o.keepAll, "keep-all", false, "as with the annotation com.openfaas.lambda/keep-all")
	cmd.Flags().BoolVar(&o.json, "json", false, "print everything as JSON")
	return cmd
}

func inspect(ctx context.Context, cfg config.Config, ref string, o inspectOptions) (packaging.Inspection, error) {
	if isZip(ref) {
		return packaging.InspectZip(ref)
	}
	display := newDisplay(os.Stderr)
	defer display.end()
	return packager(cfg).Inspect(ctx, packaging.Spec{Image: ref, Arch: o.arch, Process: o.process, KeepAll: o.keepAll, Progress: display.step})
}

// isZip tells a file that begins as a zip from an image's reference.
func isZip(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return strings.HasSuffix(name, ".zip") && !strings.Contains(name, ":")
	}
	defer func() { _ = f.Close() }() // it was only read
	head := make([]byte, 4)
	_, err = io.ReadFull(f, head)
	return err == nil && strings.HasPrefix(string(head), "PK")
}

// Rows of a table that are shown; --json has all.
const (
	shownRows    = 10
	shownCommand = 60
)

// showInspection prints the tables.
func showInspection(out io.Writer, i packaging.Inspection) error {
	buffered := bufio.NewWriter(out)
	w := tabwriter.NewWriter(buffered, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\n", i.Kind, i.Reference)
	row(w, "digest", i.Digest)
	row(w, "architecture", i.Arch)
	row(w, "watchdog", i.Watchdog)
	row(w, "command", strings.Join(i.Command, " "))
	row(w, "directory", i.Dir)
	fmt.Fprintf(w, "package\t%s: %s\n", i.Expected.Type, i.Expected.Reason)
	row(w, "runtime", strings.TrimSpace(i.Expected.Runtime+" "+i.Expected.Handler))
	fmt.Fprintf(w, "files\t%d, %d directories, %d symlinks\n", i.Expected.Files, i.Expected.Dirs, i.Expected.Symlinks)
	if len(i.Layers) > 0 {
		fmt.Fprintf(w, "\nLAYER\tCOMPRESSED\tFILES\tIN THE PACKAGE\tMADE BY\n")
		for _, l := range i.Layers {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", short(l.Digest), megabytes(l.Compressed), megabytes(l.Bytes), megabytes(l.Kept), clip(l.CreatedBy, shownCommand))
		}
	}
	fmt.Fprintf(w, "\nLIMIT\tUSED\tOF\tLEFT\t\n")
	for _, l := range i.Limits {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Name, megabytes(l.Used), megabytes(l.Limit), megabytes(l.Left), l.Meaning)
	}
	showMoved(w, i)
	showProblems(w, "CANNOT BE MOVED, OR MAY NOT WORK", i.Unmoved)
	showProblems(w, "LEFT OUT", i.LeftOut)
	fmt.Fprintf(w, "\nLARGEST FILES\tSIZE\tLAYER\n")
	for _, f := range i.Largest[:min(len(i.Largest), shownRows)] {
		fmt.Fprintf(w, "/%s\t%s\t%s\n", f.Path, megabytes(f.Bytes), short(f.Layer))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return buffered.Flush()
}

func row(w io.Writer, name, value string) {
	if value != "" {
		fmt.Fprintf(w, "%s\t%s\n", name, value)
	}
}

// showMoved prints what was moved and how.
func showMoved(w io.Writer, i packaging.Inspection) {
	m := i.Moved
	fmt.Fprintf(w, "\nMOVED\tHOW MANY\tHOW\n")
	for _, l := range m.Loaders {
		fmt.Fprintf(w, "loader /%s\t%d programs, %d libraries\t%s, finds the libraries of the package\n", strings.TrimPrefix(l.Path, "/"), l.Programs, l.Libraries, l.Kind)
	}
	for _, r := range []struct {
		name  string
		count int
		how   string
	}{
		{"programs", len(m.Programs), "name their loader in the package"},
		{"library directories", len(m.Runpaths), "taken out of ELF files"},
		{"scripts", len(m.Scripts), "name their interpreter in the package"},
		{"configuration", len(m.Texts), "paths in it rewritten"},
		{"Python modules", m.Compiled, "compiled ones that count whatever their sources' times"},
		{"links", m.Links, "rewritten"},
	} {
		if r.count > 0 {
			fmt.Fprintf(w, "%s\t%d\t%s\n", r.name, r.count, r.how)
		}
	}
	for _, v := range m.Env {
		fmt.Fprintf(w, "%s\t\t%s (%s)\n", v.Name, v.Value, v.Reason)
	}
}

func showProblems(w io.Writer, title string, list []packaging.Problem) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\tWHY\n", title)
	for n, p := range list {
		if n == shownRows {
			fmt.Fprintf(w, "… and %d more\t--json lists them\n", len(list)-n)
			return
		}
		fmt.Fprintf(w, "%s\t%s\n", p.Path, p.Reason)
	}
}

// short is the beginning of a digest, as registries show it.
func short(digest string) string {
	_, hex, ok := strings.Cut(digest, ":")
	if !ok {
		return digest
	}
	return hex[:min(len(hex), 12)]
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-1], "") + "…"
}
