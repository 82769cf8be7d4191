//go:build cgo

package tfbridge_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

// TestTrainable is the suite that every engine passes.
func TestTrainable(t *testing.T) {
	traintest.Run(t, func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error) {
		return tfbridge.NewMLP(m, l, o, seed, tfbridge.Options{})
	}, traintest.Options{})
}

// A network learns to tell two points apart; the data lie in TensorFlow's memory while it does.
func ExampleNewMLP() {
	m := train.MLP{Inputs: 2, Hidden: []int{8}, Activation: "tanh", Outputs: 2, OutputActivation: "softmax"}
	loss := train.Loss{Name: train.SparseCategoricalCrossentropy}
	model, err := tfbridge.NewMLP(m, loss, train.Adam(0.05), 1, tfbridge.Options{})
	if err != nil {
		panic(err)
	}
	defer model.Close()
	x := tensor.Must(tensor.Of([]float32{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2)) // exclusive or
	data := &train.Dataset{X: x, Y: tensor.Must(tensor.Of([]int32{0, 1, 1, 0}))}
	result, err := train.Fit(context.Background(), model, data, train.Config{Epochs: 200, BatchSize: 4, Metrics: []train.Metric{train.CategoricalAccuracy()}})
	if err != nil {
		panic(err)
	}
	fmt.Println(result.History[len(result.History)-1].Logs["accuracy"])
	// Output: 1
}
