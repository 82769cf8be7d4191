//go:build cgo

package tfbridge

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// dependence says what a tensor is a matter of.
type dependence int

const (
	anything dependence = iota // nothing is known
	fixed                      // it is the same in every call
	counted                    // it is a matter of how many rows the inputs have
	rowwise                    // it is [rows, …], and each row is a matter of the same row of the inputs alone
)

// rowBytes returns how many bytes the largest tensor of a signature's graph has for each row of the inputs, if the graph can be
// run on some rows after the other with the results of a run on all; else 0. Ops that it does not know make it 0.
func rowBytes(g *graph.Graph, s *session) int {
	r := &rowRules{session: s, nodes: map[string]*tfproto.NodeDef{}, known: map[string]dependence{}}
	for _, n := range g.Def.GetNode() {
		r.nodes[n.GetName()] = n
	}
	in, out := graph.Parts(g.Signatures[0].Inputs), graph.Parts(g.Signatures[0].Outputs)
	for _, p := range in {
		node, _, err := graph.ParseTensor(p.Tensor)
		if shape := r.shape(p.Tensor); err != nil || len(shape) == 0 || shape[0] >= 0 {
			return 0
		}
		r.known[node] = rowwise
	}
	if len(in) == 0 || slices.ContainsFunc(out, func(p graph.Port) bool { return r.of(p.Tensor) != rowwise }) {
		return 0
	}
	return r.largest()
}

// largest returns how many bytes the largest tensor that was looked at has for each row, as far as that is known; at least 1.
func (r *rowRules) largest() int {
	most := 1
	for node, d := range r.known {
		if d != rowwise {
			continue
		}
		o, err := r.session.output(node)
		if err != nil {
			continue
		}
		p := r.session.port(node, o)
		if len(p.Shape) == 0 {
			continue
		}
		if elements, err := p.Shape[1:].Elements(); err == nil {
			most = max(most, elements*p.DType.Size())
		}
	}
	return most
}

type rowRules struct {
	session *session // knows the shapes
	nodes   map[string]*tfproto.NodeDef
	known   map[string]dependence // output 0, by node
}

// shape returns a tensor's shape as far as it is the same for any number of rows; nil if not even the rank is.
func (r *rowRules) shape(ref string) tensor.Shape {
	o, err := r.session.output(graph.Ref(ref).Tensor())
	if err != nil {
		return nil
	}
	return r.session.port(ref, o).Shape
}

func (r *rowRules) of(ref string) dependence {
	name, output, err := graph.ParseTensor(ref)
	if err != nil {
		return anything
	}
	if _, done := r.known[name]; !done {
		r.known[name] = r.decide(r.nodes[name])
	}
	if d := r.known[name]; output == 0 || d != rowwise {
		return d
	}
	return anything
}

func (r *rowRules) decide(n *tfproto.NodeDef) dependence {
	var in []dependence
	for _, ref := range n.GetInput() {
		if ref[0] != '^' {
			in = append(in, r.of(ref))
		}
	}
	switch {
	case slices.Contains(in, anything), len(in) == 0 && n.GetOp() != "Const":
		return anything
	case slices.Contains(in, rowwise):
		return r.ofRows(n, in)
	case slices.Contains(in, counted):
		return counted
	}
	return fixed
}

// ofRows decides about a node that reads a rowwise tensor.
func (r *rowRules) ofRows(n *tfproto.NodeDef, in []dependence) dependence {
	switch {
	case n.GetOp() == "Shape":
		return counted
	case r.keeps(n, in):
		return rowwise
	}
	return anything
}

