//go:build cgo && tfgo

package binding

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"
)

// Name is the module that is linked.
const Name = "tfgo"

// The binding's types.
type (
	DataType           = tf.DataType
	Graph              = tf.Graph
	GraphImportOptions = tf.GraphImportOptions
	Input              = tf.Input
	OpSpec             = tf.OpSpec
	Output             = tf.Output
	Scope              = op.Scope
	Session            = tf.Session
	SessionOptions     = tf.SessionOptions
)

// Model is what a SavedModel is loaded into by tfgo.
type Model = tg.Model

// LoadModel loads a SavedModel directory with tfgo, whose panics become errors, and returns the graph and the session that
// the model hides.
func LoadModel(dir string, tags []string, o *SessionOptions) (m *Model, g *Graph, s *Session, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, g, s, err = nil, nil, nil, fmt.Errorf("%v", p)
		}
	}()
	m = tg.LoadModel(dir, tags, o)
	saved, err := savedModel(m)
	if err != nil {
		return nil, nil, nil, err
	}
	return m, saved.Graph, saved.Session, nil
}

// savedModel returns the field of a tfgo model that holds its graph and session.
func savedModel(m *Model) (*tf.SavedModel, error) {
	f := reflect.ValueOf(m).Elem().FieldByName("saved")
	if !f.IsValid() || f.Type() != reflect.TypeFor[*tf.SavedModel]() {
		return nil, errors.New("tfgo's Model does not look as expected: it has no field saved of type *tensorflow.SavedModel")
	}
	return *(**tf.SavedModel)(unsafe.Pointer(f.UnsafeAddr())), nil
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return tf.NewGraph() }

// NewSession opens a session on a graph.
func NewSession(g *Graph, o *SessionOptions) (*Session, error) { return tf.NewSession(g, o) }

// Version returns the version of TensorFlow's library.
func Version() string { return tf.Version() }
