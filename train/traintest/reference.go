package traintest

import (
	"errors"
	"fmt"
	"math"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// Reference is the plain engine. Weights are float32, everything between them float64.
type Reference struct {
	spec      train.MLP
	loss      train.Loss
	optimizer train.Optimizer
	seed      uint64
	rate      float64
	iteration int64
	layers    []layer
	closed    bool
}

// layer is a Dense layer: activation(x·kernel + bias).
type layer struct {
	inputs, units         int
	kernel, bias          []float32
	kernelGrad, biasGrad  []float32
	kernelSlots, biasSlot [][]float32
	activation            activation
	dropout               float64
}

var errClosed = errors.New("traintest: the model is closed")

// NewReference returns a network with Glorot-uniform kernels and zero biases.
func NewReference(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (*Reference, error) {
	for _, err := range []error{m.Validate(), l.Validate(), o.Validate()} {
		if err != nil {
			return nil, err
		}
	}
	r := &Reference{spec: m, loss: l, optimizer: o, seed: seed, rate: o.LearningRate}
	inputs := m.Inputs
	for i := 0; i <= len(m.Hidden); i++ {
		units, name, dropout := m.Outputs, m.OutputActivation, 0.0
		if i < len(m.Hidden) {
			units, name, dropout = m.Hidden[i], m.Activation, m.Dropout
		}
		f, ok := activations[name]
		if !ok {
			return nil, fmt.Errorf("%w: the reference has no activation %q", train.ErrOption, name)
		}
		a := layer{inputs: inputs, units: units, activation: f, dropout: dropout,
			kernel: make([]float32, inputs*units), kernelGrad: make([]float32, inputs*units),
			bias: make([]float32, units), biasGrad: make([]float32, units)}
		random, limit := train.NewRandom(seed, uint64(i)), math.Sqrt(6/float64(inputs+units))
		for j := range a.kernel {
			a.kernel[j] = float32((2*random.Float64() - 1) * limit)
		}
		for _, slot := range o.Slots() {
			a.kernelSlots = append(a.kernelSlots, filled(len(a.kernel), o.InitialSlot(slot)))
			a.biasSlot = append(a.biasSlot, filled(len(a.bias), o.InitialSlot(slot)))
		}
		r.layers, inputs = append(r.layers, a), units
	}
	return r, nil
}

func filled(n int, v float32) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// OutputWidth returns the units of the last layer.
func (r *Reference) OutputWidth() int { return r.spec.Outputs }

// Loss returns the loss.
func (r *Reference) Loss() train.Loss { return r.loss }

// Optimizer returns the optimizer.
func (r *Reference) Optimizer() train.Optimizer { return r.optimizer }

// Seed sets the seed of dropout.
func (r *Reference) Seed(seed uint64) { r.seed = seed }

// SetLearningRate changes the learning rate.
func (r *Reference) SetLearningRate(rate float64) error { r.rate = rate; return nil }

// Close makes every later use an error.
func (r *Reference) Close() error { r.closed = true; return nil }

// Weights returns the weights.
func (r *Reference) Weights(copied bool) ([]train.Weight, error) {
	if r.closed {
		return nil, errClosed
	}
	var all []train.Weight
	for i := range r.layers {
		a, name := &r.layers[i], "dense"
		if i > 0 {
			name = fmt.Sprintf("dense_%d", i)
		}
		all = append(all,
			train.Weight{Name: name + "/kernel", Trainable: true, Value: tensor.Must(tensor.Of(a.kernel, a.inputs, a.units))},
			train.Weight{Name: name + "/bias", Trainable: true, Value: tensor.Must(tensor.Of(a.bias, a.units))})
	}
	if copied {
		for i := range all {
			all[i].Value = all[i].Value.Clone()
		}
	}
	return all, nil
}

// SetWeights replaces the weights.
func (r *Reference) SetWeights(values []*tensor.Tensor) error {
	own, err := r.Weights(false)
	if err != nil {
		return err
	}
	return assign(own, values)
}

// assign copies values into the memory of weights, all or nothing.
func assign(weights []train.Weight, values []*tensor.Tensor) error {
	if len(values) != len(weights) {
		return fmt.Errorf("%w: %d weights for a model of %d", train.ErrData, len(values), len(weights))
	}
	for i, w := range weights {
		if values[i].DType() != tensor.Float32 || !values[i].Shape().Equal(w.Value.Shape()) {
			return fmt.Errorf("%w: %s is %v, %v was given", train.ErrData, w.Name, w.Value, values[i])
		}
	}
	for i, w := range weights {
		copy(w.Value.Bytes(), values[i].Bytes())
	}
	return nil
}

// slots returns the optimizer's state as weights that share memory.
func (r *Reference) slots() ([]train.Weight, error) {
	weights, err := r.Weights(false)
	if err != nil {
		return nil, err
	}
	var all []train.Weight
	for _, s := range r.optimizer.SlotVariables(weights) {
		a := &r.layers[s.Variable/2]
		values := a.kernelSlots
		if s.Variable%2 == 1 {
			values = a.biasSlot
		}
		all = append(all, train.Weight{Name: s.Name, Value: tensor.Must(tensor.Of(values[s.Slot], s.Shape...))})
	}
	return all, nil
}

// State returns a copy of the optimizer's state.
func (r *Reference) State() (train.State, error) {
	slots, err := r.slots()
	for i := range slots {
		slots[i].Value = slots[i].Value.Clone()
	}
	return train.State{Iterations: r.iteration, LearningRate: r.rate, Slots: slots}, err
}

// SetState replaces the optimizer's state.
func (r *Reference) SetState(s train.State) error {
	own, err := r.slots()
	if err != nil {
		return err
	}
	values := make([]*tensor.Tensor, len(s.Slots))
	for i, slot := range s.Slots {
		values[i] = slot.Value
	}
	if err := assign(own, values); err != nil {
		return err
	}
	r.iteration, r.rate = s.Iterations, s.LearningRate
	return nil
}
