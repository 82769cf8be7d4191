package keras

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// maxDepth bounds how deep models and wrappers nest.
const maxDepth = 64

// reader turns a configuration into a model.
type reader struct {
	age     age
	version string
	depth   int
	shared  map[float64]*Layer // by shared_object_id
	paths   map[string]bool    // of the layers so far
}

// place gives a layer its path, under which its weights stand: no two layers have the same.
func (r *reader) place(l *Layer, parent string) {
	l.path = parent + "/" + l.Name
	if r.paths[l.path] {
		l.path = unique(l.path, 1, func(s string) bool { return r.paths[s] })
	}
	r.paths[l.path] = true
}

// FromConfig makes a model, without weights, of its configuration: the JSON text that to_json returns, or config.json of a
// .keras archive.
func FromConfig(config []byte) (*Model, error) {
	return fromConfigWith(config, "", func(*Model) error { return nil })
}

// fromConfigWith is FromConfig with a version that was found elsewhere; assets is called before the model is built.
func fromConfigWith(config []byte, version string, assets func(*Model) error) (m *Model, err error) {
	defer catch(&err)
	v, err := decodeJSON(config)
	if err != nil {
		return nil, err
	}
	if version == "" {
		version, _ = v["keras_version"].(string)
	}
	r := &reader{age: ageOf(version, v), version: version, shared: map[float64]*Layer{}, paths: map[string]bool{}}
	m = r.model(v, "")
	m.Version = version
	if b, ok := v["backend"].(string); ok {
		m.Backend = b
	}
	m.readCompile(v["compile_config"])
	if err := assets(m); err != nil {
		return nil, err
	}
	return m, m.buildVariables()
}

// model reads {"class_name": "Sequential" | "Functional" | …, "config": …}.
func (r *reader) model(v map[string]any, path string) *Model {
	if r.depth++; r.depth > maxDepth {
		fail(ErrFormat, "models nest deeper than %d", maxDepth)
	}
	defer func() { r.depth-- }()
	class, _ := v["class_name"].(string)
	if class == "Model" {
		class = "Functional"
	}
	m := &Model{Class: class, age: r.age, byName: map[string]*Layer{}, nodes: map[string][]node{}}
	switch c := v["config"].(type) {
	case []any: // Keras 1 and early Keras 2: a Sequential is the list of its layers
		m.config = Config{"layers": c}
	case map[string]any:
		m.config = c
	default:
		fail(ErrFormat, "model %s%s has no configuration", path, class)
	}
	m.Name = m.config.String("name", strings.ToLower(class))
	if b, ok := v["build_config"].(map[string]any); ok && m.config["build_input_shape"] == nil && b["input_shape"] != nil {
		m.config = m.config.clone()
		m.config["build_input_shape"] = b["input_shape"]
	}
	if path == "" {
		path = m.Name
	}
	layers, ok := m.config["layers"].([]any)
	if !ok {
		fail(ErrFormat, "model %s has no list of layers", path)
	}
	if class == "Sequential" {
		r.sequential(m, layers, path)
	} else {
		r.functional(m, layers, path)
	}
	return m
}

// layer reads one layer's {"class_name": …, "config": {…}}.
func (r *reader) layer(v any, path string) *Layer {
	if r.depth++; r.depth > maxDepth {
		fail(ErrFormat, "layers nest deeper than %d", maxDepth)
	}
	defer func() { r.depth-- }()
	m, ok := v.(map[string]any)
	if !ok {
		fail(ErrFormat, "%s: a layer is %T, not a dictionary", path, v)
	}
	class, _ := m["class_name"].(string)
	if class == "" {
		fail(ErrFormat, "%s: a layer without a class", path)
	}
	l := &Layer{Class: class, age: r.age, trainable: true}
	if id, ok := number(m["shared_object_id"]); ok && r.age == keras3 {
		if first := r.shared[id]; first != nil && first.Class == class {
			return first
		}
		r.shared[id] = l
	}
	l.rawModule, _ = m["module"].(string)
	l.registered = m["registered_name"]
	if isModel(class, m) {
		l.Model = r.model(m, path+"/"+class)
		l.Name, l.Class, l.Config = l.Model.Name, l.Model.Class, l.Model.config
		if name, ok := m["name"].(string); ok {
			l.Name = name
		}
		l.Model.Name = l.Name
		l.trainable = l.Config.Bool("trainable", true)
		r.place(l, path)
		return l
	}
	c, ok := m["config"].(map[string]any)
	if !ok {
		fail(ErrFormat, "%s: layer %s has no configuration", path, class)
	}
	l.Class, l.Config = modernize(class, c, r.age)
	l.Name = l.Config.String("name", "")
	if name, ok := m["name"].(string); ok && l.Name == "" {
		l.Name = name
	}
	if l.Name == "" {
		l.Name = snakeCase(class)
	}
	r.place(l, path)
	l.trainable = l.Config.Bool("trainable", true)
	if b, ok := m["build_config"].(map[string]any); ok {
		l.Config["build_config"] = b
	}
	r.sub(l)
	return l
}

