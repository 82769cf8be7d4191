package graph_test

import (
	"fmt"
	"log"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

// y = x·w + b, built node by node.
func ExampleBuilder() {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 2})
	w := b.Variable("w", tensor.Must(tensor.Of([]float32{1, 2}, 2, 1)))
	bias := b.Const("bias", tensor.Must(tensor.Of([]float32{0.5})))
	product := b.Op("MatMul", "product", []graph.Ref{x, b.Read(w)}, graph.Attrs{"T": tensor.Float32})
	y := b.Op("BiasAdd", "y", []graph.Ref{product, bias}, graph.Attrs{"T": tensor.Float32})
	g, err := b.Finish(graph.Signature{
		Name: graph.DefaultSignature, Method: "tensorflow/serving/predict",
		Inputs:  []graph.Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1, 2}, Tensor: x.Tensor()}},
		Outputs: []graph.Port{{Name: "y", DType: tensor.Float32, Shape: tensor.Shape{-1, 1}, Tensor: y.Tensor()}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range g.Def.Node {
		fmt.Println(n.Op, n.Name, n.Input)
	}
	// Output:
	// Placeholder x []
	// VarHandleOp w []
	// Const bias []
	// ReadVariableOp w/Read/ReadVariableOp [w]
	// MatMul product [x w/Read/ReadVariableOp]
	// BiasAdd y [product bias]
}

// readGraph reads a SavedModel and the values of its variables.
func readGraph(dir string) *graph.Graph {
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
	if err := savedmodel.ReadVariables(g); err != nil {
		log.Fatal(err)
	}
	return g
}

// count returns how many nodes of some ops there are.
func count(g *graph.Graph, ops ...string) []int {
	n := make([]int, len(ops))
	for _, node := range g.Def.Node {
		for i, op := range ops {
			if node.Op == op {
				n[i]++
			}
		}
	}
	return n
}

func ExampleInline() {
	g := readGraph("../scripts/testdata/mnist/mlp/saved_model")
	flat, err := graph.Inline(g)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("calls and products before:", count(g, "StatefulPartitionedCall", "MatMul"))
	fmt.Println("and after:", count(flat, "StatefulPartitionedCall", "MatMul"))
	// Output:
	// calls and products before: [4 0]
	// and after: [0 4]
}

// One signature, flat: all that is left of what Keras exported.
func ExampleForSignature() {
	g := readGraph("../scripts/testdata/mnist/mlp/saved_model")
	flat, err := graph.ForSignature(g, "serving_default")
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range flat.Def.Node {
		fmt.Println(n.Op)
	}
	// Unordered output:
	// Const
	// Const
	// Const
	// Const
	// Placeholder
	// MatMul
	// BiasAdd
	// Relu
	// MatMul
	// BiasAdd
	// Softmax
}

// Batch normalization and padding of a MobileNet-like model go into the weights.
func ExampleFold() {
	g := readGraph("../scripts/testdata/models/convolutions/saved_model")
	flat, err := graph.ForSignature(g, "serving_default")
	if err != nil {
		log.Fatal(err)
	}
	folded, err := graph.Fold(flat)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Rsqrt, Pad before:", count(flat, "Rsqrt", "Pad"))
	fmt.Println("and after:", count(folded, "Rsqrt", "Pad"))
	// Output:
	// Rsqrt, Pad before: [7 1]
	// and after: [0 0]
}

// A model that writes a file whenever one of its signatures runs.
func ExampleScan() {
	for _, f := range graph.Scan(readGraph("../scripts/testdata/models/reaches_files/saved_model")) {
		fmt.Printf("%s: %s %s, reached from %q\n", f.Severity, f.Op, f.Why, f.ReachableFrom)
	}
	// Output:
	// high: WriteFile writes files, reached from "log"
	// high: ReadFile reads files, reached from ""
}

func ExampleFreeze() {
	g := readGraph("../scripts/testdata/models/counter/saved_model")
	_, kept, err := graph.Freeze(g)
	if err != nil {
		log.Fatal(err)
	}
	for _, k := range kept {
		fmt.Println(k.Variable, "stays: AssignAddVariableOp counts on")
	}
	// Output:
	// count stays: AssignAddVariableOp counts on
}

func ExampleReadFrozen() {
	g, err := graph.ReadFrozen("../scripts/testdata/mnist/mlp/frozen.pb")
	if err != nil {
		log.Fatal(err)
	}
	s, err := g.Signature("") // the only one
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Name, s.Inputs[0].Shape, s.Inputs[0].DType, g.Parameters())
	// Output: serving_default [?,784] float32 101770
}

func ExampleRestoreMap() {
	restored, err := graph.RestoreMap(readGraph("../scripts/testdata/models/training/saved_model"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(restored["w"].Key)
	// Output: w/.ATTRIBUTES/VARIABLE_VALUE
}
