package tfbridge

import (
	"fmt"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// Base is the part of a network in front of its head, as a graph to train through. Its variables are resource variables
// (VarHandleOp, read by ReadVariableOp) whose values stand in Variables. The graphs must not have been folded or fused
// (graph.Fold), and are not changed.
type Base struct {
	// Inference computes features: one signature with one input, float32 [n, …], usually images [n, height, width, channels],
	// and one output, float32 [n, width].
	Inference *graph.Graph
	// Training is the same in a training step, with the same variables by the names of their nodes; nil for Inference.
	Training *graph.Graph
	// Updates are nodes of Training that a step runs too, such as those that move a batch normalization's statistics.
	Updates []string
	// Seed is a placeholder of Training, int64 [2], on which all that is random in a step depends; "" where nothing is.
	Seed string
	// Trainable are the variables, keys of Variables, that steps change.
	Trainable []string
}

// headScope starts the names of a head's weights behind a base.
const headScope = "head/"

// NewFineTuning builds a network of a base and a head that are trained together on TensorFlow's kernels, as NewMLP does the
// head alone: m.Inputs is the width of the base's features.
//
// Weights are the base's float32 variables, by their names, those in Trainable first, in its order, then the others by name;
// then the head's, "head/dense/kernel" …, which start from headWeights, in NewMLP's order, or, where that is nil, as NewMLP's do.
//
// A data set's X is [samples, height, width, channels], or what else the base takes, float32 or uint8. It stays where it is, in
// memory or in a file that is mapped into it; each step is fed the samples of its batch.
//
// Errors wrap graph.ErrUnsupported, and name the op, where the base cannot be differentiated; else see NewMLP.
func NewFineTuning(b Base, m train.MLP, headWeights []*tensor.Tensor, l train.Loss, o train.Optimizer, seed uint64, opts Options) (train.Trainable, error) {
	if err := checkTraining(m, l, o, &opts); err != nil {
		return nil, err
	}
	head, err := glorot(m, seed)
	if err != nil {
		return nil, err
	}
	if err := replace(head, headWeights); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	for i := range head {
		head[i].Name = headScope + head[i].Name
	}
	return newFineTuned(b, m, l, o, seed, opts, head)
}

// replace gives weights other values; nil keeps them.
func replace(weights []train.Weight, values []*tensor.Tensor) error {
	if values == nil {
		return nil
	}
	if len(values) != len(weights) {
		return fmt.Errorf("%w: %d weights, %d were given", train.ErrData, len(weights), len(values))
	}
	for i := range weights {
		w := &weights[i]
		if v := values[i]; v == nil || v.DType() != tensor.Float32 || !v.Shape().Equal(w.Value.Shape()) {
			return fmt.Errorf("%w: %s is %v, %v was given", train.ErrData, w.Name, w.Value, v)
		}
		w.Value = values[i]
	}
	return nil
}
