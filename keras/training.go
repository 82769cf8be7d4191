package keras

import (
	"fmt"

	"github.com/cambium-go/cambium/graph"
)

// TrainingOptions say which part of a model is trained, and how.
type TrainingOptions struct {
	// Features is what the base ends in: the name of a layer, or a tensor of [Model.Graph] that is a layer's output
	// ("out_relu/Relu6:0"). Empty: the model's output.
	Features string
	// Trainable says which layers' weights steps may change; nil for all. It is asked about layers that have weights of their
	// own, those of nested models and wrappers too. Weights that are frozen in the file stay so.
	Trainable func(l *Layer) bool
	// BatchStatistics runs the BatchNormalization layers that are trainable in training mode: they normalize by the batch and
	// move their statistics. Otherwise all of them use their moving statistics, as Keras's guide to transfer learning has it
	// (the base called with training=False); gamma and beta are trained either way.
	BatchStatistics bool
}

// TrainingBase is the part of a model in front of its head, as graphs to train through.
// It has the fields of tfbridge.Base and converts to it: tfbridge.Base(*b).
type TrainingBase struct {
	// Inference and Training compute features, float32 [n, width], of images: one signature with one input and one output.
	// Features of an image that are spatial, [n, height, width, channels], are averaged over it (global average pooling), others
	// of a rank above 2 flattened. Training has real dropout and noise. Both have the same variables.
	Inference, Training *graph.Graph
	Updates             []string // nodes of Training that a step runs too: they move statistics
	Seed                string   // a placeholder of Training, int64 [2], that dropout and noise depend on; "" where there are none
	Trainable           []string // the variables that steps change, by name
}

// TrainingBase returns the model up to its features as graphs to train through.
func (m *Model) TrainingBase(o TrainingOptions) (*TrainingBase, error) {
	return nil, fmt.Errorf("%w: training is not implemented yet", ErrUnsupported)
}
