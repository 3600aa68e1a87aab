// Package session runs a simulated machine whose clients are outside of its world:
// one paced world, one machine, one port per monitor. What comes from outside is a
// stream of inputs with the instants at which they came; a record holds them, and
// replaying it is running the same world with the record in place of the sockets.
//
// It is not a server: sockets and the wall clock are qmpfake/socket's.
//
// The property it keeps: what a session writes is a pure function of its Setup and
// its inputs. docs/design/serve.md has the argument.
package session
