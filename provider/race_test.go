//go:build race

package main

// The race detector makes each case five times as long: with it, one in three.
// make test runs all of them without it.
func init() { faultsEvery = 3 }
