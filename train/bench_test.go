package train_test

import (
	"context"
	"testing"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

// idle is an engine that does nothing in no time: what is left is the loop's own work.
type idle struct{ *traintest.Reference }

func (idle) Bind(*train.Dataset) (train.Bound, error) { return idleBound{}, nil }

type idleBound struct{}

func (idleBound) Train([]int32, int, []float32, []float32) error    { return nil }
func (idleBound) Evaluate([]int32, int, []float32, []float32) error { return nil }
func (idleBound) Close() error                                      { return nil }

// BenchmarkLoop reports what the loop adds to an epoch of 60,000 samples of 784 features, with accuracy and a validation of
// 10,000 more, and once a run.
func BenchmarkLoop(b *testing.B) {
	m := train.MLP{Inputs: 784, Outputs: 10, OutputActivation: "softmax"}
	reference, err := traintest.NewReference(m, sparse, train.SGD(0.1), 1)
	if err != nil {
		b.Fatal(err)
	}
	labels := make([]int32, 70000)
	for i := range labels {
		labels[i] = int32(i % 10)
	}
	data := &train.Dataset{X: tensor.Must(tensor.New(tensor.Float32, 70000, 784)), Y: tensor.Must(tensor.Of(labels))}
	fit := func(epochs int) {
		_, err := train.Fit(context.Background(), idle{reference}, data, train.Config{Epochs: epochs, BatchSize: 32, ValidationSplit: 1.0 / 7,
			Metrics: []train.Metric{train.CategoricalAccuracy()}})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("epoch", func(b *testing.B) { fit(b.N) })
	b.Run("run", func(b *testing.B) {
		for b.Loop() {
			fit(1)
		}
	})
}
