package keras

import (
	"errors"
	"slices"
)

// CustomObject is a layer whose class Keras does not have, or one that holds Python code.
type CustomObject struct {
	Path  string // "model/layer"
	Class string // "Lambda", or the class's own name
}

// Code reports whether the file holds Python code for the layer. It is never run.
func (o CustomObject) Code() bool { return o.Class == "Lambda" }

// CustomObjectError is an error that wraps [ErrCustomObject] and lists all such layers of the model that nothing was
// registered for, not only the one that its text names.
type CustomObjectError struct {
	Objects []CustomObject
	// Model is what could be read, to be described: all layers, with shapes and numbers of parameters up to the first of Objects. It
	// has no weights and cannot run.
	Model *Model
	err   error
}

func (e *CustomObjectError) Error() string { return e.err.Error() }

func (e *CustomObjectError) Unwrap() error { return e.err }

// withCustomObjects adds the list to an error that wraps ErrCustomObject.
func (m *Model) withCustomObjects(err error) error {
	if !errors.Is(err, ErrCustomObject) {
		return err
	}
	e := &CustomObjectError{Model: m, err: err}
	var list func(parent string, layers []*Layer)
	list = func(parent string, layers []*Layer) {
		for _, l := range layers {
			path := parent + "/" + l.Name
			if l.Model != nil {
				list(path, l.Model.Layers)
			} else if _, known := classOf(l); !known && !slices.Contains(uncalled, l.Class) {
				e.Objects = append(e.Objects, CustomObject{Path: path, Class: l.Class})
			}
			list(path, l.sublayers)
		}
	}
	list(m.Name, m.Layers)
	if e.Objects == nil { // an activation, a cell
		return err
	}
	return e
}

// uncalled are the classes that are not called as layers are: where a model begins, and what recurrent layers call.
var uncalled = []string{"InputLayer", "SimpleRNNCell", "LSTMCell", "GRUCell", "ConvLSTMCell", "StackedRNNCells"}
