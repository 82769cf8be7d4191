package train

import (
	"fmt"
	"math"
)

// MLP describes a multi-layer perceptron, the network and the head that both engines build in the same way: inputs are
// flattened; each hidden layer is Dense, the activation, Dropout; the output layer is Dense with its own activation.
// Its weights are kernel [inputs, units] and bias [units] of each Dense in turn, named "dense/kernel", "dense/bias",
// "dense_1/kernel", …
type MLP struct {
	Inputs           int
	Hidden           []int
	Activation       string  // Keras's name, of the hidden layers: "relu"
	Dropout          float64 // rate after each hidden layer; 0 is none
	L1, L2           float64 // kernel_regularizer of every Dense: L1·Σ|w| + L2·Σw²
	Outputs          int
	OutputActivation string // "softmax", "sigmoid", "linear"
}

// Validate returns an error that wraps ErrOption if a size or a rate is out of range. Engines check the activations.
func (m MLP) Validate() error {
	if m.Inputs < 1 || m.Outputs < 1 {
		return fmt.Errorf("%w: a network of %d inputs and %d outputs", ErrOption, m.Inputs, m.Outputs)
	}
	for i, units := range m.Hidden {
		if units < 1 {
			return fmt.Errorf("%w: hidden layer %d has %d units", ErrOption, i+1, units)
		}
	}
	if !(m.Dropout >= 0 && m.Dropout < 1) {
		return fmt.Errorf("%w: dropout %v is not in [0, 1)", ErrOption, m.Dropout)
	}
	if !(m.L1 >= 0 && m.L1 <= math.MaxFloat32) || !(m.L2 >= 0 && m.L2 <= math.MaxFloat32) {
		return fmt.Errorf("%w: L1 %v, L2 %v: a penalty is a number from 0 up", ErrOption, m.L1, m.L2)
	}
	return nil
}

// Parameters returns the number of weights.
func (m MLP) Parameters() int {
	n, in := 0, m.Inputs
	for _, units := range append(append([]int{}, m.Hidden...), m.Outputs) {
		n += (in + 1) * units
		in = units
	}
	return n
}
