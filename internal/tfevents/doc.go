// Package tfevents writes the event files that TensorBoard reads: a curve a tag, and images.
//
//	w, err := tfevents.Create("logs/train")
//	err = w.Scalar("epoch_loss", 1, 0.25)
//	err = w.Close()
//
// An event file is a sequence of TFRecords, each a tensorflow.Event protocol buffer:
//
//	length uint64 | masked CRC-32C of length uint32 | data | masked CRC-32C of data uint32     (little-endian)
//
// A new file is made every time; TensorBoard joins all files of a directory, so that a resumed run goes on with its curve.
// The messages are encoded by hand: four of them, a handful of fields.
//
// # Caveats
//
// Events are flushed by Flush and Close only. A tag's steps should not repeat.
package tfevents
