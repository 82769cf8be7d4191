package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
)

// Cut returns the part of the model that ends in features: the name of a layer, or a tensor of [Model.Graph] that is an output
// of one ("out_relu/Relu6:0"); "" is the model's own output. It shares its layers, and so their weights, with m. Layers of
// nested models are no ends.
func (m *Model) Cut(features string) (part *Model, err error) {
	defer catch(&err)
	at := m.find(features)
	layers, calls := m.needed(at)
	c := *m
	c.Compile, c.OptimizerState, c.config = nil, nil, nil
	c.Layers, c.nodes, c.byName = nil, map[string][]node{}, map[string]*Layer{}
	for _, l := range m.Layers {
		if !layers[l.Name] {
			continue
		}
		c.append(l)
		for i, n := range m.nodes[l.Name] {
			if !calls[callKey{l.Name, i}] {
				continue
			}
			if i != len(c.nodes[l.Name]) {
				fail(ErrUnsupported, "layer %s is called %d times, but not for %s from the first time on", l.Name, len(m.nodes[l.Name]), features)
			}
			c.nodes[l.Name] = append(c.nodes[l.Name], n)
		}
	}
	c.Inputs = slices.DeleteFunc(slices.Clone(m.Inputs), func(e Endpoint) bool { return !layers[e.at.layer] })
	l := m.byName[at.layer]
	c.Outputs = []Endpoint{{Name: l.Name, at: at, DType: l.outputTypes[at.tensor], Shape: l.OutputShapes[at.tensor]}}
	return &c, nil
}

// find returns the first output, in the order of the layers, that is the features.
func (m *Model) find(features string) tensorRef {
	if features == "" {
		if len(m.Outputs) != 1 {
			fail(ErrUnsupported, "the model has %d outputs; name the layer to cut at", len(m.Outputs))
		}
		return m.Outputs[0].at
	}
	w := &walk{b: graph.NewBuilder(), read: map[*Variable]graph.Ref{}}
	e := &evaluation{w, m, "", map[string]Value{}, map[callKey][]Value{}, map[callKey]bool{}}
	for i, v := range w.placeholders(m) {
		e.inputs[m.Inputs[i].at.layer] = v
	}
	for _, o := range m.Outputs {
		if e.tensor(o.at).Ref.Tensor() == features {
			return o.at
		}
	}
	for _, l := range m.Layers {
		for i := range m.nodes[l.Name] {
			for k, v := range e.done[callKey{l.Name, i}] {
				if l.Name == features || v.Ref.Tensor() == features {
					return tensorRef{l.Name, i, k}
				}
			}
		}
	}
	fail(ErrUnsupported, "%q is neither a layer of model %s nor an output of one", features, m.Name)
	return tensorRef{}
}

// needed returns the layers and the calls that a tensor depends on.
func (m *Model) needed(at tensorRef) (layers map[string]bool, calls map[callKey]bool) {
	layers, calls = map[string]bool{}, map[callKey]bool{}
	list := []tensorRef{at}
	for len(list) > 0 {
		r := list[len(list)-1]
		list = list[:len(list)-1]
		key := callKey{r.layer, r.node}
		if calls[key] {
			continue
		}
		layers[r.layer], calls[key] = true, true
		if nodes := m.nodes[r.layer]; r.node < len(nodes) {
			list = append(list, refs(nodes[r.node].args)...)
			list = append(list, refs(nodes[r.node].kwargs)...)
		}
	}
	return layers, calls
}

// AsLayer describes the model as a layer of another one, for [NewSequential]. Its weights are not part of that.
func (m *Model) AsLayer() (l LayerConfig, err error) {
	defer catch(&err)
	w := m.writtenWithin()
	text, err := encodeJSON(w["config"])
	if err != nil {
		return l, err
	}
	l.Class = w["class_name"].(string)
	l.Config, err = decodeJSON(text)
	return l, err
}

// Unfreeze makes the layers trainable that were saved frozen, as model.trainable = True does. Statistics stay what they are.
func (m *Model) Unfreeze() {
	for _, l := range m.Layers {
		l.unfreeze()
	}
}

func (l *Layer) unfreeze() {
	l.trainable = true
	for _, v := range l.variables {
		v.Trainable = v.learned
	}
	for _, s := range l.sublayers {
		s.unfreeze()
	}
	if l.Model != nil {
		l.Model.Unfreeze()
	}
}
