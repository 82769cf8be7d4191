package graph

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Fold returns the graph with what stands around convolutions and matrix products moved into their weights, for inference:
//
//	y = (x∗w)·a + b, also as FusedBatchNorm    ⟶  y = x∗(w·a) + b      one multiplication the fewer for each element
//	zeros padded around x, then a convolution  ⟶  a convolution that pads
//
// It finds Mul, Add, Sub, BiasAdd and FusedBatchNorm (V2, V3) by constants for each channel, behind Conv2D,
// DepthwiseConv2dNative and MatMul of constant float32 weights, in the layout NHWC; where the constants are themselves computed
// from constants, they are computed here. It expects a graph from ForSignature. Outputs differ in rounding, by about 1e-6 of
// the largest element. The result is not for training: TensorFlow has no gradient of a convolution with explicit padding.
// The given graph is not changed.
func Fold(g *Graph) (*Graph, error) {
	nodes, err := index(g.Def)
	if err != nil {
		return nil, err
	}
	f := &folder{
		definitions: g.definitions(), order: slices.Clone(g.Def.Node), nodes: nodes,
		consts: constants{nodes: nodes, known: map[string]*tensor.Tensor{}}, fixed: map[string]bool{}, shapes: map[string]tensor.Shape{},
	}
	for _, r := range g.roots() {
		f.fixed[inputNode(r)] = true
	}
	f.link()
	for _, old := range g.Def.Node {
		switch n := f.nodes[old.Name]; {
		case n == nil:
		case isLinear(n.Op):
			f.affine(n)
		case n.Op == "Pad" || n.Op == "PadV2":
			f.pad(n)
		}
	}
	r := *g
	r.Def = &tfproto.GraphDef{Versions: g.Def.Versions, Library: g.Def.Library}
	for _, n := range f.order {
		if f.nodes[n.Name] == n {
			r.Def.Node = append(r.Def.Node, n)
		}
	}
	return Prune(&r, r.roots()...)
}

type folder struct {
	definitions
	order  []*tfproto.NodeDef // every node there was
	nodes  nodeIndex          // those there are
	consts constants
	users  map[string][]*tfproto.NodeDef // by node, once for each input
	fixed  map[string]bool               // nodes that a signature or a checkpoint names
	shapes map[string]tensor.Shape       // of tensors that shape was asked for
}

func isLinear(op string) bool {
	return op == "Conv2D" || op == "DepthwiseConv2dNative" || op == "MatMul"
}

// link finds the users of every node.
func (f *folder) link() {
	f.users = map[string][]*tfproto.NodeDef{}
	for _, n := range f.nodes {
		f.use(n)
	}
}

func (f *folder) use(n *tfproto.NodeDef) {
	for _, in := range n.Input {
		f.users[inputNode(in)] = append(f.users[inputNode(in)], n)
	}
}

// replace removes a node, and puts another one into the graph.
func (f *folder) replace(old, n *tfproto.NodeDef) {
	if old != nil {
		delete(f.nodes, old.Name)
		for _, in := range old.Input {
			from := inputNode(in)
			f.users[from] = slices.DeleteFunc(slices.Clone(f.users[from]), func(u *tfproto.NodeDef) bool { return u == old })
		}
	}
	if n != nil {
		f.nodes[n.Name] = n
		f.order = append(f.order, n)
		f.use(n)
		delete(f.consts.known, n.Name)
	}
}

// only returns the one node that reads output 0 of n, if nothing else needs n.
func (f *folder) only(n *tfproto.NodeDef) *tfproto.NodeDef {
	users := f.users[n.Name]
	if len(users) != 1 || f.fixed[n.Name] {
		return nil
	}
	u := users[0]
	for _, in := range u.Input {
		if inputNode(in) == n.Name && in != n.Name && in != n.Name+":0" {
			return nil
		}
	}
	return u
}

// isNHWC reports whether the channels are the last dimension.
func (f *folder) isNHWC(n *tfproto.NodeDef) bool {
	if n.Op == "MatMul" {
		return true
	}
	s := string(attr(n, f.op(n.Op), "data_format").GetS())
	return s == "NHWC" || s == ""
}

