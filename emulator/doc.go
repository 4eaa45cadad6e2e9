// Package emulator is an AWS Lambda of one machine, with the Secrets Manager and Parameter Store that its functions read: the APIs over AWS's own
// wire protocols as an http.Handler, with every function run in sandboxes of its own. It keeps no credentials and verifies no signatures: bind it to
// loopback.
package emulator
