// Command crash is a function that ends as soon as it is started.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "crash: no configuration found")
	os.Exit(3)
}
