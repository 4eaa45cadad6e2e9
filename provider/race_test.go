//go:build race

package main

// The race detector makes each case five times as long: with it, one in three.
func init() { faultsEvery = 3 }
