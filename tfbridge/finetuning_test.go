//go:build cgo

package tfbridge_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

// identity is a base that gives what it takes.
func identity(width int) tfbridge.Base {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, width})
	y := b.Op("Identity", "y", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32})
	return tfbridge.Base{Inference: finished(b, x, y, tensor.Shape{-1, width}, width)}
}

// finished finishes a graph with one input and features of a width.
func finished(b *graph.Builder, x, y graph.Ref, shape tensor.Shape, width int) *graph.Graph {
	g, err := b.Finish(graph.Signature{Name: graph.DefaultSignature, Inputs: []graph.Port{{Name: "x", DType: tensor.Float32, Shape: shape, Tensor: x.Tensor()}},
		Outputs: []graph.Port{{Name: "y", DType: tensor.Float32, Shape: tensor.Shape{-1, width}, Tensor: y.Tensor()}}})
	if err != nil {
		panic(err)
	}
	return g
}

// TestFineTunable is the suite that every engine passes, behind a base.
func TestFineTunable(t *testing.T) {
	traintest.Run(t, func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error) {
		return tfbridge.NewFineTuning(identity(max(m.Inputs, 1)), m, nil, l, o, seed, tfbridge.Options{})
	}, traintest.Options{})
}

// small is a base of one convolution, its kernel [3, 3, 1, 2] and what else a test adds.
func small(add func(b *graph.Builder, x, kernel graph.Ref) graph.Ref) tfbridge.Base {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 7, 6, 1})
	values := make([]float32, 18)
	for i := range values {
		values[i] = float32(math.Sin(float64(3*i))) / 2
	}
	kernel := b.Read(b.Variable("kernel", tensor.Must(tensor.Of(values, 3, 3, 1, 2))))
	y := add(b, x, kernel)
	y = b.Op("Mean", "mean", []graph.Ref{y, b.Ints("axes", 1, 2)}, graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32})
	return tfbridge.Base{Inference: finished(b, x, y, tensor.Shape{-1, 7, 6, 1}, 2), Trainable: []string{"kernel"}}
}

func convolution(b *graph.Builder, x, kernel graph.Ref, attrs graph.Attrs) graph.Ref {
	all := graph.Attrs{"T": tensor.Float32, "strides": []int{1, 1, 1, 1}, "padding": "SAME"}
	for k, v := range attrs {
		all[k] = v
	}
	return b.Op("Conv2D", "conv", []graph.Ref{x, kernel}, all)
}

func tanh(b *graph.Builder, x graph.Ref) graph.Ref {
	return b.Op("Tanh", "tanh", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32})
}

// images is a data set of n images for small.
func images(n int) *train.Dataset {
	x, y := make([]float32, n*42), make([]int32, n)
	r := train.NewRandom(3, 1)
	for i := range x {
		x[i] = float32(r.Normal())
	}
	for i := range y {
		y[i] = int32(i % 3)
	}
	return &train.Dataset{X: tensor.Must(tensor.Of(x, n, 7, 6, 1)), Y: tensor.Must(tensor.Of(y))}
}

func fineTuned(t *testing.T, b tfbridge.Base, o train.Optimizer) (train.Trainable, error) {
	t.Helper()
	m := train.MLP{Inputs: 2, Outputs: 3, OutputActivation: "softmax"}
	model, err := tfbridge.NewFineTuning(b, m, nil, train.Loss{Name: train.SparseCategoricalCrossentropy}, o, 1, tfbridge.Options{})
	if err == nil {
		t.Cleanup(func() { _ = model.Close() })
	}
	return model, err
}

