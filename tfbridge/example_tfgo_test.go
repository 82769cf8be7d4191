//go:build cgo && tfgo

package tfbridge_test

import (
	"context"
	"fmt"
	"log"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"
	"github.com/galeone/tfgo/image"
	"github.com/galeone/tfgo/image/filter"
	"github.com/galeone/tfgo/image/padding"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// A model loads through tfgo and is called by the names of its signature; tfgo's own model of it is there for code that has
// not moved yet, and shares its state.
func ExampleTfgo() {
	m, err := tfbridge.New(context.Background(), read("../scripts/testdata/models/counter/saved_model"), tfbridge.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	r, err := m.Call(context.Background(), map[string]*tensor.Tensor{"by": tensor.Scalar(int64(1))})
	if err != nil {
		log.Fatal(err)
	}
	count, err := tensor.Data[int64](r["count"])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(count)

	model, err := tfbridge.Tfgo(m)
	if err != nil {
		log.Fatal(err)
	}
	by, err := tf.NewTensor(int64(1))
	if err != nil {
		log.Fatal(err)
	}
	results := model.Exec([]tf.Output{model.Op("StatefulPartitionedCall", 0)}, map[tf.Output]*tf.Tensor{model.Op("serving_default_by", 0): by})
	fmt.Println(results[0].Value())
	// Output:
	// [1]
	// 2
}

// Edges of an image, with tfgo's image package: the graph is built once and then called like any other model.
func ExampleFromTfgo() {
	root := tg.NewRoot()
	x := op.Placeholder(root.SubScope("x"), tf.Float, op.PlaceholderShape(tf.MakeShape(-1, 3, 3, 1)))
	gray := image.NewImage(root, x)
	gx := gray.Clone().Convolve(filter.SobelX(root), image.Stride{X: 1, Y: 1}, padding.SAME)
	gy := gray.Clone().Convolve(filter.SobelY(root), image.Stride{X: 1, Y: 1}, padding.SAME)
	edges := gx.Square().Add(gy.Square().Value()).Sqrt().Value()

	m, err := tfbridge.FromTfgo(context.Background(), root, map[string]tf.Output{"image": x}, map[string]tf.Output{"edges": edges}, tfbridge.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	picture, err := tensor.Of([]float32{0, 0, 1, 0, 0, 1, 0, 0, 1}, 1, 3, 3, 1)
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(context.Background(), picture)
	if err != nil {
		log.Fatal(err)
	}
	v, err := tensor.Data[float32](y)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v[3:6]) // the middle row
	// Output: [0 4 0]
}
