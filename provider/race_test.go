//go:build race

package main

// The race detector makes each case five times as long: with it, one in eleven, so that over the calls each of the ways comes.
// make test runs all of them without it.
func init() { faultsEvery = 11 }
