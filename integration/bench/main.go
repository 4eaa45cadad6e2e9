// Command bench prints figures side by side, measured in one run: the start
// of bootstrap against an aws-lambda-go program, packaging against skopeo, umoci
// and zip, an invocation through a federation against one without. The machine's
// speed cancels out in the ratios.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == measureArgument {
		os.Exit(measureChild(os.Args[2:]))
	}
	bin := flag.String("bin", "bin", "directory of the built programs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	programs, err := filepath.Abs(*bin)
	if err == nil {
		err = starting(ctx, os.Stdout)
	}
	if err == nil {
		err = packaging(ctx, programs, os.Stdout)
	}
	if err == nil {
		err = federating(ctx, programs, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