// TestGradientsThroughRewrites compares gradients through ops that are replaced with finite differences.
func TestGradientsThroughRewrites(t *testing.T) {
	float := graph.Attrs{"T": tensor.Float32}
	for name, add := range map[string]func(b *graph.Builder, x, kernel graph.Ref) graph.Ref{
		"plain": func(b *graph.Builder, x, k graph.Ref) graph.Ref { return tanh(b, convolution(b, x, k, nil)) },
		"dilated, SAME": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			return tanh(b, convolution(b, x, k, graph.Attrs{"dilations": []int{1, 2, 3, 1}}))
		},
		"dilated, VALID": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			return tanh(b, convolution(b, x, k, graph.Attrs{"dilations": []int{1, 3, 2, 1}, "padding": "VALID"}))
		},
		"explicit": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			return tanh(b, convolution(b, x, k, graph.Attrs{"strides": []int{1, 2, 2, 1}, "padding": "EXPLICIT", "explicit_paddings": []int{0, 0, 2, 1, 0, 3, 0, 0}}))
		},
		"explicit and dilated": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			return tanh(b, convolution(b, x, k, graph.Attrs{"dilations": []int{1, 2, 2, 1}, "padding": "EXPLICIT", "explicit_paddings": []int{0, 0, 1, 1, 2, 0, 0, 0}}))
		},
		"depthwise explicit": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			return tanh(b, b.Op("DepthwiseConv2dNative", "conv", []graph.Ref{x, k}, graph.Attrs{"T": tensor.Float32, "strides": []int{1, 1, 1, 1},
				"padding": "EXPLICIT", "explicit_paddings": []int{0, 0, 1, 2, 1, 0, 0, 0}}))
		},
		"IdentityN": func(b *graph.Builder, x, k graph.Ref) graph.Ref { // as x·sigmoid(x) of Keras is exported
			y := convolution(b, x, k, nil)
			both := b.Op("IdentityN", "both", []graph.Ref{b.Op("Sigmoid", "sigmoid", []graph.Ref{y}, float), y}, graph.Attrs{"T": []tensor.DType{tensor.Float32, tensor.Float32}})
			return b.Op("Mul", "swish", []graph.Ref{both, both.Output(1)}, float)
		},
		"EnsureShape": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			return tanh(b, b.Op("EnsureShape", "ensure", []graph.Ref{convolution(b, x, k, nil)}, graph.Attrs{"T": tensor.Float32, "shape": tensor.Shape{-1, 7, 6, 2}}))
		},
		"ResourceGather": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			rows := b.Op("ResourceGather", "gather", []graph.Ref{"kernel", b.Ints("rows", 2, 0, 0)}, graph.Attrs{"dtype": tensor.Float32, "Tindices": tensor.Int32})
			return tanh(b, convolution(b, x, b.Op("Add", "sum", []graph.Ref{rows, k}, float), nil))
		},
		"resized": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			return tanh(b, b.Op("ResizeBilinear", "resize", []graph.Ref{convolution(b, x, k, nil), b.Ints("size", 9, 11)}, graph.Attrs{"T": tensor.Float32, "half_pixel_centers": true}))
		},
		"FusedBatchNorm": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			vector := func(name string, v ...float32) graph.Ref { return b.Const(name, tensor.Must(tensor.Of(v))) }
			return tanh(b, b.Op("FusedBatchNorm", "bn", []graph.Ref{convolution(b, x, k, nil), vector("scale", 0.7, 1.2), vector("offset", 0.1, -0.2),
				vector("mean", 0.2, 0.1), vector("variance", 0.8, 1.5)}, graph.Attrs{"T": tensor.Float32, "epsilon": float32(1e-3), "is_training": false}))
		},
		"batch statistics": func(b *graph.Builder, x, k graph.Ref) graph.Ref {
			vector := func(name string, v ...float32) graph.Ref { return b.Const(name, tensor.Must(tensor.Of(v))) }
			none := b.Const("none", tensor.Must(tensor.New(tensor.Float32, 0)))
			return tanh(b, b.Op("FusedBatchNormV3", "bn", []graph.Ref{convolution(b, x, k, nil), vector("scale", 0.7, 1.2), vector("offset", 0.1, -0.2), none, none},
				graph.Attrs{"T": tensor.Float32, "U": tensor.Float32, "epsilon": float32(1e-3), "is_training": true}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			model, err := fineTuned(t, small(add), train.Momentum(1, 0.9))
			require.NoError(t, err)
			bound, err := model.Bind(images(4))
			require.NoError(t, err)
			order := []int32{0, 1, 2, 3}
			weights, err := model.Weights(true)
			require.NoError(t, err)
			require.Equal(t, []string{"kernel", "head/dense/kernel", "head/dense/bias"}, []string{weights[0].Name, weights[1].Name, weights[2].Name})
			require.NoError(t, bound.Train(order, 4, nil, nil))
			state, err := model.State() // a step of SGD with momentum leaves -gradient
			require.NoError(t, err)
			gradient, err := tensor.Data[float32](state.Slots[0].Value)
			require.NoError(t, err)

			kernel, err := tensor.Data[float32](weights[0].Value)
			require.NoError(t, err)
			values := []*tensor.Tensor{weights[0].Value, weights[1].Value, weights[2].Value}
			loss := func() float64 {
				require.NoError(t, model.SetWeights(values))
				losses := make([]float32, 1)
				require.NoError(t, bound.Evaluate(order, 4, nil, losses))
				return float64(losses[0])
			}
			const h = 1.0 / 128
			for i, v := range kernel {
				kernel[i] = v + h
				up := loss()
				kernel[i] = v - h
				down := loss()
				kernel[i] = v
				require.InDelta(t, (up-down)/(2*h), -gradient[i], 2e-4, "element %d", i)
			}
		})
	}
}

