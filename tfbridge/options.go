package tfbridge

import "time"

// Options say how a graph is run. The zero value runs it as fast as this package knows how on whatever device there is.
type Options struct {
	// Signature is the one that Call and Predict use. Empty: the only one, else serving_default.
	Signature string

	// Threads is how many threads one kernel may use; with 1, a call uses one core. 0 means one where a call is too small to
	// share out, otherwise all cores: a batch is divided among them where each row of the outputs is a matter of the same row of
	// the inputs, else each kernel uses one thread per core. With 0 and 1, such a batch is divided into parts that suit the caches.
	Threads int
	// MaxConcurrent is how many calls run inside TensorFlow at once; others wait. 0 means one per core (GOMAXPROCS).
	MaxConcurrent int
	// Timeout ends a call that takes longer. 0 means no limit but the context's deadline.
	Timeout time.Duration

	// Device is "auto" or empty (a GPU if there is one), "cpu", "gpu" (the first one) or "gpu:N". It is an error to ask for a
	// GPU that is not there.
	Device string
	// GPUMemoryGrowth takes GPU memory as it is needed instead of nearly all of it at once.
	GPUMemoryGrowth bool
	// GPUMemoryFraction is the share of each GPU's memory that TensorFlow may take, between 0 and 1. 0 means TensorFlow's own
	// choice.
	GPUMemoryFraction float64
	// SoftPlacement runs an op on the CPU where the device that was asked for has no kernel for it. Unless Device demands a
	// GPU this is so anyway.
	SoftPlacement bool

	// LogLevel is what TensorFlow may write to standard error. Where models differ, the most talkative one decides for the
	// process. The environment variable TF_CPP_MIN_LOG_LEVEL, if it is set, decides alone.
	LogLevel LogLevel
	// ConfigProto is a serialized tensorflow.ConfigProto. Its fields win over those that the options above set.
	ConfigProto []byte
	// NoRewrite runs the graph as it was loaded. Otherwise a signature that neither reads nor writes state runs on the CPU with
	// its functions inlined, its variables as constants, folded and shared out, which is faster and gives the same results up to
	// rounding.
	NoRewrite bool
}

// LogLevel is how much TensorFlow writes to standard error.
type LogLevel int

// The log levels.
const (
	LogNothing LogLevel = iota // nothing but what it dies of, the default
	LogErrors
	LogWarnings
	LogInfo
)

// Device is a piece of hardware that TensorFlow can use.
type Device struct {
	Name        string `json:"name"`         // "/job:localhost/replica:0/task:0/device:CPU:0"
	Type        string `json:"type"`         // "CPU", "GPU"
	MemoryBytes int64  `json:"memory_bytes"` // what TensorFlow may take; -1 where it does not say
}
