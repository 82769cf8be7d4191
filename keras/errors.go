package keras

import (
	"errors"
	"fmt"
)

// Errors that callers branch on; every error of this package wraps one of them, or one of packages tensor, graph and
// internal/hdf5.
var (
	// ErrFormat says that a file is not what its format demands, or contradicts itself.
	ErrFormat = errors.New("keras: malformed file")
	// ErrUnsupported says that a layer, or a setting of a layer, has no counterpart here; the message names the layer.
	ErrUnsupported = errors.New("keras: unsupported")
	// ErrCustomObject says that a layer is of a class that Keras does not have, or holds Python code (Lambda), which is
	// never run; Register supplies such classes. The error also wraps ErrUnsupported.
	ErrCustomObject = fmt.Errorf("%w custom object", ErrUnsupported)
	// ErrWeightsOnly says that a file holds weights without an architecture; WithArchitecture supplies it.
	ErrWeightsOnly = errors.New("keras: the file holds weights only, without an architecture")
	// ErrWeights says that the weights of a file do not fit the architecture; the message names the layer.
	ErrWeights = errors.New("keras: the weights do not fit the architecture")
)

// failure carries an error out of the depth of a layer's call; catch turns it back into a return value.
type failure struct{ err error }

func fail(sentinel error, format string, args ...any) {
	panic(failure{fmt.Errorf("%w: "+format, append([]any{sentinel}, args...)...)})
}

// check gives up with err unless it is nil.
func check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// catch is deferred by every function that calls what may fail.
func catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = r.err
	default:
		panic(r)
	}
}
