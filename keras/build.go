package keras

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// buildFunc adds a layer's call to the graph and returns its outputs.
type buildFunc func(c *Call) []Value

// class is what this package knows of a Keras class.
type class struct {
	call buildFunc
	// passesMask says that the output has the mask of the input.
	passesMask bool
	// ownMask says that the function sets the masks of its outputs.
	ownMask bool
	// keepsTypes says that inputs are not cast to the layer's compute type.
	keepsTypes bool
}

// classes holds every class by name; the files of layer families fill it.
var classes = map[string]class{}

func register(c class, names ...string) {
	for _, n := range names {
		classes[n] = c
	}
}

var (
	customMutex sync.RWMutex
	custom      = map[string]class{}
)

// Register supplies a class that Keras does not have, or replaces one that it has: call adds the layer's computation to
// the graph. The weights that it asks for by [Call.Weight] are read from files in that order. The name is the
// class_name of the configuration ("MyLayer"), with or without the package of registered_name ("my_package>MyLayer").
// For Lambda layers, the name "Lambda:name" supplies the layer of that name.
func Register(name string, call func(c *Call) ([]Value, error)) {
	customMutex.Lock()
	defer customMutex.Unlock()
	custom[name] = class{passesMask: true, call: func(c *Call) []Value {
		out, err := call(c)
		check(err)
		return out
	}}
}

// classOf finds a layer's class. Keras has layers and operations of one name (Add); which one is meant, the module says, or,
// in HDF5 files, which have none, the configuration: an operation cannot be trained.
func classOf(l *Layer) (class, bool) {
	operation := l.isOperation()
	customMutex.RLock()
	defer customMutex.RUnlock()
	names := []string{l.Class, l.Class + ":" + l.Name}
	if _, short, ok := strings.Cut(l.Class, ">"); ok {
		names = append(names, short)
	}
	for _, n := range names {
		if c, ok := custom[n]; ok {
			return c, true
		}
	}
	if operation {
		names = []string{"keras.ops>" + l.Class}
	} else {
		names = append(names, "keras.layers>"+l.Class, "keras.ops>"+l.Class)
	}
	for _, n := range names {
		if c, ok := classes[n]; ok {
			return c, true
		}
	}
	return class{}, false
}

// walk is one pass over a model that adds its layers to a graph. The first pass records the variables and shapes; later
// ones have the variables' values.
type walk struct {
	b        *graph.Builder
	values   bool
	read     map[*Variable]graph.Ref
	handles  map[*Variable]graph.Ref // where values are known
	called   []called
	training *trainingPass // nil for inference
	init     []graph.Ref
	loops    []loop
	path     []string // the layers being called, for messages
}

// newWalk starts a pass with the variables' values.
func newWalk() *walk {
	return &walk{b: graph.NewBuilder(), values: true, read: map[*Variable]graph.Ref{}, handles: map[*Variable]graph.Ref{}}
}

// Call is one call of a layer: what it is called with, and the graph to which it adds its computation.
type Call struct {
	emitter
	// Layer is the layer that is called.
	Layer *Layer
	// Inputs are the tensors of the first argument, in order.
	Inputs []Value
	// Args and Kwargs are all arguments; tensors are of type Value.
	Args   []any
	Kwargs map[string]any

	policy policy
	walk   *walk
}

// config returns the layer's configuration.
func (c *Call) config() Config { return c.Layer.Config }

// x returns the only input.
func (c *Call) x() Value {
	if len(c.Inputs) != 1 {
		fail(ErrUnsupported, "called with %d inputs, one is needed", len(c.Inputs))
	}
	return c.Inputs[0]
}

// Op adds a TensorFlow op; the result has the element type and shape that are given (-1 for an unknown dimension).
func (c *Call) Op(op string, inputs []Value, attrs graph.Attrs, d tensor.DType, shape tensor.Shape) Value {
	return c.op(op, inputs, attrs, d, shape)
}

// Constant adds a constant.
func (c *Call) Constant(t *tensor.Tensor) Value { return c.constant(t) }

// Weight returns a weight of the layer, in the type in which the layer computes. The first pass over a model makes a list
// of the weights, in the order in which they are asked for.
func (c *Call) Weight(name string, shape tensor.Shape, trainable bool) Value {
	return c.cast(c.variable(name, shape, c.policy.variable, trainable), c.policy.compute)
}

// variable returns a weight in its own type.
func (c *Call) variable(name string, shape tensor.Shape, d tensor.DType, trainable bool) Value {
	v := c.Layer.variable(name, shape, d, trainable)
	ref, ok := c.walk.read[v]
	if !ok {
		if c.walk.values {
			if v.Value == nil {
				fail(ErrWeights, "weight %s has no value", v.Path)
			}
			c.walk.handles[v] = c.walk.b.Variable(nodeName(v.Path), v.Value)
			ref = c.walk.b.Read(c.walk.handles[v])
		} else {
			ref = c.walk.b.Placeholder(nodeName(v.Path), d, shape)
		}
		check(c.walk.b.Err())
		c.walk.read[v] = ref
	}
	return Value{Ref: ref, DType: d, Shape: shape}
}

