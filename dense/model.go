package dense

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cambium-go/cambium/dense/internal/pool"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// ErrClosed is returned by a model after Close.
var ErrClosed = errors.New("dense: the model is closed")

// Config holds what concerns the whole model.
type Config struct {
	Name    string // "sequential" if empty; the first part of every weight's name
	Seed    uint64 // of initial weights and dropout
	Threads int    // that work on a training step or a large batch; 0 means GOMAXPROCS. Results do not depend on it.
}

// Model is a sequence of layers. It implements train.Trainable once Compile has settled loss and optimizer. Predict may be
// called from several goroutines at once, but not while the model is trained or its weights are set.
type Model struct {
	name        string
	seed        uint64
	threads     int
	layers      []layerInfo
	inputShape  []int
	outputShape []int

	entries                []entry
	inputPer, inputColumns int
	parameters             []*parameter // in the order of get_weights
	refreshers             []interface{ refresh() }

	compiled   bool
	loss       train.Loss
	metrics    []train.Metric
	optimizer  train.Optimizer
	rate       float64
	iterations int64

	mu         sync.Mutex
	pool       *pool.Pool
	poolRun    sync.Mutex // held while the pool works
	trainer    *trainer
	free       [2][]*passage // idle passages, by size
	crowd      *crowd        // guarded by poolRun, and so are the next two
	together   *together
	predicted  time.Duration
	predicting atomic.Int64 // predictions under way
	bounds     map[*bound]struct{}
	closed     bool
}

// layerInfo is a row of Summary.
type layerInfo struct {
	name, class string
	output      []int
	first, last int // parameters
}

// Sequential returns a model of the given layers, the first of which is Input, with freshly drawn weights.
// The error says which layer does not fit.
func Sequential(layers ...Layer) (*Model, error) { return New(Config{}, layers...) }

// mostThreads is more than machines have, and less than a process may start.
const mostThreads = 1024

// New is Sequential with a Config.
func New(c Config, layers ...Layer) (*Model, error) {
	if c.Name == "" {
		c.Name = "sequential"
	}
	m := &Model{name: c.Name, seed: c.Seed, threads: c.Threads, bounds: map[*bound]struct{}{}}
	if len(layers) == 0 {
		return nil, fmt.Errorf("dense: %w: a model needs layers, the first one Input", train.ErrOption)
	}
	if i := slices.IndexFunc(layers, isNil); i >= 0 {
		return nil, fmt.Errorf("dense: %w: layer %d is nil", train.ErrOption, i+1)
	}
	if c.Threads < 0 || c.Threads > mostThreads {
		return nil, fmt.Errorf("dense: %w: %d threads are not between 0, which means GOMAXPROCS, and %d", train.ErrOption, c.Threads, mostThreads)
	}
	if _, ok := layers[0].(inputLayer); !ok {
		return nil, fmt.Errorf("dense: %w: the first layer must be Input, it is %s", train.ErrOption, layers[0].Class())
	}
	b, names := &builder{m: m}, map[string]int{}
	for i, l := range layers {
		b.index, b.name = i, layerName(l.Class(), names)
		first := len(m.parameters)
		if err := l.build(b); err != nil {
			return nil, err
		}
		if i == 0 {
			m.inputShape = append([]int{}, b.shape...)
			continue
		}
		m.layers = append(m.layers, layerInfo{b.name, l.Class(), append([]int{}, b.shape...), first, len(m.parameters)})
	}
	b.name = "output"
	b.view(1)
	m.outputShape = b.shape
	m.connect()
	return m, nil
}

var upper = regexp.MustCompile("([a-z0-9])([A-Z])")

// layerName returns Keras's automatic name: dense, dense_1, batch_normalization, …
func layerName(class string, used map[string]int) string {
	name := strings.ToLower(upper.ReplaceAllString(class, "${1}_${2}"))
	n := used[name]
	used[name]++
	if n > 0 {
		return fmt.Sprintf("%s_%d", name, n)
	}
	return name
}

// connect finds out which gradients are needed.
func (m *Model) connect() {
	learns := false
	for i := range m.entries {
		e := &m.entries[i]
		e.needsInputGrad = learns
		for _, p := range append([]*parameter{e.kernel, e.bias}, e.learnedParameters...) {
			learns = learns || p != nil && p.trainable
		}
		e.needsGrad = learns
		if e.kernel != nil && e.needsInputGrad {
			e.kernel.needTransposed()
		}
	}
	for _, p := range m.parameters {
		p.transposeAll()
	}
}

