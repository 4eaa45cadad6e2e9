// Package wire speaks AWS's remote-procedure protocols as a server: AWS JSON 1.0 and 1.1, Smithy RPC v2 CBOR, and the query protocol with its XML
// answers. A service registers each operation once, as a function over plain structs; every protocol that a client may choose reaches the same function.
// Of the protocols it knows what the services of the embedded AWS need; it knows no operation itself.
package wire
