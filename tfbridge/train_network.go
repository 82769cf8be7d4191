//go:build cgo

package tfbridge

import (
	"fmt"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// The names of a network's nodes that are fed, fetched and run. The data set lies in the variables data/x, data/y and
// data/weights; a batch is the indices of its samples. What a base takes does not lie in data/x, but is fed.
const (
	nodeIndex        = "index"        // [batch] int32
	nodeSamples      = "samples"      // [batch, …], of a base
	nodeCoefficients = "coefficients" // [3] float32: learning rate, alpha, decay
	nodeSeed         = "seed"         // [2] int64, where there is dropout
	nodeX            = "data/x"       // [samples, features]
	nodeScale        = "data/scale"   // [], of bytes
	nodeY            = "data/y"       // [samples, width], or [samples] int32
	nodeWeights      = "data/weights" // [samples]
	nodePredictions  = "predictions"
	nodeLoss         = "loss"
	nodeTrained      = "train/predictions"
	nodeTrainLoss    = "train/loss"
	nodeStep         = "train/step"
	nodeFree         = "data/free"
)

// kind is what a data set has.
type kind struct{ bytes, targets, weights bool }

// network is a perceptron, perhaps behind a base, with the variables that it shares with its other copies in a session.
type network struct {
	base      *base // nil where there is none
	mlp       train.MLP
	loss      train.Loss
	optimizer train.Optimizer
	weights   []train.Weight // the base's, then the perceptron's
	slots     []train.SlotVariable
	scope     string // starts the shared names of the variables
}

// writer writes a copy of the network for one kind of data set.
type writer struct {
	ops
	*network
	kind      kind
	data      []graph.Ref          // handles
	handles   map[string]graph.Ref // of the variables, by name
	reads     map[string]graph.Ref // of those that are not trainable
	variables []updated            // the trainable ones, without gradients
	head      []updated            // the perceptron's among them
	rows      graph.Ref            // float32
	x, y, w   graph.Ref            // the batch
	seed      graph.Ref
	updates   []graph.Ref // control inputs of the step: what the base moves
}

// variables returns a graph of the variables alone, with the values that they start with.
func (n *network) variables() (*graph.Graph, error) {
	b := graph.NewBuilder()
	for _, w := range n.weights {
		b.Variable(n.scope+w.Name, w.Value)
	}
	for _, s := range n.slots {
		t, err := tensor.New(tensor.Float32, s.Shape...)
		if err != nil {
			return nil, err
		}
		values, err := tensor.Data[float32](t)
		if err != nil {
			return nil, err
		}
		start := n.optimizer.InitialSlot(n.optimizer.Slots()[s.Slot])
		for i := range values {
			values[i] = start
		}
		b.Variable(n.scope+s.Name, t)
	}
	if n.base != nil {
		for _, v := range n.base.constants {
			b.Variable(n.scope+v.name, v.value)
		}
	}
	return b.Finish()
}

// write returns the graph that evaluates and, where there are targets, trains.
func (n *network) write(k kind) (*tfproto.GraphDef, error) {
	w := &writer{ops: ops{graph.NewBuilder()}, network: n, kind: k, handles: map[string]graph.Ref{}, reads: map[string]graph.Ref{}}
	w.batch()
	w.read()
	if err := w.evaluation(); err != nil {
		return nil, err
	}
	if k.targets {
		if err := w.training(); err != nil {
			return nil, err
		}
	}
	w.Op("NoOp", nodeFree, w.destroyers(), nil)
	g, err := w.Finish()
	if err != nil {
		return nil, err
	}
	return g.Def, nil
}

// shared adds the handle of a variable.
func (w *writer) shared(node, name string, d tensor.DType, shape tensor.Shape) graph.Ref {
	return w.Op("VarHandleOp", node, nil, graph.Attrs{"dtype": d, "shape": shape, "shared_name": name, "container": ""})
}

// datum adds a variable of the data set with a placeholder that it is set from. Its shared name is the node's; each copy of
// the network in a session gives it its own.
func (w *writer) datum(node string, d tensor.DType, shape tensor.Shape) graph.Ref {
	h := w.shared(node, node, d, shape)
	w.data = append(w.data, h)
	value, assign := setter(node)
	in := w.Placeholder(value, d, shape)
	w.Op("AssignVariableOp", assign, []graph.Ref{h, in}, graph.Attrs{"dtype": d})
	return h
}

func (w *writer) destroyers() []graph.Ref {
	var after []graph.Ref
	for _, h := range w.data {
		after = append(after, "^"+w.Op("DestroyResourceOp", "data/destroy", []graph.Ref{h}, graph.Attrs{"ignore_lookup_error": true}))
	}
	return after
}

// batch gathers the samples of a batch.
func (w *writer) batch() {
	index := w.Placeholder(nodeIndex, tensor.Int32, tensor.Shape{-1})
	gather := func(node string, d tensor.DType, rest ...int) graph.Ref {
		h := w.datum(node, d, append(tensor.Shape{-1}, rest...))
		return w.Op("ResourceGather", "batch", []graph.Ref{h, index}, graph.Attrs{"dtype": d, "Tindices": tensor.Int32, "validate_indices": true})
	}
	w.rows = w.Op("Cast", "rows", []graph.Ref{w.Op("Size", "size", []graph.Ref{index}, graph.Attrs{"T": tensor.Int32, "out_type": tensor.Int32})},
		graph.Attrs{"SrcT": tensor.Int32, "DstT": tensor.Float32})
	d := tensor.Float32
	if w.kind.bytes {
		d = tensor.Uint8
	}
	if w.base != nil {
		w.x = w.Placeholder(nodeSamples, d, append(tensor.Shape{-1}, w.base.sample...))
	} else {
		w.x = gather(nodeX, d, w.mlp.Inputs)
	}
	if w.kind.bytes {
		scale := w.Op("ReadVariableOp", "scale", []graph.Ref{w.datum(nodeScale, tensor.Float32, tensor.Shape{})}, graph.Attrs{"dtype": tensor.Float32})
		w.x = w.mul(w.Op("Cast", "features", []graph.Ref{w.x}, graph.Attrs{"SrcT": d, "DstT": tensor.Float32}), scale)
	}
	switch {
	case !w.kind.targets:
		return
	case w.loss.Sparse():
		w.y = gather(nodeY, tensor.Int32)
	default:
		w.y = gather(nodeY, tensor.Float32, w.mlp.Outputs)
	}
	if w.kind.weights {
		w.w = gather(nodeWeights, tensor.Float32)
	}
}

// read reads the weights.
func (w *writer) read() {
	for _, v := range w.weights {
		h := w.shared(v.Name, w.scope+v.Name, tensor.Float32, v.Value.Shape())
		w.handles[v.Name] = h
		if v.Trainable {
			w.variables = append(w.variables, updated{handle: h, value: w.value(h)})
		}
	}
	w.head = w.variables[len(w.variables)-2*(len(w.mlp.Hidden)+1):]
}

func (w *writer) value(handle graph.Ref) graph.Ref {
	return w.Op("ReadVariableOp", string(handle)+"/read", []graph.Ref{handle}, graph.Attrs{"dtype": tensor.Float32})
}

// forward writes the perceptron's layers; where seed is not "", with dropout. It returns the predictions, and what the last
// activation took.
func (w *writer) forward(x, seed graph.Ref) (y, logits graph.Ref, err error) {
	for i := 0; i < len(w.head); i += 2 {
		logits = w.f("BiasAdd", w.f("MatMul", x, w.head[i].value), w.head[i+1].value)
		last := i+2 == len(w.head)
		name := w.mlp.Activation
		if last {
			name = w.mlp.OutputActivation
		}
		if x, err = w.activate(name, logits); err != nil {
			return "", "", err
		}
		if seed != "" && !last {
			x = w.dropout(x, seed, i/2)
		}
	}
	return x, logits, nil
}

// batchLoss writes the loss. A cross-entropy of probabilities that a softmax or sigmoid computes is taken from what that took,
// as Keras does: small gradients keep their digits.
func (w *writer) batchLoss(p, logits graph.Ref) sampleLoss {
	l := w.loss
	fused := w.mlp.OutputActivation == "softmax" && (l.Sparse() || l.Name == train.CategoricalCrossentropy) ||
		w.mlp.OutputActivation == "sigmoid" && l.Name == train.BinaryCrossentropy
	if fused && !l.FromLogits {
		l.FromLogits, p = true, logits
	}
	return w.losses(l, w.y, p, w.mlp.Outputs)
}

// dropout zeroes a share of the elements and scales the others. The numbers are Philox's, of the seed and the layer.
func (w *writer) dropout(x, seed graph.Ref, layer int) graph.Ref {
	offset := w.Const("layer", tensor.Must(tensor.Of([]int64{int64(layer), 0})))
	own := w.Op("AddV2", "layer_seed", []graph.Ref{seed, offset}, graph.Attrs{"T": tensor.Int64})
	shape := w.Op("Shape", "shape", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32, "out_type": tensor.Int32})
	uniform := w.Op("StatelessRandomUniform", "uniform", []graph.Ref{shape, own}, graph.Attrs{"dtype": tensor.Float32, "T": tensor.Int32, "Tseed": tensor.Int64})
	keep := w.Op("Cast", "keep", []graph.Ref{w.f("GreaterEqual", uniform, w.scalar(w.mlp.Dropout))}, graph.Attrs{"SrcT": tensor.Bool, "DstT": tensor.Float32})
	return w.mul(x, w.scale(keep, 1/(1-w.mlp.Dropout)))
}