// FromMLP returns the network that train.MLP describes, compiled with a loss and an optimizer.
func FromMLP(d train.MLP, l train.Loss, o train.Optimizer, c Config) (*Model, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	hidden, err := ParseActivation(d.Activation)
	if err != nil {
		return nil, err
	}
	output, err := ParseActivation(d.OutputActivation)
	if err != nil {
		return nil, err
	}
	regularizer := WithKernelRegularizer(L1L2(float32(d.L1), float32(d.L2)))
	layers := []Layer{Input(d.Inputs)}
	for _, units := range d.Hidden {
		layers = append(layers, Dense(units, hidden, regularizer))
		if d.Dropout > 0 {
			layers = append(layers, Dropout(d.Dropout))
		}
	}
	m, err := New(c, append(layers, Dense(d.Outputs, output, regularizer))...)
	if err != nil {
		return nil, err
	}
	return m, m.Compile(o, l)
}

// Compile settles how the model is trained, and starts the optimizer's state anew. metrics are what Fit and Evaluate report
// beside the loss.
func (m *Model) Compile(o train.Optimizer, l train.Loss, metrics ...train.Metric) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if err := l.Validate(); err != nil {
		return err
	}
	if i := slices.IndexFunc(metrics, func(x train.Metric) bool { return x == nil }); i >= 0 {
		return fmt.Errorf("dense: %w: metric %d is nil", train.ErrOption, i+1)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.compiled, m.loss, m.optimizer, m.metrics = true, l, o, metrics
	m.rate, m.iterations, m.trainer, m.free, m.crowd, m.together = o.LearningRate, 0, nil, [2][]*passage{}, nil, nil
	for _, p := range m.parameters {
		p.slots, p.gradient, p.squares = nil, nil, nil
		if !p.trainable {
			continue
		}
		for _, name := range o.Slots() {
			slot := alignedFloats(len(p.value))
			if v := o.InitialSlot(name); v != 0 {
				p.fill(slot, v)
			}
			p.slots = append(p.slots, slot)
		}
		if o.ClipNorm > 0 || o.GlobalClipNorm > 0 {
			p.gradient, p.squares = alignedFloats(len(p.value)), make([]float64, p.blocks())
		}
	}
	return nil
}

// Name returns the model's name.
func (m *Model) Name() string { return m.name }

// InputShape returns the shape of a sample.
func (m *Model) InputShape() []int { return append([]int{}, m.inputShape...) }

// OutputShape returns the shape of a sample's prediction.
func (m *Model) OutputShape() []int { return append([]int{}, m.outputShape...) }

// OutputWidth returns the numbers that the model predicts for a sample.
func (m *Model) OutputWidth() int { return elements(m.outputShape) }

// Loss returns the loss that training minimizes.
func (m *Model) Loss() train.Loss { return m.loss }

// Optimizer returns the optimizer, with the learning rate that Compile was given.
func (m *Model) Optimizer() train.Optimizer { return m.optimizer }

// SetLearningRate changes the learning rate of the steps that follow; a Schedule overrides it.
func (m *Model) SetLearningRate(rate float64) error {
	if !(rate >= 0) {
		return fmt.Errorf("dense: %w: learning rate %v", train.ErrOption, rate)
	}
	m.rate = rate
	return nil
}

// Seed sets the seed of dropout. It does not draw new weights.
func (m *Model) Seed(seed uint64) { m.seed = seed }

// Close ends the model's threads. Data sets bound to it are closed too.
func (m *Model) Close() error {
	m.poolRun.Lock()
	defer m.poolRun.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.trainer = true, nil
	for b := range m.bounds {
		b.closed = true
	}
	m.bounds, m.free = nil, [2][]*passage{}
	if m.pool != nil {
		m.pool.Close()
	}
	return nil
}

// threadPool returns the model's pool, starting it at first use.
func (m *Model) threadPool() (*pool.Pool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if m.pool == nil {
		m.pool = pool.New(m.threads)
	}
	return m.pool, nil
}

// penalties returns the regularization penalties of the present weights.
func (m *Model) penalties() float64 {
	sum := 0.0
	for _, p := range m.parameters {
		if p.trainable && !p.regularizer.zero() {
			sum += p.penaltyNow()
		}
	}
	return sum
}

