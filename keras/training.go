package keras

import (
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// TrainingOptions say which part of a model is trained, and how.
type TrainingOptions struct {
	// Features is what the base ends in: the name of a layer, or a tensor of [Model.Graph] that is a layer's output
	// ("out_relu/Relu6:0"). Empty: the model's output.
	Features string
	// Trainable says which layers' weights steps may change; nil for all. It is asked about every layer that is no model itself,
	// those of nested models too; a wrapper's answer holds for what it wraps. Weights that are frozen in the file stay so.
	Trainable func(l *Layer) bool
	// BatchStatistics runs the BatchNormalization layers that are trainable in training mode: they normalize by the batch and
	// move their statistics. Otherwise all of them use their moving statistics, as Keras's guide to transfer learning has it
	// (the base called with training=False); gamma and beta are trained either way.
	BatchStatistics bool
}

// TrainingBase is the part of a model in front of its head, as graphs to train through.
// It has the fields of tfbridge.Base and converts to it: tfbridge.Base(*b).
type TrainingBase struct {
	// Inference and Training compute features, float32 [n, width], of images: one signature with one input and one output.
	// Features that are spatial, [n, height, width, channels], are averaged over the image (global average pooling), others of a
	// rank above 2 flattened. Training has real dropout and noise. Both have the same variables.
	Inference, Training *graph.Graph
	Updates             []string // nodes of Training that a step runs too: they move statistics
	Seed                string   // a placeholder of Training, int64 [2], that dropout and noise depend on; "" where there are none
	Trainable           []string // the variables that steps change, by name
}

// TrainingBase returns the model up to its features as graphs to train through. The model needs its weights, one input, and
// float32 variables where they are trainable. Layers that augment images at random do nothing, as in [Model.Graph].
func (m *Model) TrainingBase(o TrainingOptions) (b *TrainingBase, err error) {
	defer catch(&err)
	if len(m.Inputs) != 1 {
		fail(ErrUnsupported, "the model has %d inputs, a base to train through has one", len(m.Inputs))
	}
	w := newWalk()
	in := w.placeholders(m)
	out := w.model(m, in, "")
	end := w.end(o.Features, out)
	b = &TrainingBase{Inference: pruned(w.base(m, in[0], end.of(w, out)))}

	w = newWalk()
	w.training = newTrainingPass(w.b, m, o)
	in = w.placeholders(m)
	out = w.model(m, in, "")
	features := end.of(w, out)
	w.assign()
	g := w.base(m, in[0], features)
	nodes := map[string]bool{} // that the features need
	for _, n := range pruned(g).Def.GetNode() {
		nodes[n.GetName()] = true
	}
	b.Updates, b.Trainable = w.updates(nodes), w.trainable(m, nodes)
	roots := b.Updates
	if nodes[trainingSeed] {
		b.Seed, roots = trainingSeed, append(slices.Clone(roots), trainingSeed)
	}
	b.Training = pruned(g, roots...)
	return b, nil
}

// base ends a graph in features [n, width].
func (w *walk) base(m *Model, in, x Value) *graph.Graph {
	e := emitter{w.b, "features"}
	if x.DType != tensor.Float32 || x.rank() < 2 {
		fail(ErrUnsupported, "features are %v %v, not float32 of a batch", x.DType, x.Shape)
	}
	switch x.rank() {
	case 2:
	case 4:
		x = e.reduce("Mean", x, false, 1, 2)
	default:
		width := product(x.Shape[1:]...)
		if width < 0 {
			fail(ErrUnsupported, "features have the shape %v, of unknown size", x.Shape)
		}
		x = e.reshape(x, dim{n: -1}, dim{n: width})
	}
	x = e.unary("Identity", x)
	g, err := w.finish(graph.Signature{Name: graph.DefaultSignature, Method: "tensorflow/serving/predict",
		Inputs:  []graph.Port{{Name: m.Inputs[0].Name, DType: in.DType, Shape: in.Shape, Tensor: in.Ref.Tensor()}},
		Outputs: []graph.Port{{Name: "features", DType: x.DType, Shape: x.Shape, Tensor: x.Ref.Tensor()}}})
	check(err)
	g.Source = m.graphSource()
	return g
}

// pruned returns what a graph's signature and further nodes need.
func pruned(g *graph.Graph, roots ...string) *graph.Graph {
	s := g.Signatures[0]
	r, err := graph.Prune(g, append([]string{s.Inputs[0].Tensor, s.Outputs[0].Tensor}, roots...)...)
	check(err)
	return r
}

// called is a call of a layer that a walk has made.
type called struct {
	layer *Layer
	out   []Value
}

// end says where a tensor is, in every walk over a model: it is an output of one of the calls; of the model, where call is -1.
type end struct{ call, output int }

func (n end) of(w *walk, out []Value) Value {
	if n.call < 0 {
		return out[n.output]
	}
	return w.called[n.call].out[n.output]
}

// end finds the features: the last call of a layer by its name or path, or a tensor by its name.
func (w *walk) end(features string, out []Value) end {
	for i, v := range out {
		if features == "" && len(out) == 1 || v.Ref.Tensor() == features {
			return end{-1, i}
		}
	}
	if features == "" {
		fail(ErrUnsupported, "the model has %d outputs; name the layer whose output the features are", len(out))
	}
	for i, c := range slices.Backward(w.called) {
		if _, path, _ := strings.Cut(c.layer.path, "/"); len(c.out) == 1 && (c.layer.Name == features || path == features) {
			return end{i, 0}
		}
	}
	for i, c := range w.called {
		for k, v := range c.out {
			if v.Ref.Tensor() == features {
				return end{i, k}
			}
		}
	}
	fail(ErrUnsupported, "features %q: no layer with one output between the model's ends has this name, and no layer's output is this tensor", features)
	return end{}
}

// trainingSeed is the placeholder of a training graph's seed.
const trainingSeed = "training/seed"

// trainingPass is what a walk knows beside where it makes the graph of a training step.
type trainingPass struct {
	seed    Value // int64 [2]
	random  int   // how many layers have used it
	trained map[*Layer]bool
	batch   bool // normalize by the batch
	moved   map[*Variable]statistic
	order   []*Variable // of moved
}

// statistic is what a variable becomes in a step, and by which ops.
type statistic struct {
	value  Value
	by     []graph.Ref
	assign graph.Ref
}

func newTrainingPass(b *graph.Builder, m *Model, o TrainingOptions) *trainingPass {
	seed := b.Placeholder(trainingSeed, tensor.Int64, tensor.Shape{2})
	p := &trainingPass{seed: Value{Ref: seed, DType: tensor.Int64, Shape: tensor.Shape{2}}, batch: o.BatchStatistics,
		trained: map[*Layer]bool{}, moved: map[*Variable]statistic{}}
	p.mark(m.Layers, o.Trainable)
	return p
}

// mark notes the layers that are trained, with those that they hold.
func (p *trainingPass) mark(layers []*Layer, trainable func(*Layer) bool) {
	for _, l := range layers {
		switch {
		case l.Model != nil:
			p.mark(l.Model.Layers, trainable)
		case trainable == nil || trainable(l):
			p.trained[l] = true
			p.mark(l.sublayers, nil)
		}
	}
}

// normalizesBatch reports whether a layer uses the statistics of the batch, as Keras's BatchNormalization.call decides.
func (p *trainingPass) normalizesBatch(l *Layer) bool {
	return p != nil && p.batch && p.trained[l] && l.trainable
}

// move makes a statistic an average of itself and the batch's value: momentum·old + (1-momentum)·value. A layer that is called
// again goes on from there.
func (c *Call) move(name string, old, value Value, momentum float64, by graph.Ref) {
	p := c.walk.training
	i := slices.IndexFunc(c.Layer.variables, func(v *Variable) bool { return v.Name == name })
	v := c.Layer.variables[i]
	s, again := p.moved[v]
	if again {
		old = s.value
	} else {
		p.order = append(p.order, v)
	}
	s.value, s.by = c.add(c.scale(old, momentum), c.scale(value, 1-momentum)), append(s.by, by)
	p.moved[v] = s
}

// assign writes the statistics' new values into their variables.
func (w *walk) assign() {
	for _, v := range w.training.order {
		s := w.training.moved[v]
		value := (&emitter{b: w.b}).cast(s.value, v.DType)
		s.assign = w.b.Op("AssignVariableOp", nodeName(v.Path)+"/assign", []graph.Ref{w.handles[v], value.Ref}, graph.Attrs{"dtype": v.DType})
		w.training.moved[v] = s
	}
	check(w.b.Err())
}

// updates returns the assignments of statistics by what the features need.
func (w *walk) updates(nodes map[string]bool) []string {
	var list []string
	for _, v := range w.training.order {
		s := w.training.moved[v]
		if slices.ContainsFunc(s.by, func(r graph.Ref) bool { return nodes[string(r)] }) {
			list = append(list, string(s.assign))
		}
	}
	return list
}

// trainable returns the variables that steps change, in the order of get_weights.
func (w *walk) trainable(m *Model, nodes map[string]bool) []string {
	var list []string
	for _, v := range m.Variables() {
		name := string(w.handles[v])
		if !v.Trainable || !w.training.trained[v.layer] || !nodes[name] || slices.Contains(list, name) {
			continue
		}
		if v.DType != tensor.Float32 {
			fail(ErrUnsupported, "weight %s is %v; float32 can be trained", v.Path, v.DType)
		}
		list = append(list, name)
	}
	return list
}
