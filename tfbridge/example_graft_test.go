//go:build cgo && !tfgo

package tfbridge_test

import (
	"context"
	"fmt"
	"log"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// A graph that was built with graft's own API runs as a Model.
func ExampleFromGraft() {
	root := op.NewScope()
	x := op.Placeholder(root, tf.Float, op.PlaceholderShape(tf.MakeShape(-1, 2)))
	y := op.Sum(root, x, op.Const(root.SubScope("axis"), int32(1)))
	m, err := tfbridge.FromGraft(context.Background(), root, map[string]tf.Output{"x": x}, map[string]tf.Output{"sum": y}, tfbridge.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	rows, err := tensor.Of([]float32{1, 2, 3, 4}, 2, 2)
	if err != nil {
		log.Fatal(err)
	}
	sums, err := m.Predict(context.Background(), rows)
	if err != nil {
		log.Fatal(err)
	}
	v, err := tensor.Data[float32](sums)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v)
	// Output: [3 7]
}
