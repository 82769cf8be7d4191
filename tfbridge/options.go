package tfbridge

import "time"

// Options say how a graph is run. The zero value runs it as fast as this package knows how on whatever device there is.
type Options struct {
	// Signature is the one that Call and Predict use. Empty: the only one, else serving_default.
	Signature string

	// Threads is how many threads one kernel may use. 0 lets this package choose: one, since calls from several goroutines
	// keep the other cores busy. The number belongs to the process: the first Model decides.
	Threads int
	// MaxConcurrent is how many calls run inside TensorFlow at once; others wait. 0 means one per core.
	MaxConcurrent int
	// Timeout ends the work of a call that takes longer. 0 means no limit but the context's deadline.
	Timeout time.Duration

	// Device is "auto" or empty (a GPU if there is one), "cpu", "gpu" (the first one) or "gpu:N".
	Device string
	// GPUMemoryGrowth takes GPU memory as it is needed instead of nearly all of it at once.
	GPUMemoryGrowth bool
	// GPUMemoryFraction is the share of each GPU's memory that TensorFlow may take, between 0 and 1. 0 means TensorFlow's own
	// choice.
	GPUMemoryFraction float64
	// SoftPlacement runs an op on the CPU where the device that the graph asks for is missing or has no kernel for it.
	SoftPlacement bool

	// LogLevel is what TensorFlow may write to standard error. It belongs to the process: the first Model decides.
	LogLevel LogLevel
	// ConfigProto is a serialized tensorflow.ConfigProto. Its fields win over those that the options above set.
	ConfigProto []byte
	// NoRewrite runs the graph as it was loaded. Otherwise a signature that writes no variable runs with its functions
	// inlined and its variables as constants, which is faster and gives the same results up to rounding.
	NoRewrite bool
}

// LogLevel is how much TensorFlow writes to standard error.
type LogLevel int

// The log levels.
const (
	LogNothing LogLevel = iota // nothing, the default
	LogErrors
	LogWarnings
	LogInfo
)

// Device is a piece of hardware that TensorFlow can use.
type Device struct {
	Name        string // "/job:localhost/replica:0/task:0/device:CPU:0"
	Type        string // "CPU", "GPU"
	MemoryBytes int64  // what TensorFlow may take; -1 where it does not say
}