// named gives a tensor the name that it is fetched by.
func (w *writer) named(name string, x graph.Ref) {
	w.Op("Identity", name, []graph.Ref{x}, graph.Attrs{"T": tensor.Float32})
}

func (w *writer) evaluation() error {
	x, err := w.features(false)
	if err != nil {
		return err
	}
	p, logits, err := w.forward(x, "")
	if err != nil {
		return err
	}
	w.named(nodePredictions, p)
	if w.kind.targets {
		each := w.batchLoss(p, logits).each
		w.named(nodeLoss, w.total(each, w.penalty()))
	}
	return nil
}

// penalty returns L1·Σ|w| + L2·Σw² over the kernels; "" where both are 0.
func (w *writer) penalty() graph.Ref {
	var terms []graph.Ref
	for i := 0; i < len(w.head); i += 2 {
		v := w.head[i].value
		if w.mlp.L1 > 0 {
			terms = append(terms, w.scale(w.sum(w.f("Abs", v), false, 0, 1), w.mlp.L1))
		}
		if w.mlp.L2 > 0 {
			terms = append(terms, w.scale(w.sum(w.f("Square", v), false, 0, 1), w.mlp.L2))
		}
	}
	if terms == nil {
		return ""
	}
	return w.Op("AddN", "penalty", terms, graph.Attrs{"T": tensor.Float32, "N": len(terms)})
}

