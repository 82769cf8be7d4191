//go:build cgo

package cambium_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
)

// A model that Keras trained reads a digit.
func ExampleLoad() {
	model, err := cambium.Load("scripts/testdata/mnist/mlp/saved_model", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = model.Close() }()

	x, err := mnist.ReadDigit("scripts/testdata/mnist/digits/3_1.png", mnist.Options{Shape: []int{1, 784}})
	if err != nil {
		log.Fatal(err)
	}
	y, err := model.Predict(context.Background(), x)
	if err != nil {
		log.Fatal(err)
	}
	p, err := tensor.Data[float32](y)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("a 3 with probability %.2f\n", p[3])
	// Output: a 3 with probability 1.00
}

// The inputs and outputs of a model are called by their names.
func ExampleModel_call() {
	model, err := cambium.Load("scripts/testdata/models/outputs/saved_model", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = model.Close() }()

	x, err := tensor.Of([]float32{1, 2, 3}, 1, 3)
	if err != nil {
		log.Fatal(err)
	}
	outputs, err := model.Call(context.Background(), map[string]*tensor.Tensor{"x": x})
	if err != nil {
		log.Fatal(err)
	}
	total, err := tensor.Data[float32](outputs["total"])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(total[0])
	// Output: 6
}

// Signatures of one model share its variables: a counter counts on.
func ExampleModel_callSignature() {
	model, err := cambium.Load("scripts/testdata/models/counter/saved_model", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = model.Close() }()
	for _, by := range []int64{1, 2, 40} {
		outputs, err := model.CallSignature(context.Background(), "serving_default", map[string]*tensor.Tensor{"by": tensor.Scalar(by)})
		if err != nil {
			log.Fatal(err)
		}
		count, err := tensor.Data[int64](outputs["count"])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(count[0])
	}
	// Output:
	// 1
	// 3
	// 43
}

// Predict is for models with one input and one output.
func ExampleModel_predict() {
	model, err := cambium.Load("scripts/testdata/mnist/mlp/frozen.pb", &cambium.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = model.Close() }()
	x, err := tensor.New(tensor.Float32, 2, 784) // two black images
	if err != nil {
		log.Fatal(err)
	}
	y, err := model.Predict(context.Background(), x)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y)
	// Output: float32 [2,10]
}
