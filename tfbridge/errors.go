package tfbridge

import "errors"

// Errors that callers branch on; every error of this package wraps one of them, or one of package graph, or the error of a
// context.
var (
	// ErrNotBuilt says that this program was built without TensorFlow.
	ErrNotBuilt = errors.New("tfbridge: this program was built without TensorFlow")
	// ErrClosed says that the Model was closed.
	ErrClosed = errors.New("tfbridge: the model is closed")
	// ErrInput says that what was passed is not what the signature takes: a name, an element type or a shape.
	ErrInput = errors.New("tfbridge: wrong input")
	// ErrName says that a graph has no tensor of the name that was asked for.
	ErrName = errors.New("tfbridge: no such tensor")
	// ErrOptions says that Options contradict themselves or ask for what the machine does not have.
	ErrOptions = errors.New("tfbridge: wrong options")
	// ErrCheckpoint says that the files that the variables are restored from are missing.
	ErrCheckpoint = errors.New("tfbridge: no checkpoint")
	// ErrTensorFlow says that TensorFlow refused or failed; the message is TensorFlow's own.
	ErrTensorFlow = errors.New("tfbridge: TensorFlow failed")
)
