// Package graph holds what every model file becomes: TensorFlow's GraphDef with its signatures and the values of its
// variables, in pure Go, and the passes over it that are written once for every format and both engines.
//
//	savedmodel ┐                ┌ Inline, Freeze, Prune, Fold ┐     ┌ tfbridge (TensorFlow)
//	keras      ┼─▶  Graph  ──▶  │ restore map, scan           │ ──▶ ┤
//	frozen .pb ┘                └                             ┘     └ dense (native Go)
//
// # References
//
// A node's input is written as TensorFlow writes it: "node" or "node:0" for an output, "^node" for a control dependency; a
// signature names a tensor as "node:0".
package graph
