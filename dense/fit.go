package dense

import (
	"context"
	"fmt"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// Fit trains the model on a data set, as train.Fit: shuffling, mini-batches, validation, early stopping, checkpoints, history.
// The metrics are Compile's unless c has its own.
func (m *Model) Fit(ctx context.Context, d *train.Dataset, c train.Config) (*train.Result, error) {
	if err := m.ready(); err != nil {
		return nil, err
	}
	if c.Metrics == nil {
		c.Metrics = m.metrics
	}
	return train.Fit(ctx, m, d, c)
}

// Evaluate returns the loss (mean over the samples, with regularization penalties) and Compile's metrics by name.
func (m *Model) Evaluate(d *train.Dataset) (map[string]float64, error) {
	b, err := m.bind(d)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	order := make([]int32, b.samples)
	for i := range order {
		order[i] = int32(i)
	}
	outputs, losses := make([]float32, b.samples*m.OutputWidth()), make([]float32, 1)
	if err := b.Evaluate(order, b.samples, outputs, losses); err != nil {
		return nil, err
	}
	results := map[string]float64{"loss": float64(losses[0])}
	for _, metric := range m.metrics {
		metric.Reset()
		metric.Update(b.targets, outputs, m.OutputWidth(), b.weights)
		results[metric.Name()] = metric.Result()
	}
	return results, nil
}

// TrainOnBatch takes one optimizer step on a batch, x [n, …] with its targets, and returns the loss before the step, as
// Keras's train_on_batch does.
func (m *Model) TrainOnBatch(x, y *tensor.Tensor) (float64, error) {
	b, err := m.bind(&train.Dataset{X: x, Y: y})
	if err != nil {
		return 0, err
	}
	defer b.Close()
	if b.targets == nil {
		return 0, fmt.Errorf("dense: %w: there are no targets to train on", train.ErrData)
	}
	order := make([]int32, b.samples)
	for i := range order {
		order[i] = int32(i)
	}
	losses := make([]float32, 1)
	err = b.Train(order, b.samples, nil, losses)
	return float64(losses[0]), err
}
