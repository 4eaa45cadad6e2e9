// Command watchdog takes the place of the classic watchdog in a test image:
// images carry it as /usr/bin/fwatchdog, and on Lambda bootstrap is started
// instead of it.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "watchdog: only bootstrap's work should be seen here")
	os.Exit(1)
}
