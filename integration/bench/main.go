// Command bench prints figures side by side, measured in one run: the start
// of bootstrap against an aws-lambda-go program, cold starts against a watchdog
// without Lambda, packaging against skopeo, umoci
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
	"time"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == measureArgument {
		os.Exit(measureChild(os.Args[2:]))
	}
	if len(os.Args) == 3 && os.Args[1] == plainArgument {
		os.Exit(plainChild(os.Args[2]))
	}
	bin := flag.String("bin", "bin", "directory of the built programs")
	hop := flag.Bool("hop", false, "measure the provider's hop alone")
	cold := flag.Bool("cold", false, "measure cold starts alone")
	load := flag.Bool("load", false, "load the provider instead, and look for errors and memory that grows")
	size := flag.Bool("sizing", false, "measure what one replica takes instead")
	functions := flag.Int("functions", 1000, "of sizing, and invocations at a time")
	clients := flag.Int("clients", 1000, "of the load, at a time")
	lasting := flag.Duration("lasting", time.Minute, "how long the load, or a part of sizing, lasts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	programs, err := filepath.Abs(*bin)
	if err == nil && *load {
		err = loading(ctx, programs, *clients, *lasting, os.Stdout)
		exit(err)
	}
	if err == nil && *size {
		exit(sizing(ctx, programs, *functions, *lasting, os.Stdout))
	}
	if err == nil && *cold {
		exit(coldStarting(ctx, programs, os.Stdout))
	}
	if err == nil {
		err = hopping(ctx, programs, os.Stdout)
	}
	if *hop {
		exit(err)
	}
	if err == nil {
		err = starting(ctx, os.Stdout)
	}
	if err == nil {
		err = coldStarting(ctx, programs, os.Stdout)
	}
	if err == nil {
		err = packaging(ctx, programs, os.Stdout)
	}
	if err == nil {
		err = federating(ctx, programs, os.Stdout)
	}
	exit(err)
}

// exit ends the program.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
