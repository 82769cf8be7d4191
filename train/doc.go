// Package train holds the vocabulary of training (losses, optimizers, schedules, metrics, callbacks, history) and the one
// loop, Fit, that drives any engine.
//
//	            Fit: shuffles, cuts batches, validates, stops early, writes checkpoints, reports
//	             │
//	Trainable ───┤  Bind(dataset) → Bound: the data set where the engine wants it
//	             │  Bound.Train(order, batch, …)   forward, Loss, backward, Optimizer: one step a batch
//	             └─ Bound.Evaluate(order, batch, …) forward and Loss only
//
// An engine (package dense, package tfbridge) implements Trainable; package traintest holds the suite that every
// implementation passes. Loss and Optimizer describe what is computed, with Keras 3's names, formulas and defaults; the plain
// Go here (LossValue, LossGradient, Optimizer.Update) is their definition, which an engine may replace by fused kernels.
//
// # Layout
//
// A batch of predictions is row-major [samples, width]: width is the number of units of the last layer. Targets have the
// same layout, or [samples] where the loss is sparse (a class index a sample).
//
// # Numbers
//
// The same seed and the same data give the same bits, whatever GOMAXPROCS. Everything random is drawn from Random, a
// counter-based generator of our own, so that it does not change with Go's library.
//
// # Caveats
//
// A Bound belongs to one goroutine. An engine whose last activation is softmax (sigmoid) and whose loss is a categorical
// (binary) cross-entropy from probabilities computes the loss from the logits instead, as Keras on TensorFlow does: no
// clipping happens then, and a saturated output still learns.
package train