// variable finds or records a weight.
func (l *Layer) variable(name string, shape tensor.Shape, d tensor.DType, trainable bool) *Variable {
	for _, v := range l.variables {
		if v.Name == name {
			if !slices.Equal(v.Shape, shape) {
				fail(ErrWeights, "weight %s has shape %v, the layer needs %v", v.Path, v.Shape, shape)
			}
			return v
		}
	}
	if product(shape...) < 0 {
		fail(ErrUnsupported, "the shape %v of weight %s is not known", shape, name)
	}
	_, path, _ := strings.Cut(l.path+"/"+name, "/")
	v := &Variable{Name: name, Path: path, Shape: slices.Clone(shape), DType: d, Trainable: trainable && l.trainable, layer: l, learned: trainable}
	l.variables = append(l.variables, v)
	return v
}

// nodeName makes a name that TensorFlow accepts: [A-Za-z0-9.][A-Za-z0-9_.\\/>-]*.
func nodeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-", r) {
			return r
		}
		return '_'
	}, s)
	if s == "" || strings.ContainsRune("_/-", rune(s[0])) {
		s = "x" + s
	}
	return s
}

// builderOf finds the function of a layer's class; unknown classes fail when they are called.
func builderOf(l *Layer) buildFunc {
	return func(c *Call) []Value {
		k, ok := classOf(l)
		if !ok {
			unknownClass(l)
		}
		c.policy = l.Config.policy()
		if c.policy.compute == tensor.String || !floating(c.policy.compute) {
			c.policy.compute = tensor.Float32
		}
		if !floating(c.policy.variable) {
			c.policy.variable = tensor.Float32
		}
		if c.walk.training != nil && (c.config().Float("dropout", 0) > 0 || c.config().Float("recurrent_dropout", 0) > 0) {
			fail(ErrUnsupported, "dropout inside the layer, in a training step; set it to 0")
		}
		if !k.keepsTypes {
			c.castInputs()
		}
		var mask *Value
		switch {
		case len(c.Inputs) > 0:
			mask = c.Inputs[0].Mask
		case !l.isOperation() && !strings.HasSuffix(l.Class, "OpLambda"):
			fail(ErrFormat, "called without a tensor")
		}
		if m, ok := c.Kwargs["mask"].(Value); ok {
			mask = &m
		}
		out := k.call(c)
		for i := range out {
			switch {
			case k.ownMask:
			case k.passesMask && mask != nil:
				out[i].Mask = mask
			default:
				out[i].Mask = nil
			}
		}
		return out
	}
}

// castInputs brings floating inputs to the type in which the layer computes (Keras's autocast).
func (c *Call) castInputs() {
	for i, v := range c.Inputs {
		if floating(v.DType) {
			c.Inputs[i] = c.cast(v, c.policy.compute)
		}
	}
	for k, a := range c.Kwargs {
		if v, ok := a.(Value); ok && floating(v.DType) {
			c.Kwargs[k] = c.cast(v, c.policy.compute)
		}
	}
}

func unknownClass(l *Layer) {
	if l.Class == "Lambda" {
		fail(ErrCustomObject, "a Lambda holds Python code, which is never run; keras.Register(\"Lambda:%s\", …) supplies the layer in Go", l.Name)
	}
	fail(ErrCustomObject, "class %q is not one of Keras's that this package knows; keras.Register(%q, …) supplies it", l.Class, l.Class)
}

// call calls a layer. The graph's nodes stand under scope, which grows with every layer that holds another.
func (w *walk) call(l *Layer, scope string, args []any, kwargs map[string]any) (out []Value) {
	w.path = append(w.path, l.Name+" ("+l.Class+")")
	if len(w.path) > 2*maxDepth {
		fail(ErrFormat, "layers nest deeper than %d", maxDepth)
	}
	defer func() {
		if r := recover(); r != nil {
			if f, ok := r.(failure); ok && len(w.path) > 0 {
				r = failure{fmt.Errorf("layer %s: %w", strings.Join(w.path, " / "), f.err)}
				w.path = nil
			}
			panic(r)
		}
		w.path = w.path[:len(w.path)-1]
	}()
	inputs := []Value{}
	if len(args) > 0 {
		inputs = values(args[0])
	} else if v, ok := kwargs["inputs"]; ok {
		inputs = values(v)
	}
	if l.Model != nil {
		out = w.model(l.Model, inputs, scope)
	} else {
		c := &Call{emitter: emitter{w.b, scope}, Layer: l, Inputs: inputs, Args: args, Kwargs: maps.Clone(kwargs), walk: w}
		if c.Kwargs == nil {
			c.Kwargs = map[string]any{}
		}
		out = builderOf(l)(c)
	}
	w.called = append(w.called, called{l, out})
	if l.OutputShapes == nil {
		for _, v := range out {
			l.OutputShapes = append(l.OutputShapes, v.Shape)
			l.outputTypes = append(l.outputTypes, v.DType)
		}
	}
	return out
}

