//go:build cgo

package tfbridge

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge/internal/binding"
	"github.com/cambium-go/cambium/train"
)

// trainable is a network in a session.
type trainable struct {
	*network
	seed       *train.Random
	rate       float64
	iterations int64

	session *session
	call    *call
	gpu     bool
	nodes   []*tfproto.NodeDef // of the variables: the weights, then the slots
	graphs  map[kind]*tfproto.GraphDef
	copies  int
	idle    map[kind][]*copied // of closed data sets
	bounds  map[*bound]struct{}
}

// networks counts those of this process.
var networks atomic.Int64

func newMLP(m train.MLP, l train.Loss, o train.Optimizer, seed uint64, opts Options, weights []train.Weight) (train.Trainable, error) {
	return newTrainable(nil, m, l, o, seed, opts, weights)
}

func newTrainable(b *base, m train.MLP, l train.Loss, o train.Optimizer, seed uint64, opts Options, weights []train.Weight) (train.Trainable, error) {
	config, err := opts.config()
	if err != nil {
		return nil, err
	}
	if b != nil {
		unfused(config)
	}
	changed := slices.DeleteFunc(slices.Clone(weights), func(w train.Weight) bool { return !w.Trainable })
	n := &network{base: b, mlp: m, loss: l, optimizer: o, weights: weights, slots: o.SlotVariables(changed), scope: fmt.Sprintf("network_%d/", networks.Add(1))}
	t := &trainable{network: n, rate: o.LearningRate, graphs: map[kind]*tfproto.GraphDef{}, idle: map[kind][]*copied{}, bounds: map[*bound]struct{}{}}
	t.Seed(seed)
	if _, err := t.graph(kind{targets: true}); err != nil { // what cannot be built is found out now
		return nil, err
	}
	g, err := n.variables()
	if err != nil {
		return nil, err
	}
	t.nodes = slices.Clone(g.Def.GetNode())[:len(n.weights)+len(n.slots)]
	if t.session, err = load(g, &opts, config); err != nil {
		return nil, err
	}
	devices, err := t.session.devices()
	if err != nil {
		return nil, errors.Join(err, t.session.close())
	}
	t.gpu = slices.ContainsFunc(devices, func(d Device) bool { return d.Type == "GPU" })
	t.call = newCall()
	return t, nil
}

// unfused keeps TensorFlow from fusing a convolution with what follows, unless the options ask for it: it fuses some that none of
// its kernels can run, such as a batch normalization and tanh, and in a training step there is nothing to fuse.
func unfused(c *tfproto.ConfigProto) {
	own := &tfproto.ConfigProto{GraphOptions: &tfproto.GraphOptions{RewriteOptions: &tfproto.RewriterConfig{Remapping: tfproto.RewriterOff}}}
	proto.Merge(own, c)
	proto.Merge(c, own)
}

// graph returns the network's graph for a kind of data set.
func (t *trainable) graph(k kind) (*tfproto.GraphDef, error) {
	if g := t.graphs[k]; g != nil {
		return g, nil
	}
	g, err := t.write(k)
	if err == nil {
		t.graphs[k] = g
	}
	return g, err
}

// OutputWidth returns the units of the last layer.
func (t *trainable) OutputWidth() int { return t.mlp.Outputs }

// Loss returns the loss.
func (t *trainable) Loss() train.Loss { return t.loss }

// Optimizer returns the optimizer.
func (t *trainable) Optimizer() train.Optimizer { return t.optimizer }

// Seed seeds dropout.
func (t *trainable) Seed(seed uint64) { t.seed = train.NewRandom(seed, streamDropout) }

// streamDropout is far from the streams that the first weights are drawn from.
const streamDropout = 1 << 32

// SetLearningRate sets the rate of the steps that follow.
func (t *trainable) SetLearningRate(rate float64) error {
	if t.session == nil {
		return ErrClosed
	}
	t.rate = rate
	return nil
}

// read returns copies of variables.
func (t *trainable) read(nodes []*tfproto.NodeDef) ([]*tensor.Tensor, error) {
	if t.session == nil {
		return nil, ErrClosed
	}
	found, err := t.session.variables(nodes)
	if err != nil {
		return nil, err
	}
	values := make([]*tensor.Tensor, len(nodes))
	for i, n := range nodes {
		values[i] = found[n.GetName()]
	}
	return values, nil
}

// assign sets variables, all or none.
func (t *trainable) assign(nodes []*tfproto.NodeDef, own []tensor.Shape, values []*tensor.Tensor) error {
	if t.session == nil {
		return ErrClosed
	}
	if len(values) != len(nodes) {
		return fmt.Errorf("%w: %d tensors for %d variables", train.ErrData, len(values), len(nodes))
	}
	set := &graph.Graph{Variables: map[string]*tensor.Tensor{}}
	for i, n := range nodes {
		v := values[i]
		if v == nil || v.DType() != tensor.Float32 || !v.Shape().Equal(own[i]) {
			return fmt.Errorf("%w: %s is float32 %v, %v was given", train.ErrData, n.GetName()[len(t.scope):], own[i], v)
		}
		set.Variables[n.GetName()] = v
	}
	return t.session.setVariables(set)
}

