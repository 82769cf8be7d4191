package dense_test

import (
	"context"
	"fmt"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// corners are the four inputs of a logic gate.
var corners = [][]float64{{0, 0}, {0, 1}, {1, 0}, {1, 1}}

func ExamplePerceptron() {
	for _, gate := range []struct {
		name    string
		targets []int
	}{{"AND", []int{0, 0, 0, 1}}, {"OR", []int{0, 1, 1, 1}}, {"NAND", []int{1, 1, 1, 0}}, {"NOR", []int{1, 0, 0, 0}}} {
		p := dense.NewPerceptron(2)
		_, mistakes, err := p.Fit(corners, gate.targets, 1, 100)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-4s", gate.name)
		for _, x := range corners {
			y, err := p.Predict(x)
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Print(" ", y)
		}
		fmt.Println(" mistakes:", mistakes)
	}
	// Output:
	// AND  0 0 0 1 mistakes: 0
	// OR   0 1 1 1 mistakes: 0
	// NAND 1 1 1 0 mistakes: 0
	// NOR  1 0 0 0 mistakes: 0
}

// XOR's corners cannot be separated by a line: the perceptron is still wrong after ten thousand passes.
func ExamplePerceptron_xor() {
	p := dense.NewPerceptron(2)
	passes, mistakes, err := p.Fit(corners, []int{0, 1, 1, 0}, 1, 10000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("passes:", passes, "learnt:", mistakes == 0)
	// Output: passes: 10000 learnt: false
}

// A hidden layer bends the line: a multi-layer perceptron learns XOR.
func ExampleModel_xor() {
	m, err := dense.New(dense.Config{Seed: 1}, dense.Input(2), dense.Dense(8, dense.Tanh), dense.Dense(1, dense.Sigmoid))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	if err := m.Compile(train.Adam(0.05), train.Loss{Name: train.BinaryCrossentropy}); err != nil {
		fmt.Println(err)
		return
	}
	x := tensor.Must(tensor.Of([]float32{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2))
	y := tensor.Must(tensor.Of([]float32{0, 1, 1, 0}, 4, 1))
	if _, err := m.Fit(context.Background(), &train.Dataset{X: x, Y: y}, train.Config{Epochs: 300, BatchSize: 4}); err != nil {
		fmt.Println(err)
		return
	}
	p, err := m.Predict(x)
	if err != nil {
		fmt.Println(err)
		return
	}
	values, _ := tensor.Data[float32](p)
	for _, v := range values {
		fmt.Println(v > 0.5)
	}
	// Output:
	// false
	// true
	// true
	// false
}

func ExampleSequential() {
	m, err := dense.Sequential(
		dense.Input(28, 28),
		dense.Flatten(),
		dense.Dense(128, dense.ReLU, dense.WithKernelRegularizer(dense.L2(1e-4))),
		dense.BatchNormalization(),
		dense.Dropout(0.2),
		dense.Dense(10, dense.Softmax),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	fmt.Print(m.Summary())
	// Output:
	// Model: "sequential"
	// Layer (type)                              Output Shape  Param #
	// ───────────────────────────────────────────────────────────────
	// flatten (Flatten)                         (None, 784)         0
	// dense (Dense)                             (None, 128)   100,480
	// batch_normalization (BatchNormalization)  (None, 128)       512
	// dropout (Dropout)                         (None, 128)         0
	// dense_1 (Dense)                           (None, 10)      1,290
	// Total params: 102,282
	// Trainable params: 102,026
	// Non-trainable params: 256
}

// Evaluate and Predict after a few steps of gradient descent on a line.
func ExampleModel_Fit() {
	m, err := dense.Sequential(dense.Input(1), dense.Dense(1, dense.WithKernelInitializer(dense.Zeros)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	if err := m.Compile(train.SGD(0.1), train.Loss{Name: train.MeanSquaredError}, train.MAE()); err != nil {
		fmt.Println(err)
		return
	}
	line := &train.Dataset{X: tensor.Must(tensor.Of([]float32{-1, 0, 1, 2}, 4, 1)), Y: tensor.Must(tensor.Of([]float32{-1, 1, 3, 5}, 4, 1))}
	if _, err := m.Fit(context.Background(), line, train.Config{Epochs: 200}); err != nil {
		fmt.Println(err)
		return
	}
	results, err := m.Evaluate(line)
	if err != nil {
		fmt.Println(err)
		return
	}
	y, err := m.Predict(tensor.Must(tensor.Of([]float32{10}, 1, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	prediction, _ := tensor.Data[float32](y)
	fmt.Printf("loss %.4f, mae %.4f, at 10: %.2f\n", results["loss"], results["mae"], prediction[0])
	// Output: loss 0.0000, mae 0.0000, at 10: 21.00
}

// A file that Keras wrote runs natively: 784 pixels in, the probabilities of ten digits out.
func ExampleFromKeras() {
	k, err := keras.Load("../scripts/testdata/mnist/mlp/my_mnist.keras")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := dense.FromKeras(k, dense.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	digit, err := mnist.ReadDigit("../scripts/testdata/mnist/digits/3_1.png", mnist.Options{Shape: []int{1, 784}})
	if err != nil {
		fmt.Println(err)
		return
	}
	y, err := m.Predict(digit)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := tensor.Data[float32](y)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("read as", train.Argmax(p))
	// Output: read as 3
}