// isModel reports whether a layer's configuration is that of a nested model.
func isModel(class string, m map[string]any) bool {
	if class == "Sequential" || class == "Functional" || class == "Model" {
		return true
	}
	c, ok := m["config"].(map[string]any)
	return ok && c["layers"] != nil && c["input_layers"] != nil && c["output_layers"] != nil
}

// wrapped reads a layer that another one holds, under the attribute by which Keras knows it.
func (r *reader) wrapped(l *Layer, v any, attribute string) *Layer {
	s := r.layer(v, l.path)
	s.attribute = attribute
	l.sublayers = append(l.sublayers, s)
	return s
}

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

func (m *Model) append(l *Layer) {
	if m.byName[l.Name] != nil {
		taken := func(s string) bool { return m.byName[s] != nil }
		l.Name = unique(l.Name, 1, taken)
	}
	m.Layers = append(m.Layers, l)
	m.byName[l.Name] = l
}

// unique appends _1, _2 … until the name is free.
func unique(name string, n int, taken func(string) bool) string {
	for taken(name + "_" + strconv.Itoa(n)) {
		n++
	}
	return name + "_" + strconv.Itoa(n)
}

// skipFirstCalls renumbers the calls of nested models. tf.keras counts the call by which a nested model was made, which is
// not among the calls in the file: the first of those is number 1.
func (m *Model) skipFirstCalls() {
	if m.age == keras3 {
		return
	}
	largest := map[string]int{}
	m.eachRef(func(r *tensorRef) { largest[r.layer] = max(largest[r.layer], r.node) })
	m.eachRef(func(r *tensorRef) {
		if l := m.byName[r.layer]; l != nil && l.Model != nil && largest[r.layer] == len(m.nodes[r.layer]) && r.node > 0 {
			r.node--
		}
	})
}

// eachRef visits every reference to a tensor, which may be changed.
func (m *Model) eachRef(visit func(*tensorRef)) {
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case tensorRef:
			visit(&v)
			return v
		case []any:
			for i, x := range v {
				v[i] = walk(x)
			}
		case map[string]any:
			for k, x := range v {
				v[k] = walk(x)
			}
		}
		return v
	}
	for _, nodes := range m.nodes {
		for _, n := range nodes {
			walk(n.args)
			walk(n.kwargs)
		}
	}
	for _, ends := range [][]Endpoint{m.Inputs, m.Outputs} {
		for i := range ends {
			visit(&ends[i].at)
		}
	}
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

// functional reads a graph of layers.
func (r *reader) functional(m *Model, layers []any, path string) {
	inbound := make([]any, len(layers))
	for i, v := range layers {
		l := r.layer(v, path)
		entry := v.(map[string]any)
		if name, ok := entry["name"].(string); ok && name != "" {
			l.Name = name // connections use this name
		}
		if m.byName[l.Name] != nil {
			fail(ErrFormat, "model %s has two layers named %q", path, l.Name)
		}
		m.append(l)
		inbound[i] = entry["inbound_nodes"]
	}
	for i, l := range m.Layers {
		m.nodes[l.Name] = inboundNodes(inbound[i], m.byName)
		for _, n := range m.nodes[l.Name] {
			var from []string
			for _, t := range append(refs(n.args), refs(n.kwargs)...) {
				if m.byName[t.layer] == nil {
					fail(ErrFormat, "layer %s is fed by a layer %q that model %s does not have", l.path, t.layer, path)
				}
				from = append(from, t.layer)
			}
			l.Inbound = append(l.Inbound, from)
		}
	}
	for _, key := range []string{"input_layers", "output_layers"} {
		if m.config[key] == nil {
			fail(ErrUnsupported, "model %s (%s) has no %s: only Sequential and functional models have an architecture in the file", path, m.Class, key)
		}
	}
	m.Inputs, m.Outputs = endpoints(m.config["input_layers"]), endpoints(m.config["output_layers"])
	m.skipFirstCalls()
	for _, e := range slices.Concat(m.Inputs, m.Outputs) {
		if m.byName[e.at.layer] == nil {
			fail(ErrFormat, "model %s ends in a layer %q that it does not have", path, e.at.layer)
		}
	}
	distinct(m.Inputs)
	distinct(m.Outputs)
}

