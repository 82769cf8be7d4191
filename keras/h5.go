package keras

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/internal/hdf5"
	"github.com/cambium-go/cambium/tensor"
)

// readH5 reads a whole model, or weights for an architecture that an option supplies. The layout of a whole model:
//
//	/                   attributes model_config, training_config, keras_version, backend
//	/model_weights      attribute layer_names, one group for each layer, with the attribute weight_names
//	/optimizer_weights  attribute weight_names
//
// In a file of weights, the groups of the layers are in the root. Keras 3's .weights.h5 has the layout of .keras instead.
func readH5(r io.ReaderAt, size int64, o *options) (*Model, error) {
	f, err := hdf5.Open(r, size)
	if err != nil {
		return nil, err
	}
	root := f.Root()
	config := textAttribute(root, "model_config")
	group := root
	switch {
	case config != "":
		if group, err = f.Group("model_weights"); err != nil {
			return nil, err
		}
	case o.architecture != nil:
		config = string(o.architecture)
		if root.Has("model_weights") {
			if group, err = f.Group("model_weights"); err != nil {
				return nil, err
			}
		}
	case hasNames(root, "layer_names") || root.Has("layers") || root.Has("_layer_checkpoint_dependencies"):
		return nil, ErrWeightsOnly
	default:
		return nil, fmt.Errorf("%w: an HDF5 file without a Keras model: no attribute model_config", ErrFormat)
	}
	version, backend := textAttribute(root, "keras_version"), textAttribute(root, "backend")
	if version == "" {
		version, backend = textAttribute(group, "keras_version"), textAttribute(group, "backend")
	}
	if o.backend != "" {
		backend = o.backend
	}
	m, err := fromConfigWith([]byte(config), version, func(*Model) error { return nil })
	if err != nil {
		return nil, err
	}
	m.Format, m.Version, m.Backend = "h5", version, backend
	if !hasNames(group, "layer_names") && (group.Has("layers") || group.Has("_layer_checkpoint_dependencies")) {
		s := &store{root: group, done: map[*Layer]bool{}}
		s.loadModel(m, "")
		m.OptimizerState = s.list("optimizer/vars")
		return m, nil
	}
	loadLayers(m, group, backend)
	m.readTraining(root)
	return m, nil
}

// textAttribute returns a text attribute, "" where there is none.
func textAttribute(o hdf5.Object, name string) string {
	a, ok := o.Attr(name)
	if !ok {
		return ""
	}
	s, err := a.Text()
	if err != nil {
		list, err := a.Strings()
		if err != nil || len(list) != 1 {
			return ""
		}
		return list[0]
	}
	return s
}

// hasNames reports whether an attribute that lists names is there, whole or in pieces.
func hasNames(o hdf5.Object, name string) bool {
	_, whole := o.Attr(name)
	_, split := o.Attr(name + "0")
	return whole || split
}

// names reads an attribute that lists names. Long lists are split into name0, name1 …; empty ones are of type float64.
func names(o hdf5.Object, name string) ([]string, error) {
	if a, ok := o.Attr(name); ok {
		return nameList(a)
	}
	var out []string
	for i := 0; ; i++ {
		a, ok := o.Attr(name + strconv.Itoa(i))
		if !ok {
			return out, nil
		}
		part, err := nameList(a)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
}

func nameList(a *hdf5.Attribute) ([]string, error) {
	n := 1
	for _, d := range a.Shape() {
		n *= d
	}
	if a.IsNull() || n == 0 {
		return nil, nil
	}
	return a.Strings()
}

// saved is one layer's group.
type saved struct {
	name    string
	weights []string
	values  []*tensor.Tensor
}

// loadLayers reads the weights of every layer: by name where every name of the file is a layer's, else by order.
func loadLayers(m *Model, g *hdf5.Group, backend string) {
	var file []saved
	layerNames, err := names(g, "layer_names")
	check(err)
	for _, n := range layerNames {
		s := readSaved(g, n)
		if l := m.byName[n]; l != nil && len(l.Variables()) == 0 && l.looksUp() {
			continue // tf.keras keeps idf_weights among the weights too
		}
		if len(s.weights) > 0 {
			file = append(file, s)
		}
	}
	var layers []*Layer
	for _, l := range m.Layers {
		if len(l.Variables()) > 0 {
			layers = append(layers, l)
		}
	}
	byName := true
	for _, s := range file {
		l := m.byName[s.name]
		byName = byName && l != nil && len(l.Variables()) > 0
	}
	if !byName && len(file) != len(layers) {
		var have, want []string
		for _, s := range file {
			have = append(have, s.name)
		}
		for _, l := range layers {
			want = append(want, l.Name)
		}
		fail(ErrWeights, "the model has %d layers with weights (%s), the file has %d (%s)", len(layers), short(want), len(file), short(have))
	}
	for i, s := range file {
		l := m.byName[s.name]
		if !byName {
			l = layers[i]
		}
		s = s.mergeLoRA(l)
		legacyAssign(l, s.weights, s.values, m.age, backend)
	}
	for _, l := range layers {
		for _, v := range l.Variables() {
			if v.Value == nil {
				fail(ErrWeights, "layer %s: the file has no weight %s", l.path, v.Name)
			}
		}
	}
}

// short joins the first names of a list.
func short(names []string) string {
	if len(names) > 8 {
		names = append(append([]string{}, names[:8]...), "…")
	}
	return strings.Join(names, ", ")
}

func readSaved(g *hdf5.Group, name string) saved {
	group, err := g.Group(name)
	if err != nil && strings.Contains(name, "/") {
		group, err = g.Group(strings.ReplaceAll(name, "/", "_"))
	}
	check(err)
	weights, err := names(group, "weight_names")
	check(err)
	s := saved{name: name, weights: weights}
	for _, w := range weights {
		ds, err := group.Dataset(w)
		check(err)
		t, err := readTensor(ds)
		check(err)
		s.values = append(s.values, t)
	}
	return s
}

// readTraining reads the training configuration and the optimizer's state. Whatever is wrong with them, the model loads.
func (m *Model) readTraining(root *hdf5.Group) {
	if text := textAttribute(root, "training_config"); text != "" {
		if v, err := decodeJSON([]byte(text)); err == nil {
			m.readCompile(v)
		}
	}
	if state, err := optimizerState(root); err == nil {
		m.OptimizerState = state
	}
}

func optimizerState(root *hdf5.Group) (out []NamedTensor, err error) {
	defer catch(&err)
	if !root.Has("optimizer_weights") {
		return nil, errors.New("no optimizer state")
	}
	g, err := root.Group("optimizer_weights")
	check(err)
	list, err := names(g, "weight_names")
	check(err)
	for _, n := range list {
		ds, err := g.Dataset(n)
		check(err)
		t, err := readTensor(ds)
		check(err)
		out = append(out, NamedTensor{n, t})
	}
	return out, nil
}
