// Package inference is what `infer run` does with a loaded model: split long inputs into batches, time the calls, turn class
// scores into names, and write the outputs.
package inference
