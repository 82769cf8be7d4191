package keras

import (
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

// sequential reads a linear stack of layers.
func (r *reader) sequential(m *Model, layers []any, path string) {
	for i, v := range layers {
		if i == 0 && r.age == keras1 {
			if r.merge(m, v, path) {
				continue
			}
		}
		l := r.layer(v, path)
		m.append(l)
	}
	if len(m.Layers) == 0 {
		fail(ErrFormat, "model %s has no layers", path)
	}
	first := m.Layers[0]
	if len(m.Inputs) == 0 && first.Class != "InputLayer" {
		m.prependInput(first)
	}
	m.chain()
}

// chain connects the layers of a Sequential one after the other.
func (m *Model) chain() {
	prev := ""
	for _, l := range m.Layers {
		if l.Class == "InputLayer" {
			if prev == "" && len(m.Inputs) == 0 {
				m.Inputs = []Endpoint{{Name: l.Name, at: tensorRef{layer: l.Name}}}
			}
			if prev == "" {
				prev = l.Name
			}
			continue
		}
		if m.nodes[l.Name] == nil {
			m.connect(l, []any{tensorRef{layer: prev}})
		}
		prev = l.Name
	}
	if len(m.Inputs) == 0 { // built when it is called
		m.Inputs = []Endpoint{{Name: m.Layers[0].Name + "_input"}}
	}
	m.Outputs = []Endpoint{{Name: prev, at: tensorRef{layer: prev}}}
}

// connect adds a call of a layer on the tensors of one argument.
func (m *Model) connect(l *Layer, args ...any) {
	m.nodes[l.Name] = append(m.nodes[l.Name], node{args: args})
	var from []string
	for _, t := range refs(args) {
		if t.layer != "" {
			from = append(from, t.layer)
		}
	}
	l.Inbound = append(l.Inbound, from)
}

// prependInput adds the input layer that a Sequential of Keras 1 or 2 does not name: its shape is in the first layer.
func (m *Model) prependInput(first *Layer) {
	shape := m.inputShape(first)
	if shape == nil {
		return
	}
	dtype := "float32"
	source := first
	for source.Model != nil && len(source.Model.Layers) > 0 {
		source = source.Model.Layers[0]
	}
	if first.Class == "Embedding" {
		dtype = "int32"
		if m.age < keras3 {
			dtype = "float32"
		}
	}
	if d, ok := source.Config["input_dtype"].(string); ok {
		dtype = d
	} else if d, ok := source.Config["dtype"].(string); ok && dtypes[d] != tensor.Invalid && first.Class != "Embedding" {
		dtype = d
	}
	name := first.Name + "_input"
	l := &Layer{Name: name, Class: "InputLayer", age: m.age, trainable: true, path: m.Name + "/" + name, Config: Config{
		"batch_shape": anyShape(shape), "dtype": dtype, "name": name, "implicit": true}}
	m.Layers = slices.Insert(m.Layers, 0, l)
	m.byName[name] = l
}

// inputShape finds the shape of a Sequential's input: batch_input_shape of its first layer, or what input_dim and
// input_length say, or what the model was built with.
func (m *Model) inputShape(first *Layer) tensor.Shape {
	l := first
	for l.Model != nil && len(l.Model.Layers) > 0 {
		l = l.Model.Layers[0]
	}
	c := l.Config
	for _, key := range []string{"batch_shape", "batch_input_shape"} {
		if s := c.shape(key); s != nil {
			return s
		}
	}
	if s, ok := shapeOf(m.config["build_input_shape"]); ok {
		return s
	}
	if b, ok := c["build_config"].(map[string]any); ok {
		if s, ok := shapeOf(b["input_shape"]); ok {
			return s
		}
	}
	length := c.Int("input_length", -1)
	switch {
	case l.Class == "Embedding":
		return tensor.Shape{-1, length}
	case c.has("input_dim") && (l.Class == "LSTM" || l.Class == "GRU" || l.Class == "SimpleRNN" || l.Class == "Conv1D"):
		return tensor.Shape{-1, length, c.Int("input_dim", -1)}
	case c.has("input_dim"):
		return tensor.Shape{-1, c.Int("input_dim", -1)}
	}
	return nil
}

func anyShape(s tensor.Shape) []any {
	out := make([]any, len(s))
	for i, d := range s {
		if d >= 0 {
			out[i] = float64(d)
		}
	}
	return out
}

// merge reads the Merge layer by which a Sequential of Keras 1 starts: it holds one Sequential for each branch, whose
// layers become layers of this model, as in the file's list of weights.
func (r *reader) merge(m *Model, v any, path string) bool {
	entry, ok := v.(map[string]any)
	if !ok || entry["class_name"] != "Merge" {
		return false
	}
	c, _ := entry["config"].(map[string]any)
	branches, ok := c["layers"].([]any)
	if !ok {
		return false
	}
	var ends []any
	for _, b := range branches {
		config, ok := b.(map[string]any)
		if !ok || config["class_name"] != "Sequential" {
			fail(ErrUnsupported, "%s merges something other than Sequential models", path)
		}
		branch := r.model(config, path)
		for _, l := range branch.Layers {
			m.append(l)
			m.nodes[l.Name] = branch.nodes[l.Name]
		}
		m.Inputs = append(m.Inputs, branch.Inputs...)
		ends = append(ends, branch.Outputs[0].at)
	}
	l := r.layer(map[string]any{"class_name": "Merge", "config": c}, path)
	m.append(l)
	m.connect(l, ends)
	return true
}