func TestFineTuningRefuses(t *testing.T) {
	good := func() tfbridge.Base {
		return small(func(b *graph.Builder, x, k graph.Ref) graph.Ref { return tanh(b, convolution(b, x, k, nil)) })
	}
	refuse := func(b tfbridge.Base, sentinel error, words ...string) {
		t.Helper()
		_, err := fineTuned(t, b, train.SGD(0.1))
		require.ErrorIs(t, err, sentinel)
		for _, w := range words {
			require.ErrorContains(t, err, w)
		}
	}
	refuse(tfbridge.Base{}, train.ErrOption, "inference")
	b := good()
	b.Trainable = []string{"wobble"}
	refuse(b, train.ErrOption, "wobble")
	b = good()
	b.Trainable = []string{"kernel", "kernel"}
	refuse(b, train.ErrOption, "kernel", "twice")
	b = good()
	delete(b.Inference.Variables, "kernel")
	refuse(b, train.ErrOption, "kernel", "value")
	b = good()
	b.Updates = []string{"wobble"}
	refuse(b, graph.ErrMalformed, "wobble")
	refuse(identity(5), train.ErrOption, "[-1,2]")
	refuse(small(func(b *graph.Builder, x, k graph.Ref) graph.Ref {
		return b.Op("LRN", "norm", []graph.Ref{convolution(b, x, k, nil)}, graph.Attrs{"T": tensor.Float32})
	}), graph.ErrUnsupported, "norm (LRN)")

	m := train.MLP{Inputs: 2, Outputs: 3, OutputActivation: "softmax"}
	loss := train.Loss{Name: train.SparseCategoricalCrossentropy}
	_, err := tfbridge.NewFineTuning(good(), m, []*tensor.Tensor{}, loss, train.SGD(0.1), 1, tfbridge.Options{})
	require.ErrorIs(t, err, train.ErrData)
	_, err = tfbridge.NewFineTuning(good(), m, []*tensor.Tensor{nil, nil}, loss, train.SGD(0.1), 1, tfbridge.Options{})
	require.ErrorContains(t, err, "dense/kernel")

	model, err := fineTuned(t, good(), train.SGD(0.1))
	require.NoError(t, err)
	_, err = model.Bind(&train.Dataset{X: tensor.Must(tensor.New(tensor.Float32, 2, 7, 7, 1))})
	require.ErrorIs(t, err, train.ErrData)
	data := images(4)
	values, err := tensor.Data[float32](data.X)
	require.NoError(t, err)
	values[2*42+5] = float32(math.NaN())
	bound, err := model.Bind(data)
	require.NoError(t, err, "what may not fit into memory is not looked at yet")
	require.NoError(t, bound.Train([]int32{0, 3}, 2, nil, nil))
	err = bound.Train([]int32{0, 2}, 2, nil, nil)
	require.ErrorIs(t, err, train.ErrData)
	require.ErrorContains(t, err, "feature 5 of sample 2")
}

// Weights that are not trained stay; losses of more samples than go through the base at once are those of the samples.
func TestFineTuningAPart(t *testing.T) {
	b := small(func(b *graph.Builder, x, k graph.Ref) graph.Ref { return tanh(b, convolution(b, x, k, nil)) })
	b.Trainable = nil
	model, err := fineTuned(t, b, train.Adam(0.05))
	require.NoError(t, err)
	data := images(70)
	bound, err := model.Bind(data)
	require.NoError(t, err)
	before, err := model.Weights(true)
	require.NoError(t, err)
	require.False(t, before[0].Trainable)
	order := make([]int32, 70)
	for i := range order {
		order[i] = int32(i)
	}
	require.NoError(t, bound.Train(order, 16, nil, nil))
	after, err := model.Weights(true)
	require.NoError(t, err)
	require.True(t, before[0].Value.Equal(after[0].Value))
	require.False(t, before[1].Value.Equal(after[1].Value))

	whole, parts, outputs := make([]float32, 1), make([]float32, 70), make([]float32, 210)
	require.NoError(t, bound.Evaluate(order, 70, outputs, whole))
	require.NoError(t, bound.Evaluate(order, 1, nil, parts))
	sum := 0.0
	for _, l := range parts {
		sum += float64(l)
	}
	require.InDelta(t, sum/70, whole[0], 1e-5)
	y, err := data.Targets()
	require.NoError(t, err)
	require.InDelta(t, train.LossValue(model.Loss(), y, outputs, 3, nil), whole[0], 1e-5)
}

