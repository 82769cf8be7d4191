// Package tfbridge runs graphs on TensorFlow's kernels, through graft by default and through galeone/tfgo under the build tag
// tfgo. It is the only package of the module that uses cgo.
//
//	graph.Graph ─▶ New ─▶ Model ─▶ Call, Predict: inputs and outputs by the names of a signature
//	                            └▶ Fetch: any tensor of the graph by its name
//
//	m, err := tfbridge.New(ctx, g, tfbridge.Options{})
//	defer m.Close()
//	y, err := m.Predict(ctx, x) // x: [batch, 784] → y: [batch, 10]
//
// A Model may be used from many goroutines at once. Everything a caller passes is checked in Go (names, element types,
// shapes) before TensorFlow sees it. Tensors in TensorFlow's memory are freed when a call ends, not when Go's garbage
// collector gets to them, and the memory of inputs is used again by the next call.
//
// # Caveats
//
// Threads per kernel (Options.Threads) and the log level belong to the process: the first Model decides. A call that has
// started inside TensorFlow cannot be interrupted by a context: Call returns at once, and the work goes on in the background
// until it is done or its deadline has passed.
//
// Without cgo (CGO_ENABLED=0) the package compiles, Available is false, and New returns ErrNotBuilt.
package tfbridge
