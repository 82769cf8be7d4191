package finetune

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

// unfrozen is a base of which some layers are trained together with the head.
type unfrozen struct {
	base    tfbridge.Base
	layers  []string // that are trained, in the order of the computation
	of      int      // layers that could be
	weights int      // numbers that are trained
	trace   bool     // the base is no Keras file: what is trained is its inference
}

// unfreezes reports whether layers of the base are trained.
func (o *Options) unfreezes() bool { return o.Unfreeze != "" && o.Unfreeze != "none" }

// unfreeze makes the layers that o.Unfreeze names ready to be trained: of a Keras file from its configuration, else from the
// graph.
func (b *base) unfreeze(o *Options) (*unfrozen, error) {
	u, err := b.unfreezeKeras(o)
	if err == nil && u == nil {
		u, err = b.unfreezeGraph(o)
	}
	if err != nil {
		return nil, fmt.Errorf("base %s: unfreeze %s: %w", o.Base, o.Unfreeze, err)
	}
	for _, name := range u.base.Trainable {
		u.weights += u.base.Inference.Variables[name].Len()
	}
	if err := b.differentiable(u, o); err != nil {
		return nil, fmt.Errorf("base %s: unfreeze %s: %w", o.Base, o.Unfreeze, err)
	}
	return u, nil
}

// differentiable returns an error where the base cannot be trained through: before the features are computed, not after the
// head was trained on them.
func (b *base) differentiable(u *unfrozen, o *Options) error {
	head := train.MLP{Inputs: b.width, Outputs: 1, OutputActivation: "linear"}
	m, err := tfbridge.NewFineTuning(u.base, head, nil, train.Loss{Name: train.MeanSquaredError}, train.SGD(1), o.Seed, o.tensorflow())
	if err != nil {
		return err
	}
	return m.Close()
}

// unfreezeKeras trains through the graph that the layers of a Keras file make in training. It returns nil for other files.
func (b *base) unfreezeKeras(o *Options) (*unfrozen, error) {
	m, err := kerasBase(o.Base)
	if m == nil {
		return nil, err
	}
	m.Unfreeze() // many bases were saved frozen
	options := keras.TrainingOptions{Features: b.cut, BatchStatistics: o.UnfreezeBatchNorm}
	whole, err := m.TrainingBase(options)
	if err != nil {
		return nil, err
	}
	layers := kerasLayers(m.Layers, whole.Trainable)
	first, err := choose(layers, o.Unfreeze)
	if err != nil {
		return nil, err
	}
	chosen := map[string]bool{}
	for _, l := range layers[first:] {
		for _, v := range l.variables {
			chosen[v] = true
		}
	}
	options.Trainable = func(l *keras.Layer) bool {
		return slices.ContainsFunc(l.Variables(), func(v *keras.Variable) bool { return chosen[v.Node()] })
	}
	t, err := m.TrainingBase(options)
	if err != nil {
		return nil, err
	}
	u := &unfrozen{base: tfbridge.Base(*t)}
	u.layers, u.of = named(layers, first)
	return u, nil
}

// kerasBase reads a Keras file; nil if it is another one.
func kerasBase(path string) (*keras.Model, error) {
	switch format, err := cambium.Detect(path); {
	case err != nil:
		return nil, err
	case format != cambium.Keras && format != cambium.H5:
		return nil, nil
	}
	return keras.Load(path)
}

// baseLayer is a layer of a base with those of its variables that could be trained; there may be none.
type baseLayer struct {
	name      string
	variables []string
}

// kerasLayers lists the layers of a model, nested models and what they hold one after the other.
func kerasLayers(list []*keras.Layer, trainable []string) []baseLayer {
	var layers []baseLayer
	for _, l := range list {
		layer := baseLayer{name: l.Name}
		if l.Model == nil {
			for _, v := range l.Variables() {
				if slices.Contains(trainable, v.Node()) {
					layer.variables = append(layer.variables, v.Node())
				}
			}
		}
		layers = append(layers, layer)
		if l.Model != nil {
			layers = append(layers, kerasLayers(l.Model.Layers, trainable)...)
		}
	}
	return layers
}

// unfreezeGraph trains through the graph that is run: the inference of a SavedModel or a frozen graph.
func (b *base) unfreezeGraph(o *Options) (*unfrozen, error) {
	if o.UnfreezeBatchNorm {
		return nil, fmt.Errorf("%w: it is no Keras file, but the trace of an inference: its batch normalization has no training mode", ErrOption)
	}
	g, err := graph.Thaw(b.graph)
	if err != nil {
		return nil, err
	}
	layers := graphLayers(g)
	first, err := choose(layers, o.Unfreeze)
	if err != nil {
		return nil, err
	}
	u := &unfrozen{base: tfbridge.Base{Inference: g}, trace: true}
	for _, l := range layers[first:] {
		u.base.Trainable = append(u.base.Trainable, l.variables...)
	}
	u.layers, u.of = named(layers, first)
	return u, nil
}

