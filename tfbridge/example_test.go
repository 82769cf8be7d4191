//go:build cgo

package tfbridge_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// read reads the meta graph tagged "serve" of a SavedModel.
func read(dir string) *graph.Graph {
	m, err := savedmodel.Read(dir)
	if err != nil {
		log.Fatal(err)
	}
	mg, err := m.MetaGraph()
	if err != nil {
		log.Fatal(err)
	}
	g, err := mg.Graph()
	if err != nil {
		log.Fatal(err)
	}
	return g
}

func ExampleNew() {
	m, err := tfbridge.New(context.Background(), read("../scripts/testdata/mnist/mlp/saved_model"), tfbridge.Options{
		Device:  "cpu",
		Timeout: time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	for _, s := range m.Signatures() {
		for _, in := range s.Inputs {
			fmt.Println(s.Name, in.DType, in.Shape)
		}
	}
	// Output:
	// serve float32 [?,784]
	// serving_default float32 [?,784]
}

func ExampleModel_Predict() {
	m, err := tfbridge.New(context.Background(), read("../scripts/testdata/mnist/mlp/saved_model"), tfbridge.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	x, err := tensor.New(tensor.Float32, 5, 784) // five black images
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(context.Background(), x)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y)
	// Output: float32 [5,10]
}

func ExampleModel_Call() {
	m, err := tfbridge.New(context.Background(), read("../scripts/testdata/models/counter/saved_model"), tfbridge.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	for range 3 { // the model keeps its state from call to call
		r, err := m.Call(context.Background(), map[string]*tensor.Tensor{"by": tensor.Scalar(int64(2))})
		if err != nil {
			log.Fatal(err)
		}
		count, err := tensor.Data[int64](r["count"])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(count[0])
	}
	_, err = m.Call(context.Background(), map[string]*tensor.Tensor{"by": tensor.Scalar(2.0)})
	fmt.Println(errors.Is(err, tfbridge.ErrInput), err)
	// Output:
	// 2
	// 4
	// 6
	// true signature "serving_default": tfbridge: wrong input: "by" is float64 [], it takes int64 []
}

func ExampleModel_CallSignature() {
	m, err := tfbridge.New(context.Background(), read("../scripts/testdata/models/signatures/saved_model"), tfbridge.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	r, err := m.CallSignature(context.Background(), "between", map[string]*tensor.Tensor{
		"low":  tensor.Scalar(float32(1)),
		"high": tensor.Scalar(float32(3)),
	})
	if err != nil {
		log.Fatal(err)
	}
	difference, err := tensor.Data[float32](r["difference"])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(difference)
	// Output: [6]
}

// Any tensor of the graph can be computed, and any can be fed in place of what would compute it.
func ExampleModel_Fetch() {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1})
	square := b.Op("Square", "square", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32})
	b.Op("Neg", "minus", []graph.Ref{square}, graph.Attrs{"T": tensor.Float32})
	g, err := b.Finish()
	if err != nil {
		log.Fatal(err)
	}
	m, err := tfbridge.New(context.Background(), g, tfbridge.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	three, err := tensor.Of([]float32{3})
	if err != nil {
		log.Fatal(err)
	}
	for _, feed := range []string{"x:0", "square:0"} {
		r, err := m.Fetch(context.Background(), map[string]*tensor.Tensor{feed: three}, []string{"minus:0"})
		if err != nil {
			log.Fatal(err)
		}
		v, err := tensor.Data[float32](r["minus:0"])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(feed, v)
	}
	// Output:
	// x:0 [-9]
	// square:0 [-3]
}

func ExampleDevices() {
	devices, err := tfbridge.Devices()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(devices[0].Type, devices[0].Name)
	// Output: CPU /job:localhost/replica:0/task:0/device:CPU:0
}
