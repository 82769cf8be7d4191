package dense

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// FromGraph returns the native model of one signature of a graph that is a dense network: from one input of float32 to one
// output, matrix products by constants, biases, activations, reshapes, scaling and shifting. "" is the default signature.
// Variables must have their values (savedmodel.ReadVariables). The model is not compiled.
//
// Errors wrap ErrUnsupported and name the op and the node.
func FromGraph(g *graph.Graph, signature string, c Config) (*Model, error) {
	sig, err := g.Signature(signature)
	if err != nil {
		return nil, err
	}
	if len(sig.Inputs) != 1 || len(sig.Outputs) != 1 {
		return nil, fmt.Errorf("%w: signature %s has %d inputs and %d outputs, one of each is needed", ErrUnsupported, sig.Name, len(sig.Inputs), len(sig.Outputs))
	}
	flat, err := graph.ForSignature(g, sig.Name)
	if err != nil {
		return nil, err
	}
	if flat, err = graph.Fold(flat); err != nil {
		return nil, err
	}
	r := newReader(flat)
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("signature %s: %w", sig.Name, err)
	}
	m, err := New(c, r.layers...)
	if err != nil {
		return nil, err
	}
	return m, m.SetWeights(r.weights)
}

// reader walks a chain of ops from the output to the input and collects the layers that do the same.
type reader struct {
	nodes   map[string]*tfproto.NodeDef
	sig     graph.Signature
	layers  []Layer
	weights []*tensor.Tensor
	inputs  int // features that the first matrix product takes; 0 if there is none
}

// newReader returns a reader of a graph of one signature.
func newReader(flat *graph.Graph) *reader {
	r := &reader{nodes: map[string]*tfproto.NodeDef{}, sig: flat.Signatures[0]}
	for _, n := range flat.Def.GetNode() {
		r.nodes[n.GetName()] = n
	}
	return r
}

// step is what one op of the chain is: layers with their weights (nil for an op that passes its input on), and the input.
type step struct {
	layer   Layer
	weights []*tensor.Tensor
	from    string
}

func (r *reader) read() error {
	at := r.sig.Outputs[0].Tensor
	var steps []step
	for !sameTensor(at, r.sig.Inputs[0].Tensor) {
		if len(steps) > len(r.nodes) {
			return fmt.Errorf("%w: the nodes form a cycle", graph.ErrMalformed)
		}
		name, output, err := graph.ParseTensor(at)
		if err != nil {
			return err
		}
		n := r.nodes[name]
		if n == nil {
			return fmt.Errorf("%w: no node %s", graph.ErrMalformed, name)
		}
		s, err := r.step(n)
		if err == nil && output != 0 {
			err = fmt.Errorf("%w: output %d of it is used", ErrUnsupported, output)
		}
		if err != nil {
			return fmt.Errorf("op %s (%s): %w", n.GetOp(), name, err)
		}
		steps, at = append(steps, s), s.from
	}
	input, err := r.input()
	if err != nil {
		return err
	}
	r.layers = []Layer{input}
	for _, s := range slices.Backward(steps) {
		if s.layer != nil {
			r.layers = append(r.layers, s.layer)
			r.weights = append(r.weights, s.weights...)
		}
	}
	return nil
}

// input returns the Input layer: the signature's shape, or what the first matrix product takes.
func (r *reader) input() (Layer, error) {
	p := r.sig.Inputs[0]
	if p.DType != tensor.Float32 {
		return nil, fmt.Errorf("%w: input %s is %v, float32 is needed", ErrUnsupported, p.Name, p.DType)
	}
	if len(p.Shape) >= 2 && !slices.Contains(p.Shape[1:], -1) {
		return Input(p.Shape[1:]...), nil
	}
	if r.inputs > 0 && (p.Shape == nil || len(p.Shape) == 2) {
		return Input(r.inputs), nil
	}
	return nil, fmt.Errorf("%w: input %s is %v, the sizes of a sample must be known", ErrUnsupported, p.Name, p.Shape)
}

var opActivations = map[string]ActivationFunction{
	"Relu": ReLU, "Relu6": ReLU6, "Elu": ELU(1), "Selu": SELU, "Sigmoid": Sigmoid, "Tanh": Tanh, "Softplus": Softplus, "Softsign": Softsign,
	"Exp": Exponential, "Softmax": Softmax,
}