// total is the batch's loss: Σ weight·loss / samples, and the penalty.
func (w *writer) total(each, penalty graph.Ref) graph.Ref {
	if w.w != "" {
		each = w.mul(each, w.w)
	}
	loss := w.div(w.sum(each, false, 0), w.rows)
	if penalty != "" {
		loss = w.add(loss, penalty)
	}
	return loss
}

// training writes a step: the forward pass with dropout, the gradients, and the optimizer's update of every variable.
func (w *writer) training() error {
	dropout := w.mlp.Dropout > 0 && len(w.mlp.Hidden) > 0
	if dropout || w.base.random() {
		w.seed = w.Placeholder(nodeSeed, tensor.Int64, tensor.Shape{2})
	}
	x, err := w.features(true)
	if err != nil {
		return err
	}
	seed := graph.Ref("")
	if dropout {
		seed = w.seed
	}
	p, logits, err := w.forward(x, seed)
	if err != nil {
		return err
	}
	w.named(nodeTrained, p)
	l, penalty := w.batchLoss(p, logits), w.penalty()
	total := w.total(l.each, penalty)
	w.named(nodeTrainLoss, total)
	gradients, err := w.gradients(l, total, penalty)
	if err != nil {
		return err
	}
	w.clipGradients(w.optimizer, gradients)
	w.attachSlots()
	fed := w.Placeholder(nodeCoefficients, tensor.Float32, tensor.Shape{3})
	parts := w.Op("Unpack", "rates", []graph.Ref{fed}, graph.Attrs{"T": tensor.Float32, "num": 3, "axis": 0})
	r := rates{parts, parts.Output(1), parts.Output(2)}
	done := w.updates
	for i, v := range w.variables {
		v.gradient = gradients[i]
		for _, op := range w.update(w.optimizer, r, v) {
			done = append(done, "^"+op)
		}
	}
	w.Op("NoOp", nodeStep, done, nil)
	return w.Err()
}

// gradients returns the derivatives of the batch's loss by the weights.
func (w *writer) gradients(l sampleLoss, total, penalty graph.Ref) ([]graph.Ref, error) {
	var x []graph.Ref
	for _, v := range w.variables {
		x = append(x, v.value)
	}
	y, dy := []graph.Ref{total}, []graph.Ref{w.scalar(1)}
	if l.slope != "" {
		share := w.div(w.scalar(1), w.rows)
		if w.w != "" {
			column := w.Op("ExpandDims", "column", []graph.Ref{w.w, w.Int("axis", 1)}, graph.Attrs{"T": tensor.Float32, "Tdim": tensor.Int32})
			share = w.mul(column, share)
		}
		y, dy = []graph.Ref{l.at}, []graph.Ref{w.mul(l.slope, share)}
		if penalty != "" {
			y, dy = append(y, penalty), append(dy, w.scalar(1))
		}
	}
	g, err := addGradients(w.Builder, y, x, dy)
	if err != nil {
		return nil, fmt.Errorf("the network's gradients: %w", err)
	}
	return g, nil
}

// attachSlots adds the optimizer's state to the variables.
func (w *writer) attachSlots() {
	count := len(w.optimizer.Slots())
	for i := range w.variables {
		w.variables[i].slots, w.variables[i].slotValues = make([]graph.Ref, count), make([]graph.Ref, count)
	}
	for _, s := range w.slots {
		h := w.shared(s.Name, w.scope+s.Name, tensor.Float32, s.Shape)
		v := &w.variables[s.Variable]
		v.slots[s.Slot], v.slotValues[s.Slot] = h, w.value(h)
	}
}
