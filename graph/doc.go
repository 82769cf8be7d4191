// Package graph holds what every model file becomes: TensorFlow's GraphDef with its signatures and the values of its
// variables, in pure Go, and the passes over it that are written once for every format and both engines.
//
//	savedmodel ┐                ┌ Inline, Freeze, Prune,  ┐     ┌ tfbridge (TensorFlow)
//	keras      ┼─▶  Graph  ──▶  │ Simplify, Fold,         │ ──▶ ┤
//	frozen .pb ┘                └ RestoreMap, Scan        ┘     └ dense (native Go)
//
// Most callers want one signature in the form that runs fastest:
//
//	flat, err := graph.ForSignature(g, "serving_default") // functions inlined, variables frozen: the same bits
//	fast, err := graph.Fold(flat)                         // batch normalization in the weights: for inference alone
//
// A pass returns a new graph and leaves the given one as it is; nodes that it does not change, and all tensors, are shared
// between the two. Nobody may change a node that is in a Graph.
//
// # References
//
// A node's input is written as TensorFlow writes it: "node" or "node:1" for an output, "^node" for a control dependency; a
// signature names a tensor as "node:0". Inside a function an input is "argument" or "node:output:1".
//
// # Caveats
//
// What ops take and put out is known for those of TensorFlow 2.18, which are embedded (50 kB), and for those that a SavedModel
// defines itself. A graph from elsewhere is a program: Scan says which of its ops reach files, the network or the host.
package graph
