// Package emulator is an AWS Lambda of one machine: the Lambda API over AWS's own wire protocol as an http.Handler, with every function run
// in sandboxes of its own. It keeps no credentials and verifies no signatures: bind it to loopback.
package emulator
