package hdf5

import "errors"

func isUnsupported(err error) bool { return errors.Is(err, ErrUnsupported) }