// Weights returns the weights in the order of Keras's get_weights: layer by layer, kernel before bias, gamma, beta, moving
// mean, moving variance. The values are copies.
func (m *Model) Weights(bool) ([]train.Weight, error) {
	list := make([]train.Weight, len(m.parameters))
	for i, p := range m.parameters {
		list[i] = train.Weight{Name: p.name, Trainable: p.trainable, Value: p.tensor(p.value)}
	}
	return list, nil
}

// tensor returns a row-major copy of values in the parameter's layout.
func (p *parameter) tensor(values []float32) *tensor.Tensor {
	out := make([]float32, p.size())
	p.unpack(out, values)
	return tensor.Must(tensor.Of(out, p.shape...))
}

// SetWeights replaces all weights; values are in the order of Weights. The optimizer's state stays.
func (m *Model) SetWeights(values []*tensor.Tensor) error {
	if len(values) != len(m.parameters) {
		return fmt.Errorf("dense: %w: %d weights for a model of %d", train.ErrData, len(values), len(m.parameters))
	}
	data := make([][]float32, len(values))
	for i, p := range m.parameters {
		var err error
		if data[i], err = p.valuesOf(values[i]); err != nil {
			return err
		}
	}
	for i, p := range m.parameters {
		p.set(data[i])
	}
	for _, r := range m.refreshers {
		r.refresh()
	}
	return nil
}

// valuesOf checks that t fits the parameter.
func (p *parameter) valuesOf(t *tensor.Tensor) ([]float32, error) {
	if t == nil {
		return nil, fmt.Errorf("dense: %w: %s: no value", train.ErrData, p.name)
	}
	v, err := tensor.Data[float32](t)
	if err != nil {
		return nil, fmt.Errorf("dense: %s: %w", p.name, err)
	}
	if !t.Shape().Equal(p.shape) {
		return nil, fmt.Errorf("dense: %w: %s is %v, the value is %v", train.ErrData, p.name, p.shape, t.Shape())
	}
	return v, nil
}

// trainable returns the parameters that learn, in order.
func (m *Model) trainable() []*parameter {
	var list []*parameter
	for _, p := range m.parameters {
		if p.trainable {
			list = append(list, p)
		}
	}
	return list
}

// slotVariables lists the optimizer's variables.
func (m *Model) slotVariables() ([]train.SlotVariable, []*parameter) {
	learning := m.trainable()
	weights := make([]train.Weight, len(learning))
	for i, p := range learning {
		weights[i] = train.Weight{Name: p.name, Trainable: true, Value: tensor.Must(tensor.New(tensor.Float32, p.shape...))}
	}
	return m.optimizer.SlotVariables(weights), learning
}

// State returns a copy of the optimizer's state.
func (m *Model) State() (train.State, error) {
	if err := m.ready(); err != nil {
		return train.State{}, err
	}
	s := train.State{Iterations: m.iterations, LearningRate: m.rate}
	variables, learning := m.slotVariables()
	for _, v := range variables {
		p := learning[v.Variable]
		s.Slots = append(s.Slots, train.Weight{Name: v.Name, Value: p.tensor(p.slots[v.Slot])})
	}
	return s, nil
}

// SetState replaces the optimizer's state by one of the same optimizer and architecture.
func (m *Model) SetState(s train.State) error {
	if err := m.ready(); err != nil {
		return err
	}
	variables, learning := m.slotVariables()
	if len(s.Slots) != len(variables) || s.Iterations < 0 {
		return fmt.Errorf("dense: %w: an optimizer state of %d variables after %d steps; %s of this model has %d", train.ErrData,
			len(s.Slots), s.Iterations, m.optimizer.Name, len(variables))
	}
	data := make([][]float32, len(variables))
	for i, v := range variables {
		var err error
		if data[i], err = learning[v.Variable].valuesOf(s.Slots[i].Value); err != nil {
			return err
		}
	}
	for i, v := range variables {
		p := learning[v.Variable]
		p.pack(p.slots[v.Slot], data[i])
	}
	m.iterations = s.Iterations
	return m.SetLearningRate(s.LearningRate)
}

// ready returns an error if the model cannot be trained.
func (m *Model) ready() error {
	switch {
	case m.closed:
		return ErrClosed
	case !m.compiled:
		return fmt.Errorf("dense: %w: the model is not compiled: Compile settles loss and optimizer", train.ErrOption)
	}
	return nil
}
