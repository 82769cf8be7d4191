// Package tfbridge runs graphs on TensorFlow's kernels, through graft by default and through galeone/tfgo under the build tag
// tfgo. It is the only package of the module that uses cgo.
//
//	              ┌ as it was loaded: a session with the variables, tables and assets ┐
//	graph.Graph ─▶│                                                                   ├─▶ Model: Call, Predict, Fetch
//	        New   └ rewritten: a flat graph with constants for each signature that    ┘
//	                neither reads nor writes state
//
//	m, err := tfbridge.New(ctx, g, tfbridge.Options{})
//	defer m.Close()
//	y, err := m.Predict(ctx, x) // x: [batch, 784] → y: [batch, 10]
//
// A Model may be used from many goroutines at once; as many calls as there are cores run, others wait. Everything a caller
// passes is checked in Go (names, element types, shapes) before TensorFlow sees it. Tensors in TensorFlow's memory are freed
// when a call ends, not when Go's garbage collector gets to them, and the memory of inputs is used again by the next call.
// The results belong to the caller.
//
// # Rewriting
//
// A small signature without state runs on the CPU three to four times as fast when its functions are inlined, its variables
// are constants, what stands around convolutions is folded into their weights, and the caller's thread runs all ops itself. So
// New rewrites it (graph.ForSignature, graph.Fold), where that is possible; results stay the same up to rounding. Its variables
// are read when the model is loaded: a write by Fetch to what no signature writes does not reach it. Options.NoRewrite turns
// this off.
//
// A large batch is divided among the cores, where the graph shows that no row of the outputs depends on another row of the
// inputs: convolutional networks on two cores take 0.4 to 0.8 of the time in which every kernel uses both. The division depends
// on the number of rows and of cores alone, so that equal calls give equal bits; kernels may round otherwise for another number
// of rows. Each number of rows costs more in the first call.
//
// # Training
//
// NewMLP trains a multi-layer perceptron on TensorFlow's kernels: a train.Trainable for train.Fit, with the data set in
// TensorFlow's memory and one run of the session a step. Gradients are TensorFlow's C++ ones, of ops of which they are known
// to be right; any other op is refused by name.
//
// NewFineTuning trains a base together with a perceptron behind it: a graph from a Keras file (keras.Model.TrainingBase, with
// dropout and, where asked for, batch statistics), an inlined SavedModel, or a frozen graph thawed (graph.Thaw). Ops without a
// right gradient are replaced first, where others compute the same (graph.Differentiable). Samples stay in Go's memory, or in a
// mapped file; each step is fed its own.
//
// # Limits of time
//
// A context ends the wait for a call's turn, and the wait for TensorFlow. What then still runs goes on in the background and
// keeps its turn: TensorFlow stops at the deadline (or at Options.Timeout), but it looks only between the iterations of a loop
// and in ops that wait; a graph without loops runs to its end. Close waits for calls, and ends those that nobody waits for. A
// call that takes less than a millisecond is not interrupted at all.
//
// # Caveats
//
// The log level and the choice of GPUs belong to the process; see Options. The variables of two models are never shared, even
// if they have the same names.
//
// Without cgo (CGO_ENABLED=0) the package compiles, Available is false, and New returns ErrNotBuilt.
package tfbridge