// keeps reports whether a node that reads rows puts them out one by one, in output 0.
func (r *rowRules) keeps(n *tfproto.NodeDef, in []dependence) bool {
	switch n.GetOp() {
	case "Abs", "Add", "AddV2", "Cast", "Ceil", "ClipByValue", "Elu", "Erf", "Exp", "Expm1", "Floor", "Identity", "LeakyRelu", "Log", "Log1p", "Maximum",
		"Minimum", "Mul", "Neg", "Pow", "RealDiv", "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt",
		"Square", "SquaredDifference", "Sub", "Tanh":
		return r.elementwise(n, in)
	case "AvgPool", "BiasAdd", "Conv2D", "DepthwiseConv2dNative", "LRN", "MaxPool", "ResizeBilinear", "ResizeNearestNeighbor":
		return first(in)
	case "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3":
		training, given := n.GetAttr()["is_training"]
		return first(in) && given && !training.GetB()
	case "MatMul":
		return first(in) && !n.GetAttr()["transpose_a"].GetB()
	case "Softmax", "LogSoftmax":
		return len(r.shape(n.GetInput()[0])) > 1
	case "ArgMax", "ExpandDims", "Max", "Mean", "Min", "Pad", "PadV2", "Sum":
		return first(in) && r.within(n)
	case "ConcatV2":
		return r.joined(n, in)
	case "Reshape":
		return in[0] == rowwise && in[1] != rowwise && r.sameRows(n)
	case "Squeeze":
		return r.squeezed(n)
	}
	return false
}

// first reports whether the first input are the rows, and the others the same in every call.
func first(in []dependence) bool {
	return in[0] == rowwise && !slices.ContainsFunc(in[1:], func(d dependence) bool { return d != fixed })
}

// elementwise reports whether no input is broadcast along the rows or beyond them.
func (r *rowRules) elementwise(n *tfproto.NodeDef, in []dependence) bool {
	rank := 0
	for i, d := range in {
		if d == rowwise {
			rank = max(rank, len(r.shape(n.GetInput()[i])))
		}
	}
	for i, d := range in {
		s := r.shape(n.GetInput()[i])
		switch {
		case d == rowwise && len(s) == rank && rank > 0:
		case d == fixed && s != nil && (len(s) < rank || len(s) == rank && s[0] == 1):
		default:
			return false
		}
	}
	return true
}

// within reports whether a node does something along other axes than the rows, which a constant lists.
func (r *rowRules) within(n *tfproto.NodeDef) bool {
	rank := len(r.shape(n.GetInput()[0]))
	v := r.ints(n.GetInput()[1])
	if rank == 0 || v == nil {
		return false
	}
	if n.GetOp() == "Pad" || n.GetOp() == "PadV2" { // [rank, 2]: before and behind
		return len(v) == 2*rank && v[0] == 0 && v[1] == 0
	}
	if n.GetOp() == "ExpandDims" {
		rank++
	}
	return !slices.ContainsFunc(v, func(axis int64) bool { return axis == 0 || axis == -int64(rank) })
}

// joined reports whether rows are joined with rows, along another axis.
func (r *rowRules) joined(n *tfproto.NodeDef, in []dependence) bool {
	last := len(in) - 1
	rank, axis := len(r.shape(n.GetInput()[0])), r.ints(n.GetInput()[last])
	return rank > 0 && len(axis) == 1 && axis[0] != 0 && axis[0] != -int64(rank) &&
		!slices.ContainsFunc(in[:last], func(d dependence) bool { return d != rowwise })
}

// sameRows reports whether every row has as many elements behind a node as before, so that there are as many rows.
func (r *rowRules) sameRows(n *tfproto.NodeDef) bool {
	before, behind := r.shape(n.GetInput()[0]), r.shape(n.GetName())
	if len(before) == 0 || len(behind) == 0 || behind[0] >= 0 {
		return false
	}
	a, err := before[1:].Elements() // fails where one is unknown
	b, err2 := behind[1:].Elements()
	return err == nil && err2 == nil && a == b && a > 0
}

func (r *rowRules) squeezed(n *tfproto.NodeDef) bool {
	axes, rank := n.GetAttr()["squeeze_dims"].GetList().GetI(), len(r.shape(n.GetInput()[0]))
	return len(axes) > 0 && rank > 0 && !slices.Contains(axes, 0) && !slices.Contains(axes, -int64(rank))
}

// ints returns the integers of a constant; nil if it is none.
func (r *rowRules) ints(ref string) []int64 {
	name, _, err := graph.ParseTensor(ref)
	if err != nil {
		return nil
	}
	t, err := graph.Value(r.nodes[name])
	if err != nil || (t.DType() != tensor.Int32 && t.DType() != tensor.Int64) {
		return nil
	}
	wide, err := t.Convert(tensor.Int64)
	if err != nil {
		return nil
	}
	v, _ := tensor.Data[int64](wide)
	return v
}