func (r *reader) step(n *tfproto.NodeDef) (step, error) {
	in := dataInputs(n)
	if a, ok := opActivations[n.GetOp()]; ok && len(in) == 1 {
		return step{layer: Activation(a), from: in[0]}, nil
	}
	switch op := n.GetOp(); {
	case (op == "Identity" || op == "StopGradient") && len(in) == 1:
		return step{from: in[0]}, nil
	case op == "LeakyRelu" && len(in) == 1:
		return step{layer: Activation(LeakyReLU(n.GetAttr()["alpha"].GetF())), from: in[0]}, nil
	case op == "MatMul" && len(in) == 2:
		return r.matMul(n, in, nil)
	case (op == "BiasAdd" || op == "AddV2" || op == "Add" || op == "Sub" || op == "Mul" || op == "RealDiv") && len(in) == 2:
		return r.affine(n, in)
	case op == "Reshape" && len(in) == 2:
		return r.reshape(in)
	default:
		return step{}, fmt.Errorf("%w by the native engine; use the TensorFlow engine", ErrUnsupported)
	}
}

// matMul is x·kernel, and + bias where there is one.
func (r *reader) matMul(n *tfproto.NodeDef, in []string, bias *tensor.Tensor) (step, error) {
	kernel := r.constant(in[1])
	if kernel == nil || kernel.Rank() != 2 || n.GetAttr()["transpose_a"].GetB() {
		return step{}, fmt.Errorf("%w: not a product by a constant matrix", ErrUnsupported)
	}
	if n.GetAttr()["transpose_b"].GetB() {
		kernel = transposed(kernel)
	}
	inputs, units := kernel.Shape()[0], kernel.Shape()[1]
	r.inputs = inputs
	if bias == nil {
		return step{layer: Dense(units, NoBias), weights: []*tensor.Tensor{kernel}, from: in[0]}, nil
	}
	return step{layer: Dense(units), weights: []*tensor.Tensor{kernel, bias}, from: in[0]}, nil
}