// inner calls a layer that this one holds.
func (c *Call) inner(s *Layer, kwargs map[string]any, inputs ...Value) []Value {
	args := []any{inputs[0]}
	if len(inputs) > 1 {
		list := make([]any, len(inputs))
		for i, v := range inputs {
			list[i] = v
		}
		args = []any{list}
	}
	return c.walk.call(s, c.scope+"/"+nodeName(s.Name), args, kwargs)
}

// values lists the tensors of an argument, in order; dictionaries by key.
func values(v any) []Value {
	switch v := v.(type) {
	case Value:
		return []Value{v}
	case []any:
		out := []Value{}
		for _, x := range v {
			out = append(out, values(x)...)
		}
		return out
	case map[string]any:
		out := []Value{}
		for _, k := range sortedKeys(v) {
			out = append(out, values(v[k])...)
		}
		return out
	}
	return nil
}

// buildVariables makes the first pass: every layer's weights and output shapes become known.
func (m *Model) buildVariables() error {
	if err := m.trace(); err != nil {
		return err
	}
	return m.freeBatch()
}

// trace calls the model once, without values.
func (m *Model) trace() (err error) {
	defer catch(&err)
	w := &walk{b: graph.NewBuilder(), read: map[*Variable]graph.Ref{}}
	for i, v := range w.model(m, w.placeholders(m), "") {
		m.Outputs[i].Shape, m.Outputs[i].DType = v.Shape, v.DType
	}
	return nil
}

// freeBatch lets a model that was built on a batch of one size take others, as Keras does: a Sequential without an input layer
// has in its file the size of the first batch that it was trained on. Where a layer keeps states or needs the size, it stays.
func (m *Model) freeBatch() (err error) {
	defer catch(&err)
	fixed := slices.ContainsFunc(m.Inputs, func(e Endpoint) bool { return len(e.Shape) > 0 && e.Shape[0] >= 0 })
	if !fixed || m.stateful() {
		return nil
	}
	m.forgetShapes()
	m.anyBatch = true
	if m.trace() == nil {
		return nil
	}
	m.forgetShapes()
	m.anyBatch = false
	return m.trace()
}

// forgetShapes keeps the shapes of the first pass as those that Keras states, and makes way for others.
func (m *Model) forgetShapes() {
	for _, l := range m.Layers {
		if l.stated == nil {
			l.stated = l.OutputShapes
		}
		l.OutputShapes, l.outputTypes = nil, nil
		if l.Model != nil {
			l.Model.forgetShapes()
		}
	}
}

// stateful reports whether a layer keeps its states from one batch to the next.
func (m *Model) stateful() bool {
	var keeps func(l *Layer) bool
	keeps = func(l *Layer) bool {
		return l.Config.Bool("stateful", false) || slices.ContainsFunc(l.sublayers, keeps) || l.Model != nil && l.Model.stateful()
	}
	return slices.ContainsFunc(m.Layers, keeps)
}

// Graph returns the model as a graph with its variables and one signature, serving_default, whose inputs and outputs
// have Keras's names. Dropout and its like do nothing; batch normalization uses the moving statistics.
func (m *Model) Graph() (g *graph.Graph, err error) {
	defer catch(&err)
	w := newWalk()
	in := w.placeholders(m)
	out := w.model(m, in, "")
	sig := graph.Signature{Name: graph.DefaultSignature, Method: "tensorflow/serving/predict"}
	for i, v := range in {
		sig.Inputs = append(sig.Inputs, graph.Port{Name: m.Inputs[i].Name, DType: v.DType, Shape: v.Shape, Tensor: v.Ref.Tensor()})
	}
	e := emitter{b: w.b}
	for i, v := range out {
		y := e.unary("Identity", v)
		sig.Outputs = append(sig.Outputs, graph.Port{Name: m.Outputs[i].Name, DType: v.DType, Shape: v.Shape, Tensor: y.Ref.Tensor()})
	}
	byName := func(a, b graph.Port) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(sig.Inputs, byName)
	slices.SortFunc(sig.Outputs, byName)
	g, err = w.finish(sig)
	if err != nil {
		return nil, err
	}
	g.Source = m.graphSource()
	return g, nil
}

// finish ends the graph, with the node that fills the tables.
func (w *walk) finish(sig graph.Signature) (*graph.Graph, error) {
	init := ""
	if len(w.init) > 0 {
		control := make([]graph.Ref, len(w.init))
		for i, r := range w.init {
			control[i] = "^" + r
		}
		init = string(w.b.Op("NoOp", "init", control, nil))
	}
	g, err := w.b.Finish(sig)
	if err != nil {
		return nil, err
	}
	g.Init.Op = init
	return g, w.link(g)
}
