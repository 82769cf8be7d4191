package keras

import (
	"fmt"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Model is a Keras model: its layers, how they are connected, and its weights.
type Model struct {
	Name  string
	Class string // "Sequential", "Functional", or the name of a class derived from Model
	// Layers are in the file's order, the order of model.layers, with the input layers.
	Layers []*Layer
	// Inputs and Outputs are the model's ends, in Keras's order.
	Inputs, Outputs []Endpoint
	// Compile is the configuration for training, as the file has it; nil for a model that was not compiled.
	Compile *Compile
	// OptimizerState holds the optimizer's variables by name, in the file's order; nil where the file has none.
	OptimizerState []NamedTensor
	// Version is the version of Keras that wrote the file, Backend its backend; "" where the file does not say.
	Version, Backend string
	// Format is "keras", "h5", or "" for a model made in memory.
	Format string

	age    age
	config Config // the model's own configuration
	source string // path, for messages
	byName map[string]*Layer
	nodes  map[string][]node // the calls of each layer, by its name
	// anyBatch says that the model takes batches of any size, though the file names one: see freeBatch.
	anyBatch bool
}

// Endpoint is one input or output of a model.
type Endpoint struct {
	// Name is what Keras calls it: the key of a dictionary of inputs, else the name of the layer.
	Name string
	at   tensorRef
	// DType and Shape are known once the model is built; -1 is an unknown dimension.
	DType tensor.DType
	Shape tensor.Shape
}

// Compile is what model.compile was called with, as the file has it.
type Compile struct {
	Optimizer       string // class: "Adam"
	OptimizerConfig Config
	// Loss, Metrics and LossWeights are JSON values: a name, a list, a dictionary, an object.
	Loss, Metrics, LossWeights any
}

// NamedTensor is a tensor with the name that the file gives it.
type NamedTensor struct {
	Name  string
	Value *tensor.Tensor
}

// Layer is one layer of a model.
type Layer struct {
	Name  string
	Class string // Keras 3's name of the class
	// Config is the layer's configuration, in Keras 3's terms.
	Config Config
	// Model is the nested model, where the layer is one.
	Model *Model
	// Inbound lists the names of the layers that feed the layer's calls, one list for each call.
	Inbound [][]string
	// OutputShapes are the shapes of the outputs of the layer's first call, with the batch dimension; -1 is unknown.
	OutputShapes []tensor.Shape

	sublayers   []*Layer // wrapped layers, cells, the projections of an attention layer
	outputTypes []tensor.DType
	stated      []tensor.Shape // OutputShapes with the batch that the model was built on, where that is another
	attribute   string         // the attribute of the parent that holds a sublayer: "forward_layer", "cell"
	variables   []*Variable    // in the order of get_weights
	rawModule   string         // "keras.layers", "keras.src.ops.numpy"
	fileClass   string         // the class that a .keras archive gives, where it is another than Class
	registered  any            // registered_name
	age         age
	trainable   bool
	path        string            // "model/layer/sublayer", for messages and the names of nodes
	assets      map[string][]byte // vocabularies that stand beside the weights in a .keras archive
	idf         []float64         // inverse document frequencies that stand among them
}

// Variable is one weight of a layer.
type Variable struct {
	// Name is the weight's name within its layer: "kernel", "bias", "gamma".
	Name string
	// Path is the weight's name within the model: "dense/kernel". It is also the name of the graph's variable.
	Path      string
	Shape     tensor.Shape
	DType     tensor.DType
	Trainable bool
	Value     *tensor.Tensor // nil until weights are loaded or set

	layer   *Layer
	learned bool // of a kind that is trained, unless the layer is frozen
	seed    bool // the state of a random generator, which counts as no parameter
}

// Node is the name of the weight's variable in [Model.Graph]: Path in letters that TensorFlow has for names.
func (v *Variable) Node() string { return nodeName(v.Path) }

// Layer returns a layer of the model by name.
func (m *Model) Layer(name string) (*Layer, error) {
	if l, ok := m.byName[name]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("%w: model %s has no layer %q", ErrFormat, m.Name, name)
}

// Variables returns the weights of the model in the order of get_weights.
func (m *Model) Variables() []*Variable {
	var out []*Variable
	for _, l := range m.Layers {
		out = append(out, l.Variables()...)
	}
	return out
}

// Variables returns the weights of the layer in the order of get_weights, those of nested layers included.
func (l *Layer) Variables() []*Variable {
	out := append([]*Variable(nil), l.variables...)
	for _, s := range l.sublayers {
		out = append(out, s.Variables()...)
	}
	if l.Model != nil {
		out = append(out, l.Model.Variables()...)
	}
	return out
}

// Weights returns the values of the weights in the order of get_weights.
func (l *Layer) Weights() []*tensor.Tensor {
	var out []*tensor.Tensor
	for _, v := range l.Variables() {
		out = append(out, v.Value)
	}
	return out
}

// SetWeights sets the weights in the order of get_weights. Shapes must agree; element types are converted where that
// loses nothing. The tensors are shared, not copied.
func (l *Layer) SetWeights(values []*tensor.Tensor) error {
	return assign(l.Name, l.Variables(), values)
}

// Weights returns the values of all the weights in the order of get_weights.
func (m *Model) Weights() []*tensor.Tensor {
	var out []*tensor.Tensor
	for _, v := range m.Variables() {
		out = append(out, v.Value)
	}
	return out
}

// SetWeights sets all the weights in the order of get_weights; see [Layer.SetWeights].
func (m *Model) SetWeights(values []*tensor.Tensor) error {
	return assign(m.Name, m.Variables(), values)
}

// Parameters counts the weights' elements, as model.summary does.
func (l *Layer) Parameters() int { return count(l.Variables()) }

// Parameters counts the weights' elements, as model.summary does.
func (m *Model) Parameters() int { return count(m.Variables()) }

// TrainableParameters counts the elements of the trainable weights.
func (m *Model) TrainableParameters() int {
	var t []*Variable
	for _, v := range m.Variables() {
		if v.Trainable {
			t = append(t, v)
		}
	}
	return count(t)
}

func count(vars []*Variable) int {
	seen, n := map[*Variable]bool{}, 0
	for _, v := range vars {
		if !seen[v] && !v.seed {
			seen[v] = true
			n += max(0, product(v.Shape...))
		}
	}
	return n
}

// Config returns the model's configuration as the file has it: what to_json writes under "config".
func (m *Model) Config() Config { return m.config }

// Source tells where the graph came from.
func (m *Model) graphSource() graph.Source { return graph.Source{Path: m.source} }
