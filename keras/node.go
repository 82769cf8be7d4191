package keras

import (
	"reflect"
	"slices"
	"sort"
)

// node is one call of a layer: its arguments, in which tensors are tensorRefs.
type node struct {
	args   []any
	kwargs map[string]any
}

// tensorRef names a tensor of a model: output number tensor of call number node of a layer.
type tensorRef struct {
	layer        string
	node, tensor int
}

// inboundNodes reads a layer's inbound_nodes, of which there are four layouts:
//
//	Keras 3       [{"args": [{"class_name": "__keras_tensor__", …}], "kwargs": {…}}]
//	Keras 1, 2    [[["layer", node, tensor], …]]
//	tf.keras      [[["layer", node, tensor, {kwargs of the call}], …]]
//	tf.keras      [["layer", node, tensor, {…}]] or [{"name": ["layer", node, tensor, {…}]}], where the structure is kept
//
// layers says which names are layers, so that a list in kwargs is taken for a tensor only where it is one.
func inboundNodes(v any, layers map[string]*Layer) []node {
	list, ok := v.([]any)
	if !ok {
		if v != nil {
			fail(ErrFormat, "inbound_nodes is %T, not a list", v)
		}
		return nil
	}
	out := make([]node, 0, len(list))
	for _, item := range list {
		if m, ok := item.(map[string]any); ok && (m["args"] != nil || m["kwargs"] != nil) {
			out = append(out, node3(m))
			continue
		}
		out = append(out, node2(item, layers))
	}
	return out
}

func node3(m map[string]any) node {
	n := node{kwargs: map[string]any{}}
	args, ok := m["args"].([]any)
	if !ok && m["args"] != nil {
		fail(ErrFormat, "the args of a node are %T, not a list", m["args"])
	}
	for _, a := range args {
		n.args = append(n.args, argument3(a))
	}
	kwargs, _ := m["kwargs"].(map[string]any)
	for k, a := range kwargs {
		n.kwargs[k] = argument3(a)
	}
	return n
}

// argument3 replaces the tensors in an argument of a call in Keras 3's form. Arrays stay as they are written: without their element
// types Keras would not take them back.
func argument3(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = argument3(x)
		}
		return out
	case map[string]any:
		class, config, ok := objectOf(v)
		if !ok {
			out := make(map[string]any, len(v))
			for k, x := range v {
				out[k] = argument3(x)
			}
			return out
		}
		if class == "__keras_tensor__" {
			if h, ok := config["keras_history"].([]any); ok {
				if r, ok := triple(h); ok {
					return r
				}
			}
			fail(ErrFormat, "a tensor without a history")
		}
		if class == "__tuple__" {
			return unwrapList(v)
		}
	}
	return v
}

func node2(item any, layers map[string]*Layer) node {
	n := node{kwargs: map[string]any{}}
	read := func(h []any) (any, bool) {
		if len(h) < 3 || len(h) > 4 {
			return nil, false
		}
		name, ok := h[0].(string)
		if !ok {
			return nil, false
		}
		if len(h) == 4 {
			kwargs, _ := h[3].(map[string]any)
			for k, x := range kwargs {
				n.kwargs[k] = argument2(x, layers)
			}
		}
		if name == "_CONSTANT_VALUE" {
			return h[2], true
		}
		return triple(h)
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			if r, ok := read(v); ok {
				return r
			}
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = walk(x)
			}
			return out
		case map[string]any:
			out := make(map[string]any, len(v))
			for k, x := range v {
				out[k] = walk(x)
			}
			return out
		default:
			fail(ErrFormat, "%v stands where a tensor is needed", v)
			return nil
		}
	}
	first := walk(item)
	if list, ok := first.([]any); ok && len(list) == 1 {
		first = list[0]
	}
	n.args = []any{first}
	return n
}