// affine is a bias behind a matrix product, x·sigmoid(x), or x scaled or shifted by a constant.
func (r *reader) affine(n *tfproto.NodeDef, in []string) (step, error) {
	x, c := in[0], r.constant(in[1])
	if c == nil && n.GetOp() != "Sub" && n.GetOp() != "RealDiv" {
		x, c = in[1], r.constant(in[0])
	}
	if c == nil {
		return r.swish(n, in)
	}
	if c.Rank() > 1 && c.Shape()[c.Rank()-1] != c.Len() {
		return step{}, fmt.Errorf("%w: a constant of %v", ErrUnsupported, c.Shape())
	}
	values, err := tensor.Data[float32](c)
	if err != nil {
		return step{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if m := r.producer(x); m != nil && m.GetOp() == "MatMul" && isSum(n.GetOp()) && len(dataInputs(m)) == 2 {
		if kernel := r.constant(dataInputs(m)[1]); kernel != nil && kernel.Rank() == 2 {
			return r.biased(m, values)
		}
	}
	scale, shift := make([]float32, len(values)), make([]float32, len(values))
	for i, v := range values {
		switch n.GetOp() {
		case "Mul":
			scale[i] = v
		case "RealDiv":
			scale[i] = 1 / v
		case "Sub":
			scale[i], shift[i] = 1, -v
		default:
			scale[i], shift[i] = 1, v
		}
	}
	return scaled(x, scale, shift)
}

func isSum(op string) bool { return op == "BiasAdd" || op == "AddV2" || op == "Add" }

// biased is a matrix product with a bias of one value, or of one a unit.
func (r *reader) biased(m *tfproto.NodeDef, values []float32) (step, error) {
	s, err := r.matMul(m, dataInputs(m), nil)
	if err != nil {
		return s, err
	}
	if units := s.weights[0].Shape()[1]; len(values) == 1 {
		values = slices.Repeat(values, units)
	}
	bias, err := tensor.Of(values)
	if err != nil {
		return s, err
	}
	return r.matMul(m, dataInputs(m), bias)
}

// scaled is x·scale + shift, for one value or one of each feature.
func scaled(x string, scale, shift []float32) (step, error) {
	if len(scale) == 1 {
		return step{layer: Rescaling(scale[0], shift[0]), from: x}, nil
	}
	const epsilon = 1e-3
	weights := [][]float32{scale, shift, make([]float32, len(scale)), slices.Repeat([]float32{1 - epsilon}, len(scale))}
	s := step{layer: Frozen(BatchNormalization(NormOptions{Epsilon: epsilon})), from: x}
	for _, w := range weights {
		t, err := tensor.Of(w)
		if err != nil {
			return s, err
		}
		s.weights = append(s.weights, t)
	}
	return s, nil
}

// swish is x·sigmoid(x).
func (r *reader) swish(n *tfproto.NodeDef, in []string) (step, error) {
	if n.GetOp() == "Mul" {
		for i := range 2 {
			if s := r.producer(in[i]); s != nil && s.GetOp() == "Sigmoid" && sameTensor(dataInputs(s)[0], in[1-i]) {
				return step{layer: Activation(SiLU), from: in[1-i]}, nil
			}
		}
	}
	return step{}, fmt.Errorf("%w: neither operand is a constant", ErrUnsupported)
}

// reshape gives each sample another shape: a constant [-1, …], or a Pack of the batch size and constants.
func (r *reader) reshape(in []string) (step, error) {
	var sizes []int
	if c := r.constant(in[1]); c != nil {
		wide, err := c.Cast(tensor.Int64)
		if err != nil {
			return step{}, err
		}
		values, err := tensor.Data[int64](wide)
		if err != nil || len(values) == 0 || values[0] != -1 {
			return step{}, fmt.Errorf("%w: it changes the batch size", ErrUnsupported)
		}
		for _, v := range values[1:] {
			sizes = append(sizes, int(v))
		}
		return step{layer: Reshape(sizes...), from: in[0]}, nil
	}
	pack := r.producer(in[1])
	if pack == nil || pack.GetOp() != "Pack" || len(dataInputs(pack)) < 2 || r.constant(dataInputs(pack)[0]) != nil {
		return step{}, fmt.Errorf("%w: the shape is computed", ErrUnsupported)
	}
	for _, ref := range dataInputs(pack)[1:] {
		c := r.constant(ref)
		if c == nil || c.Rank() != 0 {
			return step{}, fmt.Errorf("%w: the shape is computed", ErrUnsupported)
		}
		wide, err := c.Cast(tensor.Int64)
		if err != nil {
			return step{}, err
		}
		value, err := tensor.Data[int64](wide)
		if err != nil {
			return step{}, err
		}
		sizes = append(sizes, int(value[0]))
	}
	return step{layer: Reshape(sizes...), from: in[0]}, nil
}

// constant returns the value of a constant, nil if it is none.
func (r *reader) constant(ref string) *tensor.Tensor {
	n := r.source(ref)
	if n == nil || n.GetOp() != "Const" {
		return nil
	}
	t, err := graph.Value(n)
	if err != nil {
		return nil
	}
	return t
}

// source returns the node whose first output a tensor is, behind nodes that pass it on; nil if there is none.
func (r *reader) source(ref string) *tfproto.NodeDef {
	for range len(r.nodes) + 1 {
		n := r.producer(ref)
		if _, output, err := graph.ParseTensor(ref); err != nil || output != 0 {
			return nil
		}
		if n == nil || n.GetOp() != "Identity" || len(dataInputs(n)) != 1 {
			return n
		}
		ref = dataInputs(n)[0]
	}
	return nil
}

func (r *reader) producer(ref string) *tfproto.NodeDef {
	name, _, err := graph.ParseTensor(ref)
	if err != nil {
		return nil
	}
	return r.nodes[name]
}

// dataInputs returns a node's inputs without control dependencies, which ForSignature leaves only where they do nothing.
func dataInputs(n *tfproto.NodeDef) []string {
	var data []string
	for _, in := range n.GetInput() {
		if in != "" && in[0] != '^' {
			data = append(data, in)
		}
	}
	return data
}

func sameTensor(a, b string) bool {
	nodeA, outputA, errA := graph.ParseTensor(a)
	nodeB, outputB, errB := graph.ParseTensor(b)
	return errA == nil && errB == nil && nodeA == nodeB && outputA == outputB
}

// transposed returns a matrix of float32 transposed, any other one as it is, for SetWeights to refuse.
func transposed(t *tensor.Tensor) *tensor.Tensor {
	values, err := tensor.Data[float32](t)
	if err != nil {
		return t
	}
	rows, columns := t.Shape()[0], t.Shape()[1]
	turned := make([]float32, len(values))
	for i := range rows {
		for j := range columns {
			turned[j*rows+i] = values[i*columns+j]
		}
	}
	return tensor.Must(tensor.Of(turned, columns, rows))
}
