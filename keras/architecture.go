package keras

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	return m, m.withCustomObjects(m.buildVariables())
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
	if l.Class, l.Config = modernize(class, c, r.age); l.Class != class {
		l.fileClass = class
	}
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
	}
	for _, key := range []string{"input_layers", "output_layers"} {
		if m.config[key] == nil {
			fail(ErrUnsupported, "model %s (%s) has no %s: only Sequential and functional models have an architecture in the file", path, m.Class, key)
		}
	}
	m.Inputs, m.Outputs = endpoints(m.config["input_layers"]), endpoints(m.config["output_layers"])
	m.countFromZero()
	m.joinEqualCalls()
	m.findInbound(path)
	for _, e := range slices.Concat(m.Inputs, m.Outputs) {
		if m.byName[e.at.layer] == nil {
			fail(ErrFormat, "model %s ends in a layer %q that it does not have", path, e.at.layer)
		}
	}
	distinct(m.Inputs)
	distinct(m.Outputs)
}

// findInbound lists the layers that feed each layer's calls.
func (m *Model) findInbound(path string) {
	for _, l := range m.Layers {
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
