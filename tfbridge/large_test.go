//go:build cgo

package tfbridge_test

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// A graph with 80 MB of weights, in a variable or a constant, runs as it was loaded: rewritten it would take several times as
// much memory.
func TestLargeWeights(t *testing.T) {
	const rows, columns = 4096, 5120
	for _, name := range []string{"variable", "constant"} {
		t.Run(name, func(t *testing.T) {
			weights, err := tensor.New(tensor.Float32, rows, columns)
			require.NoError(t, err)
			v, err := tensor.Data[float32](weights)
			require.NoError(t, err)
			for i := range v {
				v[i] = 1
			}
			v[1] = 3
			b := graph.NewBuilder()
			x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, rows})
			w := b.Const("w", weights)
			if name == "variable" {
				w = b.Read(b.Variable("v", weights))
			}
			y := b.Op("MatMul", "y", []graph.Ref{x, w}, graph.Attrs{"T": tensor.Float32})
			g := finish(t, b, graph.Signature{
				Name:    graph.DefaultSignature,
				Inputs:  []graph.Port{port("x", tensor.Float32, tensor.Shape{-1, rows}, x)},
				Outputs: []graph.Port{port("y", tensor.Float32, nil, y)},
			})
			_, err = tfbridge.Devices() // which sets TensorFlow up
			require.NoError(t, err)
			debug.FreeOSMemory()
			before := resident(t)
			m := open(t, g, tfbridge.Options{})
			one, err := tensor.New(tensor.Float32, 1, rows)
			require.NoError(t, err)
			in, err := tensor.Data[float32](one)
			require.NoError(t, err)
			in[0] = 2
			out, err := m.Predict(t.Context(), one)
			require.NoError(t, err)
			require.Equal(t, 6.0, values(t, out).([]float64)[1])
			debug.FreeOSMemory()
			t.Logf("%.0f MB for 80 MB of weights", mb(resident(t)-before))
			require.Less(t, mb(resident(t)-before), 5*80.0)
		})
	}
}