// weights returns the weights of a linear op with the number of its channels, and for each weight the channel it belongs to.
func (f *folder) weights(n *tfproto.NodeDef) (w *tensor.Tensor, channels int, channel func(i int) int) {
	if len(n.Input) < 2 || !f.isNHWC(n) {
		return nil, 0, nil
	}
	w = f.consts.value(n.Input[1])
	if w == nil || w.DType() != tensor.Float32 || w.Len() == 0 {
		return nil, 0, nil
	}
	shape := w.Shape()
	switch {
	case n.Op == "MatMul" && len(shape) == 2 && n.Attr["transpose_b"].GetB():
		return w, shape[0], func(i int) int { return i / shape[1] }
	case n.Op == "MatMul" && len(shape) == 2, n.Op == "Conv2D" && len(shape) == 4:
		channels = shape[len(shape)-1]
	case n.Op == "DepthwiseConv2dNative" && len(shape) == 4:
		channels = shape[2] * shape[3]
	default:
		return nil, 0, nil
	}
	return w, channels, func(i int) int { return i % channels }
}

// step is y·scale + shift for each channel.
type step struct{ scale, shift []float64 }

// affine moves the affine steps behind n into its weights and one BiasAdd. What comes last keeps its name.
func (f *folder) affine(n *tfproto.NodeDef) {
	w, channels, channel := f.weights(n)
	if w == nil {
		return
	}
	out := output{rank: len(w.Shape()), channels: channels}
	total := step{scale: make([]float64, channels), shift: make([]float64, channels)}
	for i := range total.scale {
		total.scale[i] = 1
	}
	var chain []*tfproto.NodeDef
	scaled, shifted := false, false
	for last := n; ; {
		u := f.only(last)
		if u == nil {
			break
		}
		s, ok := f.step(u, last, out)
		if !ok {
			break
		}
		for i := range channels {
			if s.scale != nil {
				total.scale[i] *= s.scale[i]
				total.shift[i] *= s.scale[i]
			}
			if s.shift != nil {
				total.shift[i] += s.shift[i]
			}
		}
		scaled, shifted = scaled || s.scale != nil, shifted || s.shift != nil
		chain = append(chain, u)
		last = u
	}
	if len(chain) == 0 || (len(chain) == 1 && f.isPlainBias(chain[0])) || !finite(total) {
		return
	}
	last := chain[len(chain)-1]
	linear := copyNode(n)
	if scaled {
		k := constNode(f.free(last.Name+"/weights"), scaleWeights(w, total.scale, channel))
		f.replace(nil, k)
		linear.Input[1] = k.Name
	}
	if !shifted {
		linear.Name = last.Name
	}
	f.replace(n, nil)
	for _, u := range chain {
		f.replace(u, nil)
	}
	f.replace(nil, linear)
	if shifted {
		f.bias(last, linear.Name, total.shift)
	}
}

// isPlainBias reports whether a node adds a constant as it stands, so that there is nothing to gain.
func (f *folder) isPlainBias(n *tfproto.NodeDef) bool {
	return n.Op == "BiasAdd" && f.nodes[inputNode(n.Input[1])].Op == "Const"
}

// bias adds shift to the output of a node, in the place of the node that did that last.
func (f *folder) bias(last *tfproto.NodeDef, linear string, shift []float64) {
	v := make([]float32, len(shift))
	for i := range v {
		v[i] = float32(shift[i])
	}
	b := constNode(f.free(last.Name+"/bias"), tensor.Must(tensor.Of(v)))
	n := &tfproto.NodeDef{Name: last.Name, Op: "BiasAdd", Device: last.Device, Input: []string{linear, b.Name}, Attr: map[string]*tfproto.AttrValue{
		"T": typeAttr(tensor.Float32), "data_format": {Value: &tfproto.AttrValue_S{S: []byte("NHWC")}},
	}}
	if shapes := last.Attr["_output_shapes"].GetList().GetShape(); len(shapes) > 0 {
		n.Attr["_output_shapes"] = shapesAttr(shapes[:1])
	}
	f.replace(nil, b)
	f.replace(nil, n)
}

