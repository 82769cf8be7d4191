package keras

import (
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// evaluation is one call of a model: what its inputs are bound to and the calls made so far.
type evaluation struct {
	w      *walk
	m      *Model
	scope  string
	inputs map[string]Value
	done   map[callKey][]Value
	active map[callKey]bool
}

type callKey struct {
	layer string
	node  int
}

// model calls a model on tensors for its inputs, in order.
func (w *walk) model(m *Model, inputs []Value, scope string) []Value {
	if len(inputs) != len(m.Inputs) {
		fail(ErrFormat, "model %s is called with %d inputs, it has %d", m.Name, len(inputs), len(m.Inputs))
	}
	e := &evaluation{w, m, scope, map[string]Value{}, map[callKey][]Value{}, map[callKey]bool{}}
	for i, in := range m.Inputs {
		e.inputs[in.at.layer] = inputs[i]
	}
	if !w.values { // record the weights of every layer, used or not
		for _, l := range m.Layers {
			for i := range m.nodes[l.Name] {
				e.eval(tensorRef{layer: l.Name, node: i})
			}
		}
	}
	out := make([]Value, len(m.Outputs))
	for i, o := range m.Outputs {
		out[i] = e.tensor(o.at)
	}
	return out
}

// tensor returns one output of one call of a layer.
func (e *evaluation) tensor(r tensorRef) Value {
	out := e.eval(r)
	if r.tensor >= len(out) {
		fail(ErrFormat, "layer %s has %d outputs, output %d was asked for", r.layer, len(out), r.tensor)
	}
	return out[r.tensor]
}

func (e *evaluation) eval(r tensorRef) []Value {
	if v, ok := e.inputs[r.layer]; ok {
		return []Value{v}
	}
	key := callKey{r.layer, r.node}
	if out, ok := e.done[key]; ok {
		return out
	}
	l := e.m.byName[r.layer]
	if l == nil {
		fail(ErrFormat, "model %s has no layer %q", e.m.Name, r.layer)
	}
	if l.Class == "InputLayer" {
		fail(ErrFormat, "input layer %s is no input of model %s", l.Name, e.m.Name)
	}
	nodes := e.m.nodes[r.layer]
	if r.node >= len(nodes) {
		fail(ErrFormat, "layer %s has %d calls, call %d was asked for", l.path, len(nodes), r.node)
	}
	if e.active[key] {
		fail(ErrFormat, "layer %s feeds itself", l.path)
	}
	e.active[key] = true
	n := nodes[r.node]
	args := make([]any, len(n.args))
	for i, a := range n.args {
		args[i] = e.bind(a)
	}
	kwargs := make(map[string]any, len(n.kwargs))
	for _, k := range sortedKeys(n.kwargs) {
		kwargs[k] = e.bind(n.kwargs[k])
	}
	scope := nodeName(l.Name)
	if e.scope != "" {
		scope = e.scope + "/" + scope
	}
	out := e.w.call(l, scope, args, kwargs)
	delete(e.active, key)
	e.done[key] = out
	return out
}

// bind replaces the tensors of an argument by their values, and arrays by lists.
func (e *evaluation) bind(v any) any {
	switch v := v.(type) {
	case tensorRef:
		return e.tensor(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = e.bind(x)
		}
		return out
	case map[string]any:
		if class := v["class_name"]; class == "__numpy__" || class == "__tensor__" {
			return unwrapList(v)
		}
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			out[k] = e.bind(v[k])
		}
		return out
	}
	return v
}

// placeholders adds the inputs of the whole model.
func (w *walk) placeholders(m *Model) []Value {
	out := make([]Value, len(m.Inputs))
	for i := range m.Inputs {
		in := &m.Inputs[i]
		l := m.byName[in.at.layer]
		if l == nil {
			fail(ErrUnsupported, "model %s does not say what shape its input has", m.Name)
		}
		if l.Class != "InputLayer" {
			fail(ErrFormat, "input %s of model %s is a %s", in.Name, m.Name, l.Class)
		}
		in.Shape, in.DType = l.inputShape(), dtypeNamed(inputType(l.Config))
		if l.Config.Bool("sparse", false) || l.Config.Bool("ragged", false) {
			fail(ErrUnsupported, "input %s is sparse or ragged", in.Name)
		}
		if m.anyBatch && len(in.Shape) > 0 {
			in.Shape = with(in.Shape, 0, -1)
		}
		l.OutputShapes, l.outputTypes = []tensor.Shape{in.Shape}, []tensor.DType{in.DType}
		ref := w.b.Placeholder(nodeName(in.Name), in.DType, in.Shape)
		check(w.b.Err())
		out[i] = Value{Ref: ref, DType: in.DType, Shape: in.Shape}
	}
	return out
}

func inputType(c Config) string {
	if class, config, ok := c.object("dtype"); ok && strings.Contains(class, "Policy") {
		return config.String("name", "float32")
	}
	return c.String("dtype", "float32")
}

// inputShape reads batch_shape, or shape without the batch.
func (l *Layer) inputShape() tensor.Shape {
	if s := l.Config.shape("batch_shape"); s != nil {
		return s
	}
	if s := l.Config.shape("shape"); s != nil {
		return append(tensor.Shape{-1}, s...)
	}
	fail(ErrFormat, "input layer %s has no shape", l.Name)
	return nil
}
