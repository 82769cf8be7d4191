package savedmodel_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

// What Keras exported: its signatures, and the weights by the names of their variables.
func ExampleRead() {
	m, err := savedmodel.Read("../scripts/testdata/mnist/mlp/saved_model")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("written by TensorFlow", m.TensorFlowVersion)
	mg, err := m.MetaGraph() // the one tagged "serve"
	if err != nil {
		log.Fatal(err)
	}
	g, err := mg.Graph()
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range g.Signatures {
		fmt.Println(s.Name, s.Inputs[0].Name, s.Inputs[0].DType, s.Inputs[0].Shape, "->", s.Outputs[0].Shape)
	}
	fmt.Println(g.Parameters(), "parameters")
	// Output:
	// written by TensorFlow 2.18.1
	// serve input_layer float32 [?,784] -> [?,10]
	// serving_default input_layer float32 [?,784] -> [?,10]
	// 101770 parameters
}

func ExampleReadVariables() {
	m, err := savedmodel.Read("../scripts/testdata/models/training/saved_model")
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
	if err := savedmodel.ReadVariables(g); err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Variables["w"], g.Variables["b"])
	// Output:
	// float32 [2,1] float32 [1]
}

func ExampleOpenBundle() {
	b, err := savedmodel.OpenBundle("testdata/bundle/one")
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range b.Keys()[:3] {
		t, err := b.Read(key)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key, t)
	}
	// Output:
	// v/bfloat16 bfloat16 [4]
	// v/bool bool [3]
	// v/complex128 complex128 [2,3]
}

// A checkpoint that tf.train.load_checkpoint reads.
func ExampleWriteBundle() {
	dir, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	prefix := filepath.Join(dir, "model")
	if err := savedmodel.WriteBundle(prefix, map[string]*tensor.Tensor{"step": tensor.Scalar(int64(7))}); err != nil {
		log.Fatal(err)
	}
	b, err := savedmodel.OpenBundle(prefix)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(b.Keys())
	// Output: [step]
}

// A model built in Go that every loader of TensorFlow reads: y = w·x.
func ExampleWrite() {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1})
	w := b.Variable("w", tensor.Scalar(float32(2)))
	y := b.Op("Mul", "y", []graph.Ref{b.Read(w), x}, graph.Attrs{"T": tensor.Float32})
	g, err := b.Finish(graph.Signature{
		Name: graph.DefaultSignature, Method: "tensorflow/serving/predict",
		Inputs:  []graph.Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1}, Tensor: x.Tensor()}},
		Outputs: []graph.Port{{Name: "y", DType: tensor.Float32, Shape: tensor.Shape{-1}, Tensor: y.Tensor()}},
	})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := savedmodel.Write(dir, g, savedmodel.WriteOptions{Prefix: "times_two/"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(savedmodel.IsSavedModel(dir))
	// Output: true
}
