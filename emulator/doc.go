// Package emulator is the AWS of one machine: it opens the services, each a package below, and answers for all of them at one address, over AWS's own
// wire protocols. What is here is what stands between them: requests told apart by service, faults on request, the data directory, and what one
// service delivers to another. It keeps no credentials and verifies no signatures: bind it to loopback.
package emulator
