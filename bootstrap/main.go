// Command bootstrap is the Lambda custom runtime that faas-lambda puts into every
// package: it starts the function as the package's launch spec says and serves
// Lambda's invocations by it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/bootstrap/loop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	root := os.Getenv("LAMBDA_TASK_ROOT")
	if root == "" {
		root = launch.Root
	}
	err := loop.Run(ctx, loop.Process{
		Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
		Spec: func() (launch.Spec, error) { return launch.Read(filepath.Join(root, launch.File)) },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bootstrap:", err)
		os.Exit(1)
	}
}
