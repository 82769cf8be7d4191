//go:build cgo

package tfbridge

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

func newFineTuned(b Base, m train.MLP, l train.Loss, o train.Optimizer, seed uint64, opts Options, head []train.Weight) (train.Trainable, error) {
	base, err := newBase(b, m.Inputs)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	for _, h := range head {
		if slices.ContainsFunc(base.weights, func(w train.Weight) bool { return w.Name == h.Name }) {
			return nil, fmt.Errorf("%w: base: the variable %s has the name of a weight of the head", train.ErrOption, h.Name)
		}
	}
	return newTrainable(base, m, l, o, seed, opts, append(base.weights, head...))
}

// base is a Base that was looked at: what is written into each graph of the network.
type base struct {
	sample    tensor.Shape // the input's shape, without the samples
	weights   []train.Weight
	constants []named // variables of other types
	inference part
	training  part
	updates   []string
	seed      string
}

type named struct {
	name  string
	value *tensor.Tensor
}

// random reports whether steps depend on a seed.
func (b *base) random() bool { return b != nil && b.seed != "" }

// part is one of a base's graphs: what it consists of, from the input on to the features.
type part struct {
	nodes       []*tfproto.NodeDef
	library     *tfproto.FunctionDefLibrary
	in          string // node of the input
	out         string // tensor of the features
	isSeed      string
	isVariables map[string]bool
}

// newBase checks a base, and rewrites it for differentiation.
func newBase(b Base, width int) (*base, error) {
	if b.Inference == nil {
		return nil, fmt.Errorf("%w: there is no inference graph", train.ErrOption)
	}
	r := &base{updates: b.Updates, seed: b.Seed}
	var err error
	if r.inference, err = newPart(b.Inference, width, nil); err != nil {
		return nil, fmt.Errorf("inference graph: %w", err)
	}
	training := b.Training
	if training == nil {
		training = b.Inference
	}
	roots := b.Updates
	if b.Seed != "" {
		roots = append(slices.Clone(roots), b.Seed)
	}
	if r.training, err = newPart(training, width, roots); err != nil {
		return nil, fmt.Errorf("training graph: %w", err)
	}
	r.sample = b.Inference.Signatures[0].Inputs[0].Shape[1:]
	r.training.isSeed = b.Seed
	return r, r.variables(b, training)
}

// newPart takes what a graph's features, and further nodes, depend on.
func newPart(g *graph.Graph, width int, roots []string) (part, error) {
	var p part
	if g.Def == nil || len(g.Signatures) != 1 || len(g.Signatures[0].Inputs) != 1 || len(g.Signatures[0].Outputs) != 1 {
		return p, fmt.Errorf("%w: one signature with one input and one output is needed", train.ErrOption)
	}
	if g.Init.Op != "" {
		return p, fmt.Errorf("%w: tables are filled by %s, which a training step cannot do", graph.ErrUnsupported, g.Init.Op)
	}
	in, out := g.Signatures[0].Inputs[0], g.Signatures[0].Outputs[0]
	if in.DType != tensor.Float32 || len(in.Shape) < 2 || out.DType != tensor.Float32 || !compatible(out.Shape, tensor.Shape{-1, width}) {
		return p, fmt.Errorf("%w: it maps %v %v to %v %v; float32 samples and float32 [-1,%d], the inputs of the head, are needed", train.ErrOption,
			in.DType, in.Shape, out.DType, out.Shape, width)
	}
	g, err := graph.Inline(g)
	if err == nil {
		g, err = graph.Prune(g, append([]string{in.Tensor, out.Tensor}, roots...)...)
	}
	if err == nil {
		g, err = graph.Differentiable(g)
	}
	if err != nil {
		return p, err
	}
	p.nodes, p.library, p.out = g.Def.GetNode(), g.Def.GetLibrary(), g.Signatures[0].Outputs[0].Tensor
	p.in = nodeOf(in.Tensor)
	p.isVariables = map[string]bool{}
	for _, n := range p.nodes {
		switch {
		case n.GetName() == p.in && n.GetOp() != "Placeholder" && n.GetOp() != "PlaceholderWithDefault":
			return p, fmt.Errorf("%w: the input %s is no placeholder", train.ErrOption, in.Tensor)
		case n.GetOp() == "VariableV2" || n.GetOp() == "Variable":
			return p, fmt.Errorf("%w: %s is a variable of TensorFlow 1: freeze and thaw the graph", graph.ErrUnsupported, n.GetName())
		case n.GetOp() == "VarHandleOp":
			p.isVariables[n.GetName()] = true
		}
	}
	return p, nil
}

