package train

import "github.com/cambium-go/cambium/tensor"

// Trainable is a model that Fit can train: its architecture, Loss and Optimizer are settled when it is made. It is used by
// one goroutine at a time.
//
// Everything random in a training step (dropout) must be a function of the seed and of the number of steps taken
// (State.Iterations) only, so that a run resumed from Weights and State ends with the same bits as one never interrupted.
type Trainable interface {
	// OutputWidth returns the numbers that the model predicts for a sample.
	OutputWidth() int
	// Loss returns the loss that training minimizes.
	Loss() Loss
	// Optimizer returns the optimizer, with the learning rate that it was made with.
	Optimizer() Optimizer

	// Bind brings a data set to where the engine wants it. It checks that the samples fit the model: x is [samples, …], of
	// the model's input shape after the first dimension. Targets may be nil: such a Bound evaluates without losses only.
	// Several data sets may be bound at the same time; each sees the model's current weights. The data set's memory is
	// shared until Close and must not change.
	Bind(d *Dataset) (Bound, error)

	// Weights returns the weights in the order of Keras's get_weights. With copied the values are copies, else they may be
	// the engine's memory, valid until the next training step.
	Weights(copied bool) ([]Weight, error)
	// SetWeights replaces all weights; values are in the order of Weights, and copied.
	SetWeights(values []*tensor.Tensor) error

	// State returns a copy of the optimizer's state.
	State() (State, error)
	// SetState replaces the optimizer's state. It must be one of the same optimizer and architecture.
	SetState(s State) error
	// SetLearningRate changes the learning rate of the steps that follow; a Schedule overrides it.
	SetLearningRate(rate float64) error
	// Seed sets the seed of what is random in training steps. It does not draw new weights.
	Seed(seed uint64)

	// Close frees what the engine holds; Bounds are closed too. A closed model returns errors.
	Close() error
}

// Bound is a data set bound to a model.
//
// order holds sample indices into the data set. It is cut into batches of the given size, the last one smaller where they do
// not divide: ⌈len(order)/batch⌉ of them. An engine may run all of them in one go; nothing is allocated after the first call
// with a size. outputs and losses may be nil, else they are filled:
//
//	outputs  [len(order), OutputWidth]  the predictions; in training those of the forward pass that the step used
//	losses   [batches]                  each batch's loss, as LossValue, plus the regularization penalties
type Bound interface {
	// Train takes one optimizer step a batch, dropout and batch statistics on. It may stop early, with an error that wraps
	// ErrNotFinite and names the batch, where a loss is not finite; the weights are then of no use.
	Train(order []int32, batch int, outputs, losses []float32) error
	// Evaluate predicts, in inference mode, and changes nothing.
	Evaluate(order []int32, batch int, outputs, losses []float32) error
	// Close frees what was bound.
	Close() error
}

// Weight is a variable of a model: float32, with Keras's path as its name ("sequential/dense/kernel").
type Weight struct {
	Name      string
	Trainable bool // false for running statistics and frozen layers
	Value     *tensor.Tensor
}

// State is an optimizer's state: what Keras's optimizer.variables hold.
type State struct {
	Iterations   int64
	LearningRate float64
	Slots        []Weight // in the order and with the names of Optimizer.SlotVariables
}
