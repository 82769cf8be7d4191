//go:build cgo

package tfbridge

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tfbridge/internal/binding"
)

// differentiable are the ops whose C++ gradient was compared with finite differences and found right.
var differentiable = setOf(
	"Abs", "Add", "AddN", "AddV2", "AvgPool", "BatchMatMulV2", "BatchToSpaceND", "BiasAdd", "Cast", "ClipByValue", "ConcatV2", "Conv2D",
	"Conv2DBackpropInput", "DepthwiseConv2dNative", "Einsum", "Elu", "Erf", "Exp", "ExpandDims", "FusedBatchNormV3", "GatherV2",
	"Identity", "LeakyRelu", "Log", "Log1p", "LogSoftmax", "MatMul", "Max", "MaxPool", "Maximum", "Mean", "Minimum", "MirrorPad",
	"Mul", "Neg", "Pack", "Pad", "Pow", "Prod", "ReadVariableOp", "RealDiv", "Relu", "Relu6", "Reshape", "ResizeBilinear",
	"ResizeNearestNeighbor", "Rsqrt", "SelectV2", "Selu", "Sigmoid", "Softmax", "Softplus", "Softsign", "SpaceToBatchND", "Sqrt", "Square",
	"SquaredDifference", "Squeeze", "StridedSlice", "Sub", "Sum", "Tanh", "Tile", "Transpose", "Unpack",
)

// constant are the ops whose outputs do not change when their inputs do a little: gradients end there.
var constant = setOf("Equal", "Floor", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual", "OneHot", "Rank", "Shape", "Size",
	"StopGradient", "ZerosLike")

func setOf(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, n := range names {
		s[n] = true
	}
	return s
}

// addGradients adds to a graph the derivatives of Σ dy·y by each x, and returns them. The graph is differentiated by
// TensorFlow's C++ gradients (tensorflow/cc/gradients), some of which are wrong, and those that are missing are found out too
// late: an op between x and y that is not known to be right is refused by its name. Errors wrap graph.ErrUnsupported.
func addGradients(b *graph.Builder, y, x, dy []graph.Ref) ([]graph.Ref, error) {
	g, err := b.Finish()
	if err != nil {
		return nil, err
	}
	data, err := proto.Marshal(g.Def)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrMalformed, err)
	}
	scratch := binding.NewGraph()
	defer deleteGraph(scratch)
	if err := scratch.ImportWithOptions(data, binding.GraphImportOptions{}); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	if err := checkGradients(g.Def, scratch, y, x); err != nil {
		return nil, err
	}
	prefix := b.Name("gradients")
	outputs, err := differentiate(scratch, prefix, y, x, dy)
	if err != nil {
		return nil, err
	}
	added, err := nodesUnder(scratch, prefix)
	if err != nil {
		return nil, err
	}
	g.Def.Node = append(g.Def.Node, added...) // the builder's own: it goes on from here
	return outputs, nil
}

// differentiate calls the binding. What it returns for an x that no y depends on is no output, which must not be used.
func differentiate(g *binding.Graph, prefix string, y, x, dy []graph.Ref) ([]graph.Ref, error) {
	var lists [3][]binding.Output
	for i, refs := range [][]graph.Ref{y, x, dy} {
		for _, r := range refs {
			o, err := outputOf(g, r)
			if err != nil {
				return nil, err
			}
			lists[i] = append(lists[i], o)
		}
	}
	found, err := g.AddGradients(prefix, lists[0], lists[1], lists[2])
	if err != nil {
		return nil, fmt.Errorf("%w: gradients: %s", graph.ErrUnsupported, oneLine(err.Error()))
	}
	refs := make([]graph.Ref, len(found))
	for i, o := range found {
		if o.Index < 0 || o.Op == nil {
			return nil, fmt.Errorf("%w: gradients: nothing that is minimized depends on %s", graph.ErrUnsupported, x[i])
		}
		refs[i] = graph.Ref(o.Op.Name()).Output(o.Index)
	}
	return refs, nil
}

