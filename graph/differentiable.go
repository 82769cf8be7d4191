package graph

import (
	"fmt"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Differentiable returns the graph with ops whose gradients TensorFlow's C++ library does not have, or has wrong, replaced by
// others that compute the same:
//
//	IdentityN, EnsureShape, CheckNumerics, PreventGradient, Snapshot   ⟶  Identity, or nothing
//	ResourceGather                                                     ⟶  ReadVariableOp, GatherV2
//	FusedBatchNorm, FusedBatchNormV2                                   ⟶  FusedBatchNormV3
//	convolutions that pad EXPLICITly                                   ⟶  Pad, and the convolution of what is VALID
//	convolutions with dilations                                        ⟶  SpaceToBatchND, an ordinary one, BatchToSpaceND
//
// It expects an inlined graph. Other ops stay; whether they have a gradient is for the engine to say. The given graph is not
// changed.
func Differentiable(g *Graph) (*Graph, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	d := &differentiator{Builder: NewBuilder(), moved: map[string]string{}}
	for _, n := range g.Def.Node {
		d.Name(n.Name)
	}
	for _, n := range g.Def.Node {
		if err := d.rewrite(copyNode(n)); err != nil {
			return nil, err
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	for _, n := range d.def.Node {
		for i, in := range n.Input {
			n.Input[i] = d.follow(in)
		}
	}
	r := *g
	r.Def = &tfproto.GraphDef{Node: d.def.Node, Versions: g.Def.Versions, Library: g.Def.Library}
	r.Signatures = make([]Signature, len(g.Signatures))
	for i, s := range g.Signatures {
		s.Outputs = append([]Port(nil), s.Outputs...)
		for k := range s.Outputs {
			s.Outputs[k].Tensor = d.follow(s.Outputs[k].Tensor)
		}
		r.Signatures[i] = s
	}
	return &r, r.Check()
}

type differentiator struct {
	*Builder
	moved map[string]string // outputs of nodes that are gone: what takes their place
}

// follow returns the tensor to use in the place of one.
func (d *differentiator) follow(ref string) string {
	if isControl(ref) {
		return ref
	}
	for {
		node, output, err := ParseTensor(ref)
		if err != nil {
			return ref
		}
		to, ok := d.moved[tensorName(node, output)]
		if !ok {
			return ref
		}
		ref = to
	}
}

func (d *differentiator) keep(n *tfproto.NodeDef) { d.def.Node = append(d.def.Node, n) }

// rewrite adds a node, or what takes its place under its name.
func (d *differentiator) rewrite(n *tfproto.NodeDef) error {
	switch n.Op {
	case "EnsureShape", "CheckNumerics", "PreventGradient", "Snapshot":
		n.Op = "Identity"
		n.Attr = map[string]*tfproto.AttrValue{"T": n.Attr["T"]}
	case "IdentityN":
		return d.identityN(n)
	case "ResourceGather":
		return d.resourceGather(n)
	case "FusedBatchNorm", "FusedBatchNormV2":
		if n.Op == "FusedBatchNorm" {
			n.Attr["U"] = n.Attr["T"]
		}
		n.Op = "FusedBatchNormV3"
	case "Conv2D", "DepthwiseConv2dNative":
		return d.convolution(n)
	}
	d.keep(n)
	return nil
}

// identityN makes its users use its inputs. A node that waits for the same stays, for those who wait for it.
func (d *differentiator) identityN(n *tfproto.NodeDef) error {
	data, _ := splitInputs(n.Input)
	for i, in := range data {
		d.moved[tensorName(n.Name, i)] = in
	}
	for i, in := range data {
		n.Input[i] = "^" + inputNode(in)
	}
	n.Op, n.Attr = "NoOp", nil
	d.keep(n)
	return nil
}

// resourceGather reads the variable, then gathers from it.
func (d *differentiator) resourceGather(n *tfproto.NodeDef) error {
	data, control := splitInputs(n.Input)
	if len(data) != 2 {
		return fmt.Errorf("%w: node %s (%s) has %d inputs", ErrMalformed, n.Name, n.Op, len(data))
	}
	read := d.Op("ReadVariableOp", n.Name+"/read", refs(append([]string{data[0]}, control...)), Attrs{"dtype": DTypeOf(n.Attr["dtype"].GetType())})
	axis := d.Int(n.Name+"/axis", 0)
	d.keep(&tfproto.NodeDef{Name: n.Name, Op: "GatherV2", Device: n.Device, Input: append([]string{string(read), data[1], string(axis)}, control...),
		Attr: map[string]*tfproto.AttrValue{"Tparams": n.Attr["dtype"], "Tindices": n.Attr["Tindices"], "Taxis": typeAttr(tensor.Int32),
			"batch_dims": {Value: &tfproto.AttrValue_I{I: n.Attr["batch_dims"].GetI()}}}})
	return nil
}

func refs(names []string) []Ref {
	r := make([]Ref, len(names))
	for i, n := range names {
		r[i] = Ref(n)
	}
	return r
}

// convolution takes padding and dilation out of a convolution. What is laid out NCHW stays as it is.
func (d *differentiator) convolution(n *tfproto.NodeDef) error {
	data, control := splitInputs(n.Input)
	if len(data) != 2 {
		return fmt.Errorf("%w: node %s (%s) has %d inputs", ErrMalformed, n.Name, n.Op, len(data))
	}
	layout := string(n.Attr["data_format"].GetS())
	if layout == "" || layout == "NHWC" {
		d.explicit(n, data[0], control)
		if d.dilated(n, control) {
			return nil
		}
	}
	d.keep(n)
	return nil
}

// explicit pads before the convolution.
func (d *differentiator) explicit(n *tfproto.NodeDef, image string, control []string) {
	list := n.Attr["explicit_paddings"].GetList().GetI()
	if string(n.Attr["padding"].GetS()) != "EXPLICIT" || len(list) != 8 {
		return
	}
	paddings := make([]int32, len(list))
	for i, p := range list {
		paddings[i] = int32(p)
	}
	rows := d.Const(n.Name+"/paddings", tensor.Must(tensor.Of(paddings, 4, 2)))
	padded := d.Op("Pad", n.Name+"/pad", refs(append([]string{image, string(rows)}, control...)), Attrs{"T": DTypeOf(n.Attr["T"].GetType()), "Tpaddings": tensor.Int32})
	n.Input[0] = string(padded)
	delete(n.Attr, "explicit_paddings")
	n.Attr["padding"] = stringAttr("VALID")
}

func stringAttr(s string) *tfproto.AttrValue {
	return &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte(s)}}
}

// dilated runs the convolution on every d-th row and column, for all offsets at once: tf.nn.with_space_to_batch. Nothing needs
// to be known about sizes. It reports false for a convolution without dilations, and for one with strides too, which cannot be
// run so.
func (d *differentiator) dilated(n *tfproto.NodeDef, control []string) bool {
	dilations, strides := n.Attr["dilations"].GetList().GetI(), n.Attr["strides"].GetList().GetI()
	if len(dilations) != 4 || len(strides) != 4 || dilations[1] == 1 && dilations[2] == 1 || strides[1] != 1 || strides[2] != 1 {
		return false
	}
	image, kernel := Ref(n.Input[0]), Ref(n.Input[1])
	t := DTypeOf(n.Attr["T"].GetType())
	i := ints{d.Builder, n.Name + "/"}
	block := i.vector(int(dilations[1]), int(dilations[2]))
	zero := i.vector(0, 0)
	before, after := zero, zero
	if string(n.Attr["padding"].GetS()) == "SAME" {
		total := i.op("Mul", i.op("Sub", i.sizes(kernel, t, 0), i.vector(1, 1)), block)
		before = i.op("FloorDiv", total, i.vector(2, 2))
		after = i.op("Sub", total, before)
	}
	padded := i.op("AddV2", i.op("AddV2", i.sizes(image, t, 1), before), after)
	missing := i.op("FloorMod", i.op("Neg", padded), block) // up to a multiple of the dilations
	paddings, crops := i.columns(before, i.op("AddV2", after, missing)), i.columns(zero, missing)

	spread := d.Op("SpaceToBatchND", n.Name+"/space_to_batch", append([]Ref{image, block, paddings}, refs(control)...),
		Attrs{"T": t, "Tblock_shape": tensor.Int32, "Tpaddings": tensor.Int32})
	inner := copyNode(n)
	inner.Name = d.Name(n.Name + "/convolution")
	inner.Input[0] = string(spread)
	delete(inner.Attr, "dilations")
	delete(inner.Attr, "explicit_paddings")
	inner.Attr["padding"] = stringAttr("VALID")
	d.keep(inner)
	d.keep(&tfproto.NodeDef{Name: n.Name, Op: "BatchToSpaceND", Device: n.Device, Input: []string{inner.Name, string(block), string(crops)},
		Attr: map[string]*tfproto.AttrValue{"T": n.Attr["T"], "Tblock_shape": typeAttr(tensor.Int32), "Tcrops": typeAttr(tensor.Int32)}})
	return true
}

// ints computes with pairs of sizes, int32 [2], in nodes under a prefix.
type ints struct {
	*Builder
	prefix string
}

func (i ints) vector(v ...int) Ref { return i.Ints(i.prefix+"sizes", v...) }

func (i ints) op(op string, in ...Ref) Ref {
	return i.Op(op, i.prefix+op, in, Attrs{"T": tensor.Int32})
}

// sizes returns two dimensions of a tensor of rank 4, from the given one on.
func (i ints) sizes(x Ref, t tensor.DType, from int) Ref {
	shape := i.Op("Shape", i.prefix+"shape", []Ref{x}, Attrs{"T": t, "out_type": tensor.Int32})
	return i.Op("Slice", i.prefix+"slice", []Ref{shape, i.Ints(i.prefix+"begin", from), i.Ints(i.prefix+"size", 2)}, Attrs{"T": tensor.Int32, "Index": tensor.Int32})
}

// columns returns the matrix of two columns.
func (i ints) columns(a, b Ref) Ref {
	return i.Op("Pack", i.prefix+"pack", []Ref{a, b}, Attrs{"T": tensor.Int32, "N": 2, "axis": 1})
}
