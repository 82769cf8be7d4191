// Package tfproto names the generated protocol buffer messages of TensorFlow, from whichever Go module is linked: graft's by
// default, galeone/tensorflow's under the build tag tfgo. The two cannot be linked together, since both register the same
// .proto files; every other package therefore takes the messages from here. graft.go and tfgo.go differ in nothing but
// their import paths.
package tfproto