func outputOf(g *binding.Graph, r graph.Ref) (binding.Output, error) {
	node, i, err := graph.ParseTensor(r.Tensor())
	if err != nil {
		return binding.Output{}, err
	}
	op := g.Operation(node)
	if op == nil || i >= op.NumOutputs() {
		return binding.Output{}, fmt.Errorf("%w: there is no %q", ErrName, r)
	}
	return op.Output(i), nil
}

// nodesUnder returns the nodes of a graph whose names start with prefix/.
func nodesUnder(g *binding.Graph, prefix string) ([]*tfproto.NodeDef, error) {
	var data bytes.Buffer
	if _, err := g.WriteTo(&data); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	def := &tfproto.GraphDef{}
	if err := proto.Unmarshal(data.Bytes(), def); err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrMalformed, err)
	}
	return slices.DeleteFunc(def.GetNode(), func(n *tfproto.NodeDef) bool { return !strings.HasPrefix(n.GetName(), prefix+"/") }), nil
}

// checkGradients looks at every node between x and y. imported is the same graph, with the shapes that TensorFlow infers.
func checkGradients(def *tfproto.GraphDef, imported *binding.Graph, y, x []graph.Ref) error {
	w := gradientWalk{imported: imported, nodes: map[string]*tfproto.NodeDef{}, depends: map[string]bool{}}
	for _, n := range def.GetNode() {
		w.nodes[n.GetName()] = n
	}
	for _, r := range x {
		w.depends[nodeOf(string(r))] = true
	}
	for _, r := range y {
		if _, err := w.reaches(nodeOf(string(r))); err != nil {
			return err
		}
	}
	return nil
}

// nodeOf returns the node that an input belongs to.
func nodeOf(input string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(input, "^"), ":")
	return name
}

// gradientWalk goes from y back to x.
type gradientWalk struct {
	imported *binding.Graph
	nodes    map[string]*tfproto.NodeDef
	depends  map[string]bool // on an x, of the nodes that were seen
}

// reaches reports whether a node depends on an x, and refuses one that does and cannot be differentiated.
func (w *gradientWalk) reaches(name string) (bool, error) {
	if r, seen := w.depends[name]; seen {
		return r, nil
	}
	w.depends[name] = false
	n := w.nodes[name]
	if constant[n.GetOp()] {
		return false, nil
	}
	for _, in := range n.GetInput() {
		if strings.HasPrefix(in, "^") {
			continue
		}
		r, err := w.reaches(nodeOf(in))
		if err != nil {
			return false, err
		}
		w.depends[name] = w.depends[name] || r
	}
	if !w.depends[name] {
		return false, nil
	}
	return true, w.check(n)
}

// check refuses ops without a gradient, and attributes and ranks with which a gradient is wrong.
func (w *gradientWalk) check(n *tfproto.NodeDef) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w: gradients: node %s (%s) %s", graph.ErrUnsupported, n.GetName(), n.GetOp(), why)
	}
	if !differentiable[n.GetOp()] {
		return refuse("has no gradient that is known to be right")
	}
	if slices.ContainsFunc(n.GetAttr()["dilations"].GetList().GetI(), func(d int64) bool { return d != 1 }) {
		return refuse("is dilated, and TensorFlow's gradient of that is wrong")
	}
	if n.GetOp() == "LogSoftmax" && w.imported.Operation(n.GetName()).Output(0).Shape().NumDimensions() != 2 {
		return refuse("is not known to have rank 2, and TensorFlow's gradient is wrong for others")
	}
	if n.GetOp() == "Conv2D" && string(n.GetAttr()["padding"].GetS()) == "EXPLICIT" {
		return refuse("has EXPLICIT padding, and TensorFlow's gradient of that fails")
	}
	return nil
}
