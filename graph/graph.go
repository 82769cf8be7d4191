package graph

import (
	"errors"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Errors that callers branch on; every error of this package wraps one of them or one of package tensor.
var (
	// ErrMalformed says that a graph contradicts itself: a missing node, a cycle, an attribute of the wrong kind.
	ErrMalformed = errors.New("graph: malformed")
	// ErrUnsupported says that a pass or an engine cannot handle an op; the message names it.
	ErrUnsupported = errors.New("graph: unsupported")
	// ErrNoSignature says that a signature was asked for by a name that the model does not have.
	ErrNoSignature = errors.New("graph: no such signature")
)

// Graph is a model: nodes and functions, the signatures to call it by, and the values of its variables.
type Graph struct {
	Def *tfproto.GraphDef
	// Ops defines the ops the graph uses, where the file says (a SavedModel's stripped_op_list); nil elsewhere.
	Ops *tfproto.OpList
	// Signatures are sorted by name.
	Signatures []Signature
	// Variables holds the value of each variable node (VarHandleOp, VariableV2 …) by the node's name, where they were read
	// or set. A nil map with a Saver means: restore them from the checkpoint.
	Variables map[string]*tensor.Tensor
	// Checkpoint says where an engine restores the variables from; nil where there is none.
	Checkpoint *Checkpoint
	// Init is run once after the variables are there: tables are filled, assets read.
	Init Init
	// Source is where the graph came from.
	Source Source
}

// Source is the file or directory that a graph was read from, for engines that load it by themselves and for messages.
type Source struct {
	Path string   // the SavedModel directory or the file; "" for a graph built in memory
	Tags []string // of the meta graph, for a SavedModel
}

// Checkpoint is a tensor bundle and the ops of the graph that restore from it (a SaverDef).
type Checkpoint struct {
	Prefix         string // path of the bundle without ".index"
	FilenameTensor string // "saver_filename:0": fed with Prefix
	RestoreOp      string // the node to run
}

// Init is what makes a restored graph ready.
type Init struct {
	Op     string            // the node to run (main_op or legacy_init_op); "" for none
	Assets map[string]string // asset file name tensors, "node:0", and the path to feed
}

// Signature is one way to call a model: named inputs and outputs, each bound to a tensor of the graph
// (SignatureDef in tensorflow/core/protobuf/meta_graph.proto).
type Signature struct {
	Name    string
	Method  string // "tensorflow/serving/predict"
	Inputs  []Port // sorted by name
	Outputs []Port // sorted by name
}

// Port is one input or output of a signature (TensorInfo).
type Port struct {
	Name  string
	DType tensor.DType
	Shape tensor.Shape // -1 for an unknown dimension, nil for an unknown rank
	// Shapeless says that the file gives no shape at all, as some of TensorFlow 1.0 do: Shape is nil, but TensorFlow reports
	// a scalar's.
	Shapeless bool
	Tensor    string // "node:0"; "" for a composite tensor, whose parts are in Components
	// Components names the parts of a sparse or other composite tensor: "values", "indices", "dense_shape".
	Components map[string]string
	// Optional says of an input that a call may leave it out: the graph has a default.
	Optional bool `json:"-"`
	// Types are the element types of the components that the file gives one; DType is that of the values.
	Types map[string]tensor.DType `json:"-"`
}

// DefaultSignature is the name by which TensorFlow Serving and Keras call the signature to use.
const DefaultSignature = "serving_default"
