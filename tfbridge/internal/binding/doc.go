// Package binding names the Go API of TensorFlow's C library, from whichever module is linked: graft by default,
// galeone/tfgo with its own binding under the build tag tfgo. They cannot be linked together. The files graft.go and tfgo.go
// give the same names; nothing outside this package knows which one is there.
package binding
