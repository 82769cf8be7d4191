//go:build cgo

package tfbridge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

func TestFetch(t *testing.T) {
	m := open(t, linear(t, 0.5), tfbridge.Options{})
	x := floats(t, []int{1, 2}, 3, 4)
	for _, feed := range []string{"x", "x:0"} {
		r, err := m.Fetch(t.Context(), map[string]*tensor.Tensor{feed: x}, []string{"y", "matmul", "matmul:0", "w/Read/ReadVariableOp:0"})
		require.NoError(t, err)
		require.Len(t, r, 4)
		require.Equal(t, []float64{2.5}, values(t, r["y"]))
		require.Equal(t, []float64{2}, values(t, r["matmul"]))
		require.Equal(t, []float64{2}, values(t, r["matmul:0"]))
		require.Equal(t, []float64{2, -1}, values(t, r["w/Read/ReadVariableOp:0"]))
	}
}

// A tensor in the middle of the graph can be fed in place of what computes it.
func TestFetchFromTheMiddle(t *testing.T) {
	m := open(t, linear(t, 0.5), tfbridge.Options{})
	r, err := m.Fetch(t.Context(), map[string]*tensor.Tensor{"matmul:0": floats(t, []int{2, 1}, 10, 20)}, []string{"y:0"})
	require.NoError(t, err)
	require.Equal(t, []float64{10.5, 20.5}, values(t, r["y:0"]))
}

// A node without outputs is run.
func TestFetchRunsNodes(t *testing.T) {
	m := open(t, cell(t), tfbridge.Options{})
	r, err := m.Fetch(t.Context(), map[string]*tensor.Tensor{"x:0": floats(t, []int{2}, 1, 2)}, []string{"assign"})
	require.NoError(t, err)
	require.Empty(t, r)
	r, err = m.Fetch(t.Context(), nil, []string{"get:0"})
	require.NoError(t, err)
	require.Equal(t, []float64{1, 2}, values(t, r["get:0"]))
}

func TestFetchRefuses(t *testing.T) {
	m := open(t, linear(t, 0.5), tfbridge.Options{})
	x := floats(t, []int{1, 2}, 3, 4)
	type feeds = map[string]*tensor.Tensor
	for _, c := range []struct {
		name    string
		feeds   feeds
		fetches []string
		is      error
		want    string
	}{
		{"nothing", feeds{"x": x}, nil, tfbridge.ErrInput, "nothing is fetched"},
		{"an unknown node", feeds{"x": x}, []string{"StatefulPartitionedCall:0"}, tfbridge.ErrName, `no node "StatefulPartitionedCall"; the signature has "y" (float32 [?,1])`},
		{"an output that is not there", feeds{"x": x}, []string{"y:7"}, tfbridge.ErrName, `node "y" has 1 outputs`},
		{"a negative output", feeds{"x": x}, []string{"y:-1"}, tfbridge.ErrName, `"y:-1" does not name a tensor`},
		{"an empty name", feeds{"x": x}, []string{""}, tfbridge.ErrName, "does not name a tensor"},
		{"a control dependency", feeds{"x": x}, []string{"^y"}, tfbridge.ErrName, "does not name a tensor"},
		{"an unknown feed", feeds{"z:0": x}, []string{"y"}, tfbridge.ErrName, `no node "z"; the signature has "x" (float32 [?,2])`},
		{"a feed of another type", feeds{"x:0": tensor.Scalar(int32(1))}, []string{"y"}, tfbridge.ErrInput, "int32 []"},
		{"a feed of another shape", feeds{"x:0": floats(t, []int{2}, 1, 2)}, []string{"y"}, tfbridge.ErrInput, "of rank 1"},
		{"a nil feed", feeds{"x:0": nil}, []string{"y"}, tfbridge.ErrInput, `"x:0" is nil`},
		{"a handle as a feed", feeds{"w:0": x}, []string{"y"}, tfbridge.ErrInput, "cannot be passed from outside TensorFlow"},
		{"a handle", feeds{}, []string{"w:0"}, tensor.ErrDType, "resource"},
		{"no feed", feeds{}, []string{"y"}, tfbridge.ErrTensorFlow, "must feed a value for placeholder tensor 'x'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := m.Fetch(t.Context(), c.feeds, c.fetches)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.want)
		})
	}
}
