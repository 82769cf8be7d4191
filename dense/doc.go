// Package dense is the native engine: dense networks, built, trained and run in Go, without cgo.
//
//	model, err := dense.Sequential(
//		dense.Input(784),
//		dense.Dense(128, dense.ReLU),
//		dense.Dropout(0.2),
//		dense.Dense(10, dense.Softmax),
//	)
//	loss := train.Loss{Name: train.SparseCategoricalCrossentropy}
//	err = model.Compile(train.Adam(0.001), loss, train.AccuracyFor(loss))
//	result, err := model.Fit(ctx, data, train.Config{Epochs: 10, BatchSize: 128})
//	probabilities, err := model.Predict(x)
//
// Names, formulas and defaults are those of Keras 3; from the same weights over the same batches, losses and weights follow
// Keras's within float32 rounding. A [Model] is a train.Trainable.
//
// # How it runs
//
// Building turns layers into nodes (Dense with an activation into two). A training step is the list of the nodes' forward
// and backward actions, cut into phases of independent tasks that a fixed set of threads works through:
//
//	gather, Dense, ReLU, Dropout ─▶ Dense, softmax, loss ─▶ back to the hidden layer, weight gradients + optimizer
//	by panels of 32 units           by rows                 by panels, then by blocks of 32 by 32 weights
//
// Activations, weights and optimizer slots are kept in panels of 32 columns (see dense/internal/kernel), so that the matrix
// products read memory front to back; a weight's gradient is consumed by the optimizer as soon as its block is computed and is
// never stored, unless a gradient norm is to be clipped. A thread has panels of its own; where that spares a meeting and is
// cheap, each gathers the batch and goes back through a small layer for itself. A thread that is late, on a core that is busy
// with something else, has its tasks taken by the others. Inference sends pieces of up to 64 samples through all nodes at once;
// single predictions that follow each other closely share a large layer's panels among the threads.
//
// Where at most two fifths of the samples' values are not zero (images of digits, bags of words, one-hot tables), a first layer
// that is Dense is trained by skipping zeros, forward and for the gradient, with the same bits. Sixteen samples of a data set
// decide it.
//
// A data set of 16 MB or more that is trained on for a second time is moved to huge pages, where Linux lets programs have them.
//
// # Numbers
//
// The same seed, data and SIMD level give the same bits for any number of threads: every sum has one order. As in TensorFlow,
// subnormal numbers count as zero. AVX-512, AVX2 and portable Go (picked at run time; CAMBIUM_SIMD=portable,
// avx2 or avx512 forces one) differ by rounding only.
//
// # Caveats
//
// A model is trained by one goroutine at a time, and Predict must not run meanwhile. Close ends its threads. Networks are
// sequences of layers; convolutions and recurrent layers are TensorFlow's (package tfbridge).
package dense
