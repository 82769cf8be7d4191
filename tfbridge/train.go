package tfbridge

import (
	"fmt"
	"math"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// NewMLP builds a multi-layer perceptron that is trained on TensorFlow's kernels: the graph on resource variables, its
// gradients by TensorFlow's C++ gradients, the optimizer's step, all of which is one run of the session a batch. A data set
// that is bound lies in TensorFlow's memory; a step is fed the indices of its samples.
//
// Weights are [inputs, units] and [units] of each Dense in turn, kernels drawn from Glorot's uniform distribution (2010) by
// seed, as package dense draws them. Dropout is a function of seed and the number of steps. Of opts, those that concern the
// session are used: Threads, Device, GPUMemoryGrowth, GPUMemoryFraction, SoftPlacement, LogLevel and ConfigProto.
//
// Errors wrap train.ErrOption, ErrOptions, ErrTensorFlow or ErrNotBuilt.
func NewMLP(m train.MLP, l train.Loss, o train.Optimizer, seed uint64, opts Options) (train.Trainable, error) {
	if err := checkTraining(m, l, o, &opts); err != nil {
		return nil, err
	}
	weights, err := glorot(m, seed)
	if err != nil {
		return nil, err
	}
	return newMLP(m, l, o, seed, opts, weights)
}

// checkTraining says what is wrong with how a network is to be trained.
func checkTraining(m train.MLP, l train.Loss, o train.Optimizer, opts *Options) error {
	for _, check := range []func() error{m.Validate, l.Validate, o.Validate, opts.Check} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// glorot returns the first weights of a network: kernels uniform in ±√(6 / (inputs + units)), biases 0.
func glorot(m train.MLP, seed uint64) ([]train.Weight, error) {
	var weights []train.Weight
	inputs := m.Inputs
	for i, units := range append(append([]int{}, m.Hidden...), m.Outputs) {
		name := "dense"
		if i > 0 {
			name = fmt.Sprintf("dense_%d", i)
		}
		kernel, err := tensor.New(tensor.Float32, inputs, units)
		if err != nil {
			return nil, err
		}
		bias, err := tensor.New(tensor.Float32, units)
		if err != nil {
			return nil, err
		}
		values, err := tensor.Data[float32](kernel)
		if err != nil {
			return nil, err
		}
		random, limit := train.NewRandom(seed, uint64(len(weights)+1)), math.Sqrt(6/float64(inputs+units))
		for j := range values {
			values[j] = float32(limit * (2*random.Float64() - 1))
		}
		weights = append(weights, train.Weight{Name: name + "/kernel", Trainable: true, Value: kernel},
			train.Weight{Name: name + "/bias", Trainable: true, Value: bias})
		inputs = units
	}
	return weights, nil
}
