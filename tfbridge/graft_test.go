//go:build cgo && !tfgo

package tfbridge_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

func TestFromGraft(t *testing.T) {
	root := op.NewScope()
	x := op.Placeholder(root, tf.Float, op.PlaceholderShape(tf.MakeShape(-1)))
	y := op.Mul(root, x, op.Const(root.SubScope("two"), float32(2)))
	m, err := tfbridge.FromGraft(t.Context(), root, map[string]tf.Output{"x": x}, map[string]tf.Output{"y": y}, tfbridge.Options{})
	require.NoError(t, err)
	defer m.Close()
	r, err := m.Call(t.Context(), map[string]*tensor.Tensor{"x": floats(t, []int{2}, 1, 2)})
	require.NoError(t, err)
	require.Equal(t, []float64{2, 4}, values(t, r["y"]))
}

func TestFromGraftRefuses(t *testing.T) {
	_, err := tfbridge.FromGraft(t.Context(), op.NewScope(), map[string]tf.Output{"x": {}}, nil, tfbridge.Options{})
	require.ErrorIs(t, err, tfbridge.ErrName)
}