func (f *folder) free(name string) string {
	for f.nodes[name] != nil {
		name += "_"
	}
	return name
}

func scaleWeights(w *tensor.Tensor, scale []float64, channel func(int) int) *tensor.Tensor {
	v, _ := tensor.Data[float32](w)
	r := make([]float32, len(v))
	for i := range v {
		r[i] = float32(float64(v[i]) * scale[channel(i)])
	}
	return tensor.Must(tensor.Of(r, w.Shape()...))
}

func finite(s step) bool {
	for i := range s.scale {
		if math.IsNaN(s.scale[i]+s.shift[i]) || math.IsInf(s.scale[i]+s.shift[i], 0) {
			return false
		}
	}
	return true
}

// output describes what a linear op puts out: [batch, …, channels].
type output struct{ rank, channels int }

// step reads what u does to its input from: ok is false where that is nothing of the form y·scale + shift.
func (f *folder) step(u, from *tfproto.NodeDef, out output) (s step, ok bool) {
	data, control := splitInputs(u.Input)
	if len(control) > 0 || u.Device != from.Device {
		return s, false
	}
	switch u.Op {
	case "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3":
		return f.batchNorm(u, from, out)
	case "Mul", "Add", "AddV2", "Sub", "BiasAdd":
	default:
		return s, false
	}
	if len(data) != 2 || (u.Op == "BiasAdd" && !f.isNHWC(u)) {
		return s, false
	}
	other := data[1]
	if inputNode(other) == from.Name {
		if other = data[0]; u.Op == "Sub" || u.Op == "BiasAdd" {
			return s, false
		}
	}
	v := f.perChannel(other, out)
	if v == nil {
		return s, false
	}
	switch u.Op {
	case "Mul":
		return step{scale: v}, true
	case "Sub":
		for i := range v {
			v[i] = -v[i]
		}
	}
	return step{shift: v}, true
}

// batchNorm reads (x-mean)·scale/√(variance+ε) + offset.
func (f *folder) batchNorm(u, from *tfproto.NodeDef, out output) (s step, ok bool) {
	def := f.op(u.Op)
	if len(u.Input) < 5 || inputNode(u.Input[0]) != from.Name || attr(u, def, "is_training").GetB() || !f.isNHWC(u) || out.rank != 4 {
		return s, false
	}
	for _, user := range f.users[u.Name] { // nobody needs the statistics
		for _, in := range user.Input {
			if inputNode(in) == u.Name && in != u.Name && in != u.Name+":0" {
				return s, false
			}
		}
	}
	var v [4][]float64 // scale, offset, mean, variance
	for i := range v {
		if t := f.consts.value(u.Input[1+i]); t == nil || t.Len() != out.channels {
			return s, false
		}
		if v[i] = f.perChannel(u.Input[1+i], out); v[i] == nil {
			return s, false
		}
	}
	epsilon := float64(attr(u, def, "epsilon").GetF())
	s = step{scale: make([]float64, out.channels), shift: make([]float64, out.channels)}
	for i := range out.channels {
		s.scale[i] = v[0][i] / math.Sqrt(v[3][i]+epsilon)
		s.shift[i] = v[1][i] - v[2][i]*s.scale[i]
	}
	return s, true
}

// perChannel returns a constant that is broadcast along the channels of an output; nil if it is not one.
func (f *folder) perChannel(ref string, out output) []float64 {
	t := f.consts.value(ref)
	if t == nil || t.DType() != tensor.Float32 {
		return nil
	}
	shape := t.Shape()
	if len(shape) > out.rank || (t.Len() != 1 && (t.Len() != out.channels || shape[len(shape)-1] != out.channels)) {
		return nil
	}
	v, err := tensor.Data[float32](t)
	if err != nil {
		return nil
	}
	r := make([]float64, out.channels)
	for i := range r {
		r[i] = float64(v[min(i, len(v)-1)])
	}
	return r
}
