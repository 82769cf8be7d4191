package hdf5

import (
	"errors"
	"fmt"
)

// Errors that callers branch on with errors.Is. Every error of this package
// wraps one of them (or an error of the underlying reader) and names the
// object's path or the address in the file.
var (
	// ErrFormat: the bytes are not a well-formed HDF5 file (no signature,
	// truncated, a bad checksum, sizes or addresses beyond the file's end,
	// structures that refer to each other in a loop).
	ErrFormat = errors.New("hdf5: malformed file")

	// ErrUnsupported: a valid feature of HDF5 that neither Keras nor h5py's
	// defaults use and that is not read here, such as external storage,
	// virtual datasets, links to other places, third-party filters.
	ErrUnsupported = errors.New("hdf5: unsupported feature")

	// ErrNotFound: there is no object of that path, or it is of another kind.
	ErrNotFound = errors.New("hdf5: not found")

	// ErrType: a value was asked for as something that it is not (text as
	// numbers, a number that overflows), or a buffer has another length.
	ErrType = errors.New("hdf5: wrong type")

	// ErrTooLarge: something to be written does not fit the format's limits,
	// most often an attribute over [MaxAttributeSize].
	ErrTooLarge = errors.New("hdf5: too large to write")
)

func formatErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

func unsupportedErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

func typeErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrType, fmt.Sprintf(format, args...))
}
