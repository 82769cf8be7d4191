//go:build cgo && tfgo

package tfbridge_test

import (
	"fmt"
	"path/filepath"
	"testing"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"
	"github.com/galeone/tfgo/image"
	"github.com/galeone/tfgo/image/filter"
	"github.com/galeone/tfgo/image/padding"
	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// What tfgo does with the model it hands out and what Call does is one and the same state.
func TestTfgoSharesState(t *testing.T) {
	g := readGraph(t, filepath.Join(models, "counter", "saved_model"))
	m := open(t, g, tfbridge.Options{})
	model, err := tfbridge.Tfgo(m)
	require.NoError(t, err)
	by, err := tf.NewTensor(int64(5))
	require.NoError(t, err)
	sig := m.Signature()
	find := func(name string) tf.Output {
		node, i, err := graph.ParseTensor(name)
		require.NoError(t, err)
		return model.Op(node, i)
	}
	r := model.Exec([]tf.Output{find(sig.Outputs[0].Tensor)}, map[tf.Output]*tf.Tensor{find(sig.Inputs[0].Tensor): by})
	require.Equal(t, int64(5), r[0].Value())
	count, err := m.Call(t.Context(), map[string]*tensor.Tensor{"by": tensor.Scalar(int64(2))})
	require.NoError(t, err)
	require.Equal(t, []float64{7}, values(t, count["count"]))

	require.NoError(t, m.Close())
	_, err = tfbridge.Tfgo(m)
	require.ErrorIs(t, err, tfbridge.ErrClosed)
	require.Panics(t, func() { model.Exec([]tf.Output{find(sig.Outputs[0].Tensor)}, nil) }, "the session is closed; tfgo panics")
}

func TestTfgoHasNoModelOfOtherGraphs(t *testing.T) {
	_, err := tfbridge.Tfgo(open(t, linear(t, 0), tfbridge.Options{}))
	require.ErrorIs(t, err, graph.ErrUnsupported)
}

// tfgo's panics when it loads become errors.
func TestTfgoPanicsAreErrors(t *testing.T) {
	g := readGraph(t, filepath.Join(models, "counter", "saved_model"))
	g.Source.Tags = []string{"train"}
	_, err := tfbridge.New(t.Context(), g, tfbridge.Options{})
	require.ErrorIs(t, err, tfbridge.ErrTensorFlow)
	require.ErrorContains(t, err, "Could not find meta graph def matching supplied tags: { train }")
}

// A graph of tfgo's fluent API and its image package runs as a Model and gives what tfgo's own Exec gives.
func TestFromTfgo(t *testing.T) {
	pixels := make([]float32, 2*6*5)
	for i := range pixels {
		pixels[i] = float32(i*i%23) / 22
	}
	build := func() (root *op.Scope, x, edges, scaled tf.Output) {
		root = tg.NewRoot()
		x = op.Placeholder(root.SubScope("x"), tf.Float, op.PlaceholderShape(tf.MakeShape(-1, 6, 5, 1)))
		gray := image.NewImage(root, x)
		gx := gray.Clone().Convolve(filter.SobelX(root), image.Stride{X: 1, Y: 1}, padding.SAME)
		gy := gray.Clone().Convolve(filter.SobelY(root), image.Stride{X: 1, Y: 1}, padding.SAME)
		edges = gx.Square().Add(gy.Square().Value()).Sqrt().Value()
		scaled = tg.NewTensor(root, x).Mul(tg.Const(root, float32(2))).Add(tg.Const(root, float32(1))).Output
		return root, x, edges, scaled
	}
	root, x, edges, scaled := build()
	in, err := tf.NewTensor(pixels)
	require.NoError(t, err)
	require.NoError(t, in.Reshape([]int64{2, 6, 5, 1}))
	want := tg.Exec(root, []tf.Output{edges, scaled}, map[tf.Output]*tf.Tensor{x: in}, &tf.SessionOptions{})

	root, x, edges, scaled = build()
	m, err := tfbridge.FromTfgo(t.Context(), root, map[string]tf.Output{"image": x}, map[string]tf.Output{"edges": edges, "scaled": scaled}, tfbridge.Options{})
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, tensor.Shape{-1, 6, 5, 1}, m.Signature().Inputs[0].Shape)
	got, err := m.Call(t.Context(), map[string]*tensor.Tensor{"image": floats(t, []int{2, 6, 5, 1}, pixels...)})
	require.NoError(t, err)
	for i, name := range []string{"edges", "scaled"} {
		var flat []float32
		for _, a := range want[i].Value().([][][][]float32) {
			for _, b := range a {
				for _, c := range b {
					flat = append(flat, c...)
				}
			}
		}
		y, err := tensor.Data[float32](got[name])
		require.NoError(t, err)
		require.InDeltaSlice(t, flat, y, 1e-6, name)
	}
	_, err = m.Call(t.Context(), map[string]*tensor.Tensor{"image": floats(t, []int{6, 5}, make([]float32, 30)...)})
	require.ErrorIs(t, err, tfbridge.ErrInput)
}

func TestFromTfgoRefuses(t *testing.T) {
	_, err := tfbridge.FromTfgo(t.Context(), tg.NewRoot(), map[string]tf.Output{"x": {}}, nil, tfbridge.Options{})
	require.ErrorIs(t, err, tfbridge.ErrName)
	root := tg.NewRoot()
	root.UpdateErr("nothing", fmt.Errorf("a mistake"))
	_, err = tfbridge.FromTfgo(t.Context(), root, nil, nil, tfbridge.Options{})
	require.ErrorContains(t, err, "a mistake")
}
