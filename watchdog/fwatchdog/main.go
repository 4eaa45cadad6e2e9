// Command fwatchdog is a drop-in for OpenFaaS' of-watchdog (and, with -kind
// classic-watchdog, for the classic watchdog). On Lambda, where
// AWS_LAMBDA_RUNTIME_API is set, the same program is the bootstrap, so that one
// image runs in both places.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/bootstrap/loop"
	"github.com/faas-lambda/faas-lambda/watchdog"
)

// version is set by the build.
var version = "dev"

func main() {
	kind := flag.String("kind", string(watchdog.OfWatchdog), "whose behaviour is wanted: of-watchdog or classic-watchdog")
	showVersion := flag.Bool("version", false, "print the version and exit")
	check := flag.Bool("run-healthcheck", false, "exit 0 when the lock file is there, 1 when it is not")
	flag.Parse()
	if err := run(watchdog.Kind(*kind), *showVersion, *check); err != nil {
		fmt.Fprintln(os.Stderr, "fwatchdog:", err)
		os.Exit(1)
	}
}

func run(kind watchdog.Kind, showVersion, check bool) error {
	if check {
		if !lockPresent() {
			return fmt.Errorf("unable to find lock file %s", lockPath())
		}
		return nil
	}
	log.Printf("Version: %s", version)
	if showVersion {
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		return loop.Run(ctx, loop.Process{
			Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
			Spec: func() (launch.Spec, error) { return spec(kind) },
		})
	}
	cfg, err := watchdog.ParseConfig(kind, os.Environ(), flag.Args())
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	return serve(ctx, cfg)
}

// spec is the package's launch spec, or in a container image, which has none,
// what the image's own environment says.
func spec(kind watchdog.Kind) (launch.Spec, error) {
	s, err := launch.Read(filepath.Join(os.Getenv("LAMBDA_TASK_ROOT"), launch.File))
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return launch.Spec{}, fmt.Errorf("find working directory: %w", err)
	}
	return launch.Spec{Version: launch.Version, Root: "/", Watchdog: launch.Watchdog(kind), Command: flag.Args(), Dir: dir}, nil
}
