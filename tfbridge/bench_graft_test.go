//go:build cgo && !tfgo

package tfbridge_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	tf "github.com/wamuir/graft/tensorflow"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// BenchmarkGraft is what a program does that uses graft alone: make a tensor, run, take the value.
func BenchmarkGraft(b *testing.B) {
	forEachCase(b, func(b *testing.B, bm benchModel, x *tensor.Tensor) {
		sig, err := readGraph(b, bm.dir).Signature("")
		require.NoError(b, err)
		m, err := tf.LoadSavedModel(bm.dir, []string{"serve"}, nil)
		require.NoError(b, err)
		defer func() { require.NoError(b, m.Session.Close()) }()
		find := func(name string) tf.Output {
			node, i, err := graph.ParseTensor(name)
			require.NoError(b, err)
			return m.Graph.Operation(node).Output(i)
		}
		in, out := find(sig.Inputs[0].Tensor), []tf.Output{find(sig.Outputs[0].Tensor)}
		shape := make([]int64, x.Rank())
		for i, d := range x.Shape() {
			shape[i] = int64(d)
		}
		call := func() error {
			t, err := tf.ReadTensor(tf.Float, shape, bytes.NewReader(x.Bytes()))
			if err != nil {
				return err
			}
			y, err := m.Session.Run(map[tf.Output]*tf.Tensor{in: t}, out, nil)
			if err == nil {
				_ = y[0].Value()
			}
			return err
		}
		require.NoError(b, call()) // the first run optimizes the graph
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