// variables collects the variables that the graphs use, with their values.
func (b *base) variables(from Base, training *graph.Graph) error {
	values := maps.Clone(b.inference.isVariables)
	maps.Copy(values, b.training.isVariables)
	value := func(name string) (*tensor.Tensor, error) {
		for _, g := range []*graph.Graph{from.Inference, training} {
			if v := g.Variables[name]; v != nil {
				return v, nil
			}
		}
		return nil, fmt.Errorf("%w: the variable %s has no value", train.ErrOption, name)
	}
	for _, name := range from.Trainable {
		if !b.training.isVariables[name] {
			return fmt.Errorf("%w: trainable %q is no variable that the features depend on", train.ErrOption, name)
		}
		if !values[name] {
			return fmt.Errorf("%w: trainable %q is named twice", train.ErrOption, name)
		}
		delete(values, name)
		v, err := value(name)
		if err != nil {
			return err
		}
		if v.DType() != tensor.Float32 {
			return fmt.Errorf("%w: trainable %q is %v, not float32", train.ErrOption, name, v.DType())
		}
		b.weights = append(b.weights, train.Weight{Name: name, Trainable: true, Value: v})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, err := value(name)
		if err != nil {
			return err
		}
		if v.DType() == tensor.Float32 {
			b.weights = append(b.weights, train.Weight{Name: name, Value: v})
		} else {
			b.constants = append(b.constants, named{name, v})
		}
	}
	return nil
}

// features writes the base, and returns what the perceptron takes.
func (w *writer) features(training bool) (graph.Ref, error) {
	switch {
	case w.base == nil:
		return w.x, nil
	case training:
		e, err := w.embed("training", w.base.training)
		for _, u := range w.base.updates {
			w.updates = append(w.updates, graph.Ref(e.input("^"+nodeOf(u))))
		}
		return graph.Ref(e.input(w.base.training.out)), err
	default:
		e, err := w.embed("inference", w.base.inference)
		return graph.Ref(e.input(w.base.inference.out)), err
	}
}

// embedding is a graph being written into another under a prefix.
type embedding struct {
	prefix   string
	replaced map[string]graph.Ref // nodes that something else stands for
}

// input translates a reference to a node's output, or a control dependency.
func (e embedding) input(ref string) string {
	node := nodeOf(ref)
	to, ok := e.replaced[node]
	switch {
	case strings.HasPrefix(ref, "^") && ok:
		return "^" + nodeOf(string(to))
	case strings.HasPrefix(ref, "^"):
		return "^" + e.prefix + node
	case ok:
		return string(to)
	default:
		return e.prefix + ref
	}
}

// embed writes one of the base's graphs. Its variables are the network's, each of which is read once.
func (w *writer) embed(name string, p part) (embedding, error) {
	e := embedding{prefix: w.Name(name) + "/", replaced: map[string]graph.Ref{p.in: w.x}}
	if p.isSeed != "" {
		e.replaced[p.isSeed] = w.seed
	}
	for _, v := range w.base.constants {
		if w.handles[v.name] == "" {
			w.handles[v.name] = w.shared(v.name, w.scope+v.name, v.value.DType(), v.value.Shape())
		}
	}
	for v := range p.isVariables {
		e.replaced[v] = w.handles[v]
	}
	for _, n := range p.nodes {
		if n.GetOp() == "ReadVariableOp" && p.isVariables[nodeOf(n.GetInput()[0])] && graph.DTypeOf(n.GetAttr()["dtype"].GetType()) == tensor.Float32 {
			e.replaced[n.GetName()] = w.valueOf(nodeOf(n.GetInput()[0]))
		}
	}
	g, err := w.Finish() // the builder's own: it goes on from here
	if err != nil {
		return e, err
	}
	for _, n := range p.nodes {
		if _, ok := e.replaced[n.GetName()]; ok {
			continue
		}
		c := proto.CloneOf(n)
		c.Name = e.prefix + n.GetName()
		for i, in := range n.GetInput() {
			c.Input[i] = e.input(in)
		}
		delete(c.Attr, "_class")
		g.Def.Node = append(g.Def.Node, c)
	}
	addFunctions(g.Def, p.library)
	return e, nil
}

// valueOf returns what was read of a variable.
func (w *writer) valueOf(name string) graph.Ref {
	h := w.handles[name]
	for _, v := range w.variables {
		if v.handle == h {
			return v.value
		}
	}
	if w.reads[name] == "" {
		w.reads[name] = w.value(h)
	}
	return w.reads[name]
}

// addFunctions adds the functions of a library that a graph does not have yet.
func addFunctions(def *tfproto.GraphDef, library *tfproto.FunctionDefLibrary) {
	for _, f := range library.GetFunction() {
		same := func(g *tfproto.FunctionDef) bool { return g.GetSignature().GetName() == f.GetSignature().GetName() }
		if !slices.ContainsFunc(def.GetLibrary().GetFunction(), same) {
			def.Library = &tfproto.FunctionDefLibrary{Function: append(def.GetLibrary().GetFunction(), f)}
		}
	}
}