// Weights returns copies of the weights, whatever was asked for: they live in TensorFlow.
func (t *trainable) Weights(bool) ([]train.Weight, error) {
	values, err := t.read(t.nodes[:len(t.weights)])
	if err != nil {
		return nil, err
	}
	weights := slices.Clone(t.weights)
	for i := range weights {
		weights[i].Value = values[i]
	}
	return weights, nil
}

// SetWeights sets the weights, all or none.
func (t *trainable) SetWeights(values []*tensor.Tensor) error {
	var shapes []tensor.Shape
	for _, w := range t.weights {
		shapes = append(shapes, w.Value.Shape())
	}
	return t.assign(t.nodes[:len(t.weights)], shapes, values)
}

// State returns the number of steps and the slots.
func (t *trainable) State() (train.State, error) {
	values, err := t.read(t.nodes[len(t.weights):])
	if err != nil {
		return train.State{}, err
	}
	s := train.State{Iterations: t.iterations, LearningRate: t.rate}
	for i, v := range t.slots {
		s.Slots = append(s.Slots, train.Weight{Name: v.Name, Value: values[i]})
	}
	return s, nil
}

// SetState sets the slots, all or none.
func (t *trainable) SetState(s train.State) error {
	var shapes []tensor.Shape
	var values []*tensor.Tensor
	for _, v := range t.slots {
		shapes = append(shapes, v.Shape)
	}
	for _, v := range s.Slots {
		values = append(values, v.Value)
	}
	if err := t.assign(t.nodes[len(t.weights):], shapes, values); err != nil {
		return err
	}
	t.iterations, t.rate = s.Iterations, s.LearningRate
	return nil
}

// Close frees the session. Closing again does nothing.
func (t *trainable) Close() error {
	if t.session == nil {
		return nil
	}
	for b := range t.bounds {
		b.copied.free()
	}
	for _, list := range t.idle {
		for _, c := range list {
			c.free()
		}
	}
	t.call.free()
	err := t.session.close()
	t.session, t.call, t.bounds, t.idle = nil, nil, nil, nil
	return err
}

// copied is a copy of the network's graph in the session, for one data set at a time.
type copied struct {
	prefix string
	plans  [2][2]*plan // evaluating and training; without and with the loss
}

// copyFor returns a copy of the network for a kind of data set: one that was used before, or a new one.
func (t *trainable) copyFor(k kind) (*copied, error) {
	if list := t.idle[k]; len(list) > 0 {
		t.idle[k] = list[:len(list)-1]
		return list[len(list)-1], nil
	}
	def, err := t.graph(k)
	if err != nil {
		return nil, err
	}
	t.copies++
	c := &copied{prefix: fmt.Sprintf("copy_%d/", t.copies)}
	own := proto.CloneOf(def)
	for _, n := range own.GetNode() {
		if isResource(n) && slices.Contains([]string{nodeX, nodeScale, nodeY, nodeWeights}, n.GetName()) {
			n.Attr["shared_name"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte(t.scope + c.prefix + n.GetName())}}
		}
	}
	data, err := proto.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrMalformed, err)
	}
	if err := t.session.graph.ImportWithOptions(data, binding.GraphImportOptions{Prefix: c.prefix[:len(c.prefix)-1]}); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTensorFlow, oneLine(err.Error()))
	}
	return c, nil
}

// plan returns what a batch is run by. Outputs are the predictions, and the loss after them where it is wanted.
func (c *copied) plan(t *trainable, training, withLoss bool) (*plan, error) {
	at := &c.plans[bit(training)][bit(withLoss)]
	if *at != nil {
		return *at, nil
	}
	in, out, targets := []string{nodeIndex}, []string{nodePredictions}, []string(nil)
	if t.base != nil {
		in = append(in, nodeSamples)
	}
	loss := nodeLoss
	if training {
		in, out, loss, targets = append(in, nodeCoefficients), []string{nodeTrained}, nodeTrainLoss, []string{c.prefix + nodeStep}
		if t.session.operation(c.prefix+nodeSeed) != nil {
			in = append(in, nodeSeed)
		}
	}
	if withLoss {
		out = append(out, loss)
	}
	named := func(nodes []string) ([]graph.Port, error) {
		names := make([]string, len(nodes))
		for i, n := range nodes {
			names[i] = c.prefix + n + ":0"
		}
		ports, err := t.session.ports(names)
		for i := range ports {
			ports[i].Name = nodes[i]
		}
		return ports, err
	}
	inputs, err := named(in)
	if err != nil {
		return nil, err
	}
	outputs, err := named(out)
	if err != nil {
		return nil, err
	}
	*at, err = t.session.plan(inputs, outputs, targets)
	return *at, err
}

func (c *copied) free() {
	for _, pair := range c.plans {
		for _, p := range pair {
			if p != nil {
				p.free()
			}
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