// graphLayers lists the name scopes of a graph's variables in the order of the computation.
func graphLayers(g *graph.Graph) []baseLayer {
	w := walker{nodes: map[string]*tfproto.NodeDef{}, seen: map[string]bool{}}
	for _, n := range g.Def.GetNode() {
		w.nodes[n.GetName()] = n
	}
	w.walk(g.Signatures[0].Outputs[0].Tensor)
	var layers []baseLayer
	place := map[string]int{}
	for _, v := range w.variables {
		scope := scopeOf(v)
		at, ok := place[scope]
		if !ok {
			at = len(layers)
			place[scope] = at
			layers = append(layers, baseLayer{name: scope})
		}
		layers[at].variables = append(layers[at].variables, v)
	}
	return layers
}

// scopeOf is the layer of a variable by its name: "conv2d/kernel" is conv2d's, and so is "conv2d/kernel/value", the constant
// that a variable was frozen to.
func scopeOf(variable string) string {
	name := strings.TrimSuffix(variable, "/value")
	if at := strings.LastIndexByte(name, '/'); at > 0 {
		return name[:at]
	}
	return name
}

// walker goes through a graph from its end, to what an op takes before the op.
type walker struct {
	nodes     map[string]*tfproto.NodeDef
	seen      map[string]bool
	variables []string // in the order of the computation
}

func (w *walker) walk(ref string) {
	name, _, err := graph.ParseTensor(ref)
	n := w.nodes[name]
	if err != nil || n == nil || w.seen[name] {
		return
	}
	w.seen[name] = true
	for _, in := range inputs(n) {
		w.walk(in)
	}
	if n.GetOp() == "VarHandleOp" {
		w.variables = append(w.variables, name)
	}
}

// choose returns the first of the layers to train: what is "all", the number of layers with weights at the end, or the name of
// one, of which the last part is enough.
func choose(layers []baseLayer, what string) (int, error) {
	var weighted []int
	for i, l := range layers {
		if len(l.variables) > 0 {
			weighted = append(weighted, i)
		}
	}
	if len(weighted) == 0 {
		return 0, fmt.Errorf("%w: it has no weights that could be trained", ErrOption)
	}
	if what == "all" {
		return 0, nil
	}
	if n, err := strconv.Atoi(what); err == nil {
		if n < 1 || n > len(weighted) {
			return 0, fmt.Errorf("%w: it has %d layers with weights; the number is at least 1 and at most that", ErrOption, len(weighted))
		}
		return weighted[len(weighted)-n], nil
	}
	at := slices.IndexFunc(layers, func(l baseLayer) bool { return l.name == what })
	if at < 0 {
		at = slices.IndexFunc(layers, func(l baseLayer) bool { return strings.HasSuffix(l.name, "/"+what) })
	}
	names, _ := named(layers, 0)
	switch {
	case at < 0:
		return 0, fmt.Errorf("%w: there is no layer %q before the features; those with weights are %s", ErrOption, what, few(names))
	case at > weighted[len(weighted)-1]:
		return 0, fmt.Errorf("%w: neither layer %q nor one after it has weights; those with weights are %s", ErrOption, what, few(names))
	}
	return at, nil
}

// named returns the names of the layers with weights from one on, and how many there are in all.
func named(layers []baseLayer, first int) (names []string, all int) {
	for i, l := range layers {
		if len(l.variables) == 0 {
			continue
		}
		if all++; i >= first {
			names = append(names, l.name)
		}
	}
	return names, all
}

// few lists names, of many the first and the last.
func few(names []string) string {
	const ends = 8
	if len(names) > 2*ends {
		names = slices.Concat(names[:ends], []string{"…"}, names[len(names)-ends:])
	}
	return strings.Join(names, ", ")
}

// standardized returns the graph with its features scaled as the head was trained on them.
func standardized(g *graph.Graph, s standard) (*graph.Graph, error) {
	if g == nil {
		return nil, nil
	}
	mean, deviation := make([]float32, len(s.Mean)), make([]float32, len(s.Mean))
	for i := range mean {
		mean[i], deviation[i] = float32(s.Mean[i]), float32(s.Deviation[i])
	}
	b := graph.NewBuilder()
	f32 := graph.Attrs{"T": tensor.Float32}
	shift := b.Op("Sub", "standardize/shift", []graph.Ref{graph.Ref(g.Signatures[0].Outputs[0].Tensor), b.Const("standardize/mean", tensor.Must(tensor.Of(mean)))}, f32)
	scale := b.Op("RealDiv", "standardize/scale", []graph.Ref{shift, b.Const("standardize/deviation", tensor.Must(tensor.Of(deviation)))}, f32)
	added, err := b.Finish()
	if err != nil {
		return nil, err
	}
	return withOutput(g, scale.Tensor(), added.Def.GetNode()), nil
}
