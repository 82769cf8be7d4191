//go:build cgo

package tfbridge_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

func openMLP(t testing.TB, opts tfbridge.Options) *tfbridge.Model {
	t.Helper()
	return open(t, readGraph(t, filepath.Join(mnist, "mlp", "saved_model")), opts)
}

func TestCallRefuses(t *testing.T) {
	m := openModel(t, "signatures", tfbridge.Options{Signature: "between"})
	scalar := tensor.Scalar(float32(1))
	type inputs = map[string]*tensor.Tensor
	for _, c := range []struct {
		name      string
		signature string
		inputs    inputs
		is        error
		want      string
	}{
		{"no such signature", "minus", inputs{}, graph.ErrNoSignature, "the model has between, plus, times"},
		{"no inputs", "", nil, tfbridge.ErrInput, `signature "between": tfbridge: wrong input: "high" is missing; the inputs are "high" (float32 []), "low" (float32 [])`},
		{"an input too many", "", inputs{"low": scalar, "high": scalar, "x": scalar}, tfbridge.ErrInput, `there is no "x"`},
		{"another signature's inputs", "times", inputs{"low": scalar, "high": scalar}, tfbridge.ErrInput, `signature "times": tfbridge: wrong input: "x" is missing`},
		{"another type", "", inputs{"low": scalar, "high": tensor.Scalar(1.0)}, tfbridge.ErrInput, `"high" is float64 [], it takes float32 []`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := m.CallSignature(t.Context(), c.signature, c.inputs)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := m.Predict(t.Context(), scalar)
	require.ErrorIs(t, err, tfbridge.ErrInput)
	require.ErrorContains(t, err, "Predict needs one input and one output")
}

func TestSignature(t *testing.T) {
	m := openModel(t, "signatures", tfbridge.Options{})
	require.Len(t, m.Signatures(), 3)
	require.Zero(t, m.Signature(), "three signatures, none of them serving_default")
	_, err := m.Call(t.Context(), nil)
	require.ErrorIs(t, err, graph.ErrNoSignature)
	require.ErrorContains(t, err, "choose one of between, plus, times")
	require.Equal(t, "plus", openModel(t, "signatures", tfbridge.Options{Signature: "plus"}).Signature().Name)
	require.Equal(t, graph.DefaultSignature, openModel(t, "training", tfbridge.Options{}).Signature().Name)
	require.Equal(t, graph.DefaultSignature, openModel(t, "counter", tfbridge.Options{}).Signature().Name)
}

// An empty batch gives an empty result or TensorFlow's error; the model lives on either way.
func TestEmptyBatch(t *testing.T) {
	for _, opts := range []tfbridge.Options{{}, {NoRewrite: true}} {
		m := openMLP(t, opts)
		y, err := m.Predict(t.Context(), floats(t, []int{0, 784}))
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{0, 10}, y.Shape())

		c := openModel(t, "convolutions", opts)
		y, err = c.Predict(t.Context(), floats(t, []int{0, 32, 32, 3}))
		if err != nil {
			require.ErrorIs(t, err, tfbridge.ErrTensorFlow)
		} else {
			require.Equal(t, tensor.Shape{0, 5}, y.Shape())
		}
		y, err = c.Predict(t.Context(), floats(t, []int{1, 32, 32, 3}, make([]float32, 32*32*3)...))
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{1, 5}, y.Shape())
	}
}

func TestNotANumber(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		x := graph.Port{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1}, Tensor: "x:0"}
		y := graph.Port{Name: "y", DType: tensor.Float32, Tensor: "y:0"}
		r, err := open(t, unary(t, "Neg", x, y), opts).Predict(t.Context(), floats(t, []int{3}, 1, float32(math.NaN()), float32(math.Inf(1))))
		require.NoError(t, err)
		v := values(t, r).([]float64)
		require.Equal(t, -1.0, v[0])
		require.True(t, math.IsNaN(v[1]))
		require.True(t, math.IsInf(v[2], -1))
	})
}

// Any batch gives the same results row by row, whichever of the plans runs it.
func TestBatches(t *testing.T) {
	m, loaded := openMLP(t, tfbridge.Options{}), openMLP(t, tfbridge.Options{NoRewrite: true})
	for _, n := range []int{1, 2, 7, 32, 33, 500, 3} {
		x, err := tensor.New(tensor.Float32, n, 784)
		require.NoError(t, err)
		v, err := tensor.Data[float32](x)
		require.NoError(t, err)
		for i := range v {
			v[i] = float32(i*2654435761%1009) / 1009
		}
		got, err := m.Predict(t.Context(), x)
		require.NoError(t, err)
		want, err := loaded.Predict(t.Context(), x)
		require.NoError(t, err)
		require.InDeltaSlice(t, values(t, want), values(t, got), 1e-5)
		again, err := m.Predict(t.Context(), x)
		require.NoError(t, err)
		require.True(t, got.Equal(again), "equal calls give equal bits")
	}
}

func TestDevices(t *testing.T) {
	devices, err := tfbridge.Devices()
	require.NoError(t, err)
	require.NotEmpty(t, devices)
	require.Equal(t, "CPU", devices[0].Type)
	require.Contains(t, devices[0].Name, "CPU:0")
	require.True(t, tfbridge.Available)
	require.Regexp(t, `^2\.\d+\.\d+`, tfbridge.Version())
}

// PredictInto puts into a tensor what Predict returns, whether the call is divided or not, and says what does not fit.
func TestPredictInto(t *testing.T) {
	m := open(t, readGraph(t, filepath.Join(mnist, "cnn", "saved_model")), tfbridge.Options{})
	for _, rows := range []int{1, 512} {
		x := tensor.Must(tensor.New(tensor.Float32, rows, 28, 28, 1))
		v, err := tensor.Data[float32](x)
		require.NoError(t, err)
		for i := range v {
			v[i] = float32(i%251) / 251
		}
		want, err := m.Predict(t.Context(), x)
		require.NoError(t, err)
		got := tensor.Must(tensor.New(tensor.Float32, rows, 10))
		require.NoError(t, m.PredictInto(t.Context(), x, got))
		require.True(t, want.Equal(got))
		for _, wrong := range []*tensor.Tensor{nil, tensor.Scalar("x"), tensor.Must(tensor.New(tensor.Float32, rows, 11)), tensor.Must(tensor.New(tensor.Float64, rows, 10))} {
			require.ErrorIs(t, m.PredictInto(t.Context(), x, wrong), tfbridge.ErrInput)
		}
		require.ErrorIs(t, m.PredictInto(t.Context(), nil, got), tfbridge.ErrInput)
	}
}