// TestUnfreezeRecorded takes the steps that Keras took with small models.
func TestUnfreezeRecorded(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join("..", "scripts", "testdata", "unfreeze", "*", "case.json"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, path := range cases {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { readUnfreezeCase(t, filepath.Dir(path)).run(t) })
	}
}

// Steps are a function of the seed and their number, and dropout is there in training only.
func TestFineTuningDropout(t *testing.T) {
	m, err := keras.NewSequential("m", keras.Input(7, 6, 1), keras.Flatten(), keras.Dropout(0.5), keras.Dense(2, "tanh"))
	require.NoError(t, err)
	kernel := make([]float32, 84)
	for i := range kernel {
		kernel[i] = float32(i%5) / 10
	}
	require.NoError(t, m.SetWeights([]*tensor.Tensor{tensor.Must(tensor.Of(kernel, 42, 2)), tensor.Must(tensor.New(tensor.Float32, 2))}))
	b, err := m.TrainingBase(keras.TrainingOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, b.Seed)
	run := func(seed uint64) (losses []float32) {
		model, err := fineTuned(t, tfbridge.Base(*b), train.SGD(0.1))
		require.NoError(t, err)
		model.Seed(seed)
		bound, err := model.Bind(images(8))
		require.NoError(t, err)
		losses = make([]float32, 4)
		require.NoError(t, bound.Train([]int32{0, 1, 2, 3, 4, 5, 6, 7}, 2, nil, losses))
		return losses
	}
	require.Equal(t, run(1), run(1))
	require.NotEqual(t, run(1), run(2))
}

// A convolution and a head behind it learn together; of a Keras file, keras.Model.TrainingBase makes the base.
func ExampleNewFineTuning() {
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 4, 4, 1})
	kernel := b.Read(b.Variable("kernel", tensor.Must(tensor.Of([]float32{0.1, -0.2, 0.3, 0.1}, 1, 2, 1, 2))))
	y := b.Op("Conv2D", "conv", []graph.Ref{x, kernel}, graph.Attrs{"T": tensor.Float32, "strides": []int{1, 1, 1, 1}, "padding": "VALID"})
	y = b.Op("Relu", "relu", []graph.Ref{y}, graph.Attrs{"T": tensor.Float32})
	y = b.Op("Mean", "pool", []graph.Ref{y, b.Ints("axes", 1, 2)}, graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32})
	g, err := b.Finish(graph.Signature{Name: graph.DefaultSignature,
		Inputs:  []graph.Port{{Name: "image", DType: tensor.Float32, Shape: tensor.Shape{-1, 4, 4, 1}, Tensor: x.Tensor()}},
		Outputs: []graph.Port{{Name: "features", DType: tensor.Float32, Shape: tensor.Shape{-1, 2}, Tensor: y.Tensor()}}})
	if err != nil {
		panic(err)
	}
	head := train.MLP{Inputs: 2, Outputs: 2, OutputActivation: "softmax"}
	model, err := tfbridge.NewFineTuning(tfbridge.Base{Inference: g, Trainable: []string{"kernel"}}, head, nil,
		train.Loss{Name: train.SparseCategoricalCrossentropy}, train.Adam(0.05), 1, tfbridge.Options{})
	if err != nil {
		panic(err)
	}
	defer model.Close()
	images := make([]float32, 8*16) // half of them with vertical stripes, half with horizontal ones
	labels := make([]int32, 8)
	for i := range images {
		image, row, column := i/16, i/4%4, i%4
		labels[image] = int32(image % 2)
		images[i] = float32([]int{column, row}[image%2]%2) * float32(image+1) / 4
	}
	data := &train.Dataset{X: tensor.Must(tensor.Of(images, 8, 4, 4, 1)), Y: tensor.Must(tensor.Of(labels))}
	result, err := train.Fit(context.Background(), model, data, train.Config{Epochs: 200, BatchSize: 8, Metrics: []train.Metric{train.CategoricalAccuracy()}})
	if err != nil {
		panic(err)
	}
	fmt.Println(result.History[len(result.History)-1].Logs["accuracy"])
	// Output: 1
}