// argument2 replaces the tensors in the keyword arguments of Keras 2.
func argument2(v any, layers map[string]*Layer) any {
	switch v := v.(type) {
	case []any:
		if len(v) == 3 {
			if name, ok := v[0].(string); ok && layers[name] != nil {
				if r, ok := triple(v); ok {
					return r
				}
			}
		}
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = argument2(x, layers)
		}
		return out
	case map[string]any:
		if _, _, ok := objectOf(v); ok {
			return v
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = argument2(x, layers)
		}
		return out
	}
	return v
}

// triple reads ["layer", node, tensor].
func triple(h []any) (tensorRef, bool) {
	if len(h) < 3 {
		return tensorRef{}, false
	}
	name, ok := h[0].(string)
	n, ok1 := number(h[1])
	t, ok2 := number(h[2])
	if !ok || !ok1 || !ok2 || n < 0 || t < 0 || n > 1<<20 || t > 1<<20 {
		return tensorRef{}, false
	}
	return tensorRef{name, int(n), int(t)}, true
}

// endpoints reads input_layers or output_layers: one triple, a list of them, or a dictionary. Nested lists are flattened
// and dictionaries ordered by key, as Keras does.
func endpoints(v any) []Endpoint {
	switch v := v.(type) {
	case []any:
		if r, ok := triple(v); ok {
			return []Endpoint{{at: r, Name: r.layer}}
		}
		var out []Endpoint
		for _, x := range v {
			out = append(out, endpoints(x)...)
		}
		return out
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		var out []Endpoint
		for _, k := range keys {
			for _, e := range endpoints(v[k]) {
				e.Name = k
				out = append(out, e)
			}
		}
		return out
	}
	fail(ErrFormat, "%v names no input or output", v)
	return nil
}

// distinct makes the names of endpoints differ: a layer that gives two outputs has the second called name_1.
func distinct(ends []Endpoint) {
	seen := map[string]int{}
	for i := range ends {
		name := ends[i].Name
		if n := seen[name]; n > 0 {
			ends[i].Name = unique(name, n, func(s string) bool {
				return slices.ContainsFunc(ends, func(e Endpoint) bool { return e.Name == s })
			})
		}
		seen[name]++
	}
}

// refs lists the tensors of an argument, in order; dictionaries by key.
func refs(v any) []tensorRef {
	switch v := v.(type) {
	case tensorRef:
		return []tensorRef{v}
	case []any:
		var out []tensorRef
		for _, x := range v {
			out = append(out, refs(x)...)
		}
		return out
	case map[string]any:
		var out []tensorRef
		for _, k := range sortedKeys(v) {
			out = append(out, refs(v[k])...)
		}
		return out
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// countFromZero renumbers the calls of nested models, which the file counts from 1: the call by which such a model was made is
// not among the calls in the file. tf.keras counts so everywhere, Keras 3 only where a functional model is an output.
func (m *Model) countFromZero() {
	if m.age == keras3 {
		for i := range m.Outputs {
			at := &m.Outputs[i].at
			if l := m.byName[at.layer]; l != nil && l.Model != nil && l.Model.Class != "Sequential" && at.node > 0 {
				at.node--
			}
		}
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

// joinEqualCalls makes one call of those of a nested model that are alike, as written files have them (see writtenCall).
func (m *Model) joinEqualCalls() {
	for _, l := range m.Layers {
		if l.Model == nil {
			continue
		}
		var kept []node
		place := make([]int, len(m.nodes[l.Name]))
		for i, n := range m.nodes[l.Name] {
			place[i] = slices.IndexFunc(kept, func(k node) bool { return reflect.DeepEqual(k, n) })
			if place[i] < 0 {
				place[i] = len(kept)
				kept = append(kept, n)
			}
		}
		if len(kept) == len(place) {
			continue
		}
		m.nodes[l.Name] = kept
		m.eachRef(func(r *tensorRef) {
			if r.layer == l.Name && r.node < len(place) {
				r.node = place[r.node]
			}
		})
	}
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
