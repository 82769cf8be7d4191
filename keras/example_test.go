package keras_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
)

func ExampleLoad() {
	m, err := keras.Load("testdata/models/sequential-mlp-tf_keras-h5.h5")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Format, m.Version, m.Class)
	fmt.Println(m.Inputs[0].Shape, "to", m.Outputs[0].Shape)
	// Output:
	// h5 2.18.0 Sequential
	// [?,6] to [?,3]
}

func ExampleModel_Graph() {
	m, err := keras.Load("testdata/models/sequential-mlp-keras-keras.keras")
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := m.Graph()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.Signatures[0].Name, len(g.Variables), "variables")
	// Output: serving_default 8 variables
}

// The features that a classifier's last layer classifies by.
func ExampleModel_Cut() {
	m, err := keras.NewSequential("digits", keras.Input(28, 28), keras.Flatten(), keras.Dense(128, "relu").With("name", "features"), keras.Dense(10, "softmax"))
	if err != nil {
		fmt.Println(err)
		return
	}
	part, err := m.Cut("features")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(part.Outputs[0].Shape, part.Parameters(), "of", m.Parameters(), "parameters")
	// Output: [?,128] 100480 of 101770 parameters
}

func ExampleNewSequential() {
	m, err := keras.NewSequential("digits", keras.Input(28, 28), keras.Flatten(), keras.Dense(128, "relu"), keras.Dropout(0.2), keras.Dense(10, "softmax"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Parameters())
	for _, v := range m.Variables() {
		fmt.Println(v.Path, v.Shape)
	}
	// Output:
	// 101770
	// dense/kernel [784,128]
	// dense/bias [128]
	// dense_1/kernel [128,10]
	// dense_1/bias [10]
}

func ExampleWrite() {
	m, err := keras.NewSequential("line", keras.Input(1), keras.Dense(1, ""))
	if err != nil {
		fmt.Println(err)
		return
	}
	slope, offset := tensor.Must(tensor.Of([]float32{2}, 1, 1)), tensor.Must(tensor.Of([]float32{1}))
	if err := m.SetWeights([]*tensor.Tensor{slope, offset}); err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "line.h5")
	if err := keras.Write(path, m); err != nil {
		fmt.Println(err)
		return
	}
	back, err := keras.Load(path)
	fmt.Println(back.Name, back.Parameters(), err)
	// Output: line 2 <nil>
}

func ExampleRegister() {
	keras.Register("Example>Swish1", func(c *keras.Call) ([]keras.Value, error) {
		x := c.Inputs[0]
		s := c.Op("Sigmoid", []keras.Value{x}, graph.Attrs{"T": x.DType}, x.DType, x.Shape)
		return []keras.Value{c.Op("Mul", []keras.Value{x, s}, graph.Attrs{"T": x.DType}, x.DType, x.Shape)}, nil
	})
	m, err := keras.NewSequential("custom", keras.Input(3), keras.LayerConfig{Class: "Example>Swish1"})
	fmt.Println(m.Outputs[0].Shape, err)
	// Output: [?,3] <nil>
}

func ExampleModel_Summary() {
	m, err := keras.NewSequential("small", keras.Input(4), keras.Dense(3, "relu"), keras.Dense(2, ""))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(m.Summary())
	// Output:
	// Model: "small"
	// Layer (type)     Output Shape  Param #
	// ──────────────────────────────────────
	// dense (Dense)    (None, 3)          15
	// dense_1 (Dense)  (None, 2)           8
	// Total params: 23
	// Trainable params: 23
	// Non-trainable params: 0
}