// sub reads the layers that a wrapper holds.
func (r *reader) sub(l *Layer) {
	c := l.Config
	switch l.Class {
	case "Bidirectional":
		forward, ok := c["layer"].(map[string]any)
		if !ok {
			fail(ErrFormat, "%s has no layer to wrap", l.path)
		}
		backward, ok := c["backward_layer"].(map[string]any)
		if !ok {
			backward = backwards(forward)
		}
		for _, s := range []*Layer{r.wrapped(l, prefixed(forward, "forward_"), "forward_layer"), r.wrapped(l, prefixed(backward, "backward_"), "backward_layer")} {
			if s.Class != "LSTM" && s.Class != "GRU" && s.Class != "SimpleRNN" && s.Class != "RNN" && s.Class != "ConvLSTM2D" &&
				s.Class != "ConvLSTM1D" && s.Class != "ConvLSTM3D" {
				fail(ErrUnsupported, "%s wraps a %s", l.path, s.Class)
			}
			if !r.standalone() { // Keras forces this, whatever the wrapped layer's configuration says
				s.Config["zero_output_for_mask"] = s.Config["return_sequences"]
			}
		}
	case "TimeDistributed", "SpectralNormalization":
		r.wrapped(l, c["layer"], "layer")
	case "RNN":
		if list, ok := c["cell"].([]any); ok {
			r.wrapped(l, map[string]any{"class_name": "StackedRNNCells", "config": map[string]any{"cells": list}}, "cell")
			return
		}
		r.wrapped(l, c["cell"], "cell")
	case "StackedRNNCells":
		cells, _ := c["cells"].([]any)
		for _, v := range cells {
			r.wrapped(l, v, "cells/*")
		}
	case "MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention":
		r.addProjections(l)
	case "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D":
		class := l.Class + "Cell"
		if strings.HasPrefix(l.Class, "ConvLSTM") {
			class = "ConvLSTMCell"
		}
		cell := &Layer{Class: class, Name: snakeCase(class), Config: c, age: l.age, trainable: l.trainable, attribute: "cell"}
		r.place(cell, l.path)
		l.sublayers = append(l.sublayers, cell)
	}
}

// standalone reports whether a file was written by Keras before it became tf.keras: 1.x, and 2.0 to 2.3.
func (r *reader) standalone() bool {
	parts := strings.SplitN(r.version, ".", 3)
	return r.age == keras1 || r.age == keras2 && !strings.Contains(r.version, "-tf") && len(parts) > 1 && len(parts[1]) == 1 && parts[1] < "4"
}

// prefixed renames a layer as Bidirectional does: lstm becomes forward_lstm.
func prefixed(layer map[string]any, prefix string) map[string]any {
	inner, _ := layer["config"].(map[string]any)
	name, ok := inner["name"].(string)
	if !ok || strings.HasPrefix(name, prefix) {
		return layer
	}
	out, c := Config(layer).clone(), Config(inner).clone()
	c["name"] = prefix + name
	out["config"] = map[string]any(c)
	return out
}

// backwards is the configuration that Bidirectional makes for its second layer.
func backwards(forward map[string]any) map[string]any {
	out := Config(forward).clone()
	inner, _ := forward["config"].(map[string]any)
	c := Config(inner).clone()
	c["go_backwards"] = !c.Bool("go_backwards", false)
	out["config"] = map[string]any(c)
	return out
}

// snakeCase is keras.src.utils.naming.to_snake_case.
func snakeCase(name string) string {
	name = notWord.ReplaceAllString(name, "")
	name = wordStart.ReplaceAllString(name, "${1}_${2}")
	return strings.ToLower(lowerUpper.ReplaceAllString(name, "${1}_${2}"))
}

var (
	notWord    = regexp.MustCompile(`\W+`)
	wordStart  = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	lowerUpper = regexp.MustCompile(`([a-z])([A-Z])`)
)

// readCompile reads what a .keras archive keeps of model.compile; anything unknown is left out.
func (m *Model) readCompile(v any) {
	c, ok := v.(map[string]any)
	if !ok || len(c) == 0 {
		return
	}
	m.Compile = &Compile{Loss: c["loss"], Metrics: c["metrics"], LossWeights: c["loss_weights"]}
	for _, key := range []string{"optimizer", "optimizer_config"} {
		switch o := c[key].(type) {
		case string:
			m.Compile.Optimizer = o
		case map[string]any:
			m.Compile.Optimizer, m.Compile.OptimizerConfig, _ = objectOf(o)
		}
	}
}

func (l *Layer) String() string { return fmt.Sprintf("%s (%s)", l.Name, l.Class) }
