//go:build !amd64

package kernel

var tables [3]*table

// Best returns the best level of this processor.
func Best() Level { return Portable }

// Pause tells the processor that this is a spin loop.
func Pause() {}

// Prefetch asks for memory that will be read soon; on this architecture it does nothing.
func Prefetch[T float32 | uint8]([]T) {}

// FlushDenormals makes the calling thread treat subnormal numbers as zero and returns the previous state for Restore.
// It has no effect on this architecture.
func FlushDenormals() uint32 { return 0 }

// Restore undoes FlushDenormals.
func Restore(uint32) {}
