package graph

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Builder makes a GraphDef node by node. A mistake is remembered: later calls do nothing and Finish returns it.
type Builder struct {
	def   *tfproto.GraphDef
	vars  map[string]*tensor.Tensor
	names map[string]int
	err   error
}

// Ref is a tensor of the graph being built: "node" or "node:1".
type Ref string

// Attrs are a node's attributes. A value is a bool, int, float32, string, tensor.DType, tensor.Shape, *tensor.Tensor,
// or a slice of int, string or tensor.DType.
type Attrs map[string]any

// NewBuilder returns a builder of an empty graph, whose nodes say that TensorFlow 1.12 or newer can read them.
func NewBuilder() *Builder {
	return &Builder{
		def:   &tfproto.GraphDef{Versions: &tfproto.VersionDef{Producer: 1882, MinConsumer: 12}},
		vars:  map[string]*tensor.Tensor{},
		names: map[string]int{},
	}
}

// Name returns base, or base_1, base_2 … where base is already a node's name, and reserves it.
func (b *Builder) Name(base string) string {
	n, taken := b.names[base]
	if !taken {
		b.names[base] = 1
		return base
	}
	for {
		name := base + "_" + strconv.Itoa(n)
		n++
		if _, taken := b.names[name]; !taken {
			b.names[base], b.names[name] = n, 1
			return name
		}
	}
}

// Op adds a node and returns its first output. The name is made unique; an input that starts with ^ is a control
// dependency.
func (b *Builder) Op(op, name string, inputs []Ref, attrs Attrs) Ref {
	if b.err != nil {
		return ""
	}
	n := &tfproto.NodeDef{Name: b.Name(name), Op: op, Attr: map[string]*tfproto.AttrValue{}}
	for _, in := range inputs {
		if in == "" {
			b.Fail(fmt.Errorf("%w: node %s (%s) has an empty input", ErrMalformed, n.Name, op))
			return ""
		}
		n.Input = append(n.Input, string(in))
	}
	for k, v := range attrs {
		a, err := attrValue(v)
		if err != nil {
			b.Fail(fmt.Errorf("node %s (%s), attribute %s: %w", n.Name, op, k, err))
			return ""
		}
		n.Attr[k] = a
	}
	b.def.Node = append(b.def.Node, n)
	return Ref(n.Name)
}

// Output returns output i of the node that r belongs to.
func (r Ref) Output(i int) Ref {
	name, _, _ := strings.Cut(string(r), ":")
	if i == 0 {
		return Ref(name)
	}
	return Ref(name + ":" + strconv.Itoa(i))
}

// Tensor returns the reference as a signature writes it: "node:0".
func (r Ref) Tensor() string {
	if strings.Contains(string(r), ":") {
		return string(r)
	}
	return string(r) + ":0"
}

// Placeholder adds an input.
func (b *Builder) Placeholder(name string, d tensor.DType, shape tensor.Shape) Ref {
	return b.Op("Placeholder", name, nil, Attrs{"dtype": d, "shape": shape})
}

// Const adds a constant.
func (b *Builder) Const(name string, t *tensor.Tensor) Ref {
	return b.Op("Const", name, nil, Attrs{"dtype": t.DType(), "value": t})
}

// Ints adds a constant vector of int32, the form in which ops take axes and shapes.
func (b *Builder) Ints(name string, v ...int) Ref {
	w := make([]int32, len(v))
	for i, x := range v {
		if x > math.MaxInt32 || x < math.MinInt32 {
			b.Fail(fmt.Errorf("%w: %d does not fit an int32", ErrMalformed, x))
			return ""
		}
		w[i] = int32(x)
	}
	return b.Const(name, tensor.Must(tensor.Of(w, len(w))))
}

// Int adds a constant int32 scalar.
func (b *Builder) Int(name string, v int) Ref {
	return b.Const(name, tensor.Scalar(int32(v)))
}

// Variable adds a resource variable with its value and returns the handle; Read reads it.
func (b *Builder) Variable(name string, value *tensor.Tensor) Ref {
	h := b.Op("VarHandleOp", name, nil, Attrs{"dtype": value.DType(), "shape": value.Shape(), "container": ""})
	if b.err == nil {
		n := b.def.Node[len(b.def.Node)-1]
		n.Attr["shared_name"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte(h)}} // the node's own: variables of one shared name are one
		b.vars[string(h)] = value
	}
	return h
}

// Read adds a ReadVariableOp on a variable's handle.
func (b *Builder) Read(handle Ref) Ref {
	v := b.vars[string(handle)]
	return b.Op("ReadVariableOp", string(handle)+"/Read/ReadVariableOp", []Ref{handle}, Attrs{"dtype": v.DType()})
}

// Fail remembers the first error.
func (b *Builder) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Err returns the first error.
func (b *Builder) Err() error { return b.err }

// Finish returns the graph with its signatures, or the first error.
func (b *Builder) Finish(signatures ...Signature) (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	return &Graph{Def: b.def, Signatures: signatures, Variables: b.vars}, nil
}
