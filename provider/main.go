// Command faas-lambda is an OpenFaaS provider that runs functions on AWS Lambda.
// It reads configuration, wires the parts together and serves; what it does is
// in the packages below it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/faas-lambda/faas-lambda/emulator"
)

// version and the commit it was built from are set by the Makefile.
var (
	version = "dev"
	sha     = ""
)

func main() {
	emulator.Init() // takes over in the processes that the emulator starts
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "faas-lambda:", err)
		os.Exit(1)
	}
}
