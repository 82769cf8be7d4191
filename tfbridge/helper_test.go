//go:build cgo

package tfbridge_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// models holds the small models that scripts/export_models.py wrote, mnist the two that scripts/export_mnist.py trained.
const (
	models = "../scripts/testdata/models"
	mnist  = "../scripts/testdata/mnist"
)

// readGraph reads a SavedModel directory.
func readGraph(t testing.TB, dir string, tags ...string) *graph.Graph {
	t.Helper()
	m, err := savedmodel.Read(dir)
	require.NoError(t, err)
	mg, err := m.MetaGraph(tags...)
	require.NoError(t, err)
	g, err := mg.Graph()
	require.NoError(t, err)
	return g
}

// open makes a graph ready and closes it when the test ends.
func open(t testing.TB, g *graph.Graph, opts tfbridge.Options) *tfbridge.Model {
	t.Helper()
	m, err := tfbridge.New(t.Context(), g, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// openModel opens one of the small models.
func openModel(t testing.TB, name string, opts tfbridge.Options) *tfbridge.Model {
	t.Helper()
	return open(t, readGraph(t, filepath.Join(models, name, "saved_model")), opts)
}

// recordedTensor is a tensor as the scripts write it into expected.json.
type recordedTensor struct {
	DType string          `json:"dtype"`
	Shape []int           `json:"shape"`
	Data  json.RawMessage `json:"data"`
}

// recordedCall is a call that Python made.
type recordedCall struct {
	Signature       string
	Inputs, Outputs map[string]recordedTensor
}

// recordedCalls returns the calls that Python made on one of the small models.
func recordedCalls(t testing.TB, name string) []recordedCall {
	t.Helper()
	var r struct{ Calls []recordedCall }
	data, err := os.ReadFile(filepath.Join(models, name, "expected.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &r))
	return r.Calls
}

func tensors(t testing.TB, recorded map[string]recordedTensor) map[string]*tensor.Tensor {
	t.Helper()
	r := map[string]*tensor.Tensor{}
	for name, v := range recorded {
		d, err := tensor.ParseDType(v.DType)
		require.NoError(t, err)
		x, err := tensor.ReadJSON(bytes.NewReader(v.Data), d)
		require.NoError(t, err)
		r[name], err = x.Reshape(v.Shape...)
		require.NoError(t, err)
	}
	return r
}

// requireClose checks that two maps of tensors have the same names, types and shapes, and the same values; floats may differ
// by the rounding of a few operations, which fusing them changes.
func requireClose(t testing.TB, want, got map[string]*tensor.Tensor, tolerance float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for name, w := range want {
		g := got[name]
		require.NotNil(t, g, name)
		require.Equal(t, w.DType(), g.DType(), name)
		require.Equal(t, w.Shape(), g.Shape(), name)
		if !w.DType().IsFloat() {
			require.True(t, w.Equal(g), "%s: want %v, got %v", name, values(t, w), values(t, g))
			continue
		}
		require.InDeltaSlice(t, values(t, w), values(t, g), tolerance, name)
	}
}

// values returns a tensor's elements as a slice of float64 (or strings).
func values(t testing.TB, x *tensor.Tensor) any {
	t.Helper()
	if x.DType() == tensor.String {
		v, err := tensor.Data[string](x)
		require.NoError(t, err)
		return v
	}
	c, err := x.Cast(tensor.Float64)
	require.NoError(t, err)
	v, err := tensor.Data[float64](c)
	require.NoError(t, err)
	return v
}

func floats(t testing.TB, shape []int, v ...float32) *tensor.Tensor {
	t.Helper()
	x, err := tensor.Of(v, shape...)
	require.NoError(t, err)
	return x
}
