//go:build cgo && !tfgo

package binding

import (
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// Name is the module that is linked.
const Name = "graft"

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

// Model is what a SavedModel is loaded into by the binding itself; there is none here.
type Model struct{}

// LoadModel returns nil: this binding's own loader adds nothing to importing the graph.
func LoadModel(string, []string, *SessionOptions) (*Model, *Graph, *Session, error) {
	return nil, nil, nil, nil
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return tf.NewGraph() }

// NewSession opens a session on a graph.
func NewSession(g *Graph, o *SessionOptions) (*Session, error) { return tf.NewSession(g, o) }

// Version returns the version of TensorFlow's library.
func Version() string { return tf.Version() }
