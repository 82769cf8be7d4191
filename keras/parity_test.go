//go:build cgo

package keras_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// TestParity runs the cases that scripts/parity_keras.py saved, and compares with what Keras computed. Each case is
// NAME.keras or NAME.h5 beside NAME.npz, which holds x0, x1 … and y0, y1 …, and beside NAME.json, its summary.
func TestParity(t *testing.T) {
	dir := os.Getenv("CAMBIUM_PARITY")
	if dir == "" {
		t.Skip("CAMBIUM_PARITY is not set: scripts/parity_keras.py makes the cases and sets it")
	}
	runCases(t, dir)
}

// TestRecorded is TestParity for the few cases that scripts/record_keras.py recorded.
func TestRecorded(t *testing.T) { runCases(t, "testdata/models") }

func runCases(t *testing.T, dir string) {
	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".keras" || ext == ".h5" {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	for _, f := range files {
		name, err := filepath.Rel(dir, f)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) { runCase(t, f, strings.TrimSuffix(f, filepath.Ext(f))+".npz") })
	}
}

func runCase(t *testing.T, model, npz string) {
	var options []keras.Option
	switch name := filepath.Base(model); { // see scripts/parity_corpus.py
	case strings.HasPrefix(name, "rebuilt_") && strings.Contains(name, "theano"):
		options = append(options, keras.WithBackend("theano"))
	case strings.Contains(name, "theano"):
		options = append(options, keras.WithBackend("tensorflow")) // as Python loads them
	}
	m, err := keras.Load(model, options...)
	require.NoError(t, err)
	if data, err := os.ReadFile(strings.TrimSuffix(npz, ".npz") + ".json"); err == nil {
		var rows []summaryRow
		require.NoError(t, json.Unmarshal(data, &rows))
		requireSummary(t, rows, m)
	}
	recorded := readNPZ(t, npz)
	inputs := map[string]*tensor.Tensor{}
	for i, in := range m.Inputs {
		x := recorded[fmt.Sprintf("x%d", i)]
		require.NotNil(t, x, "input %s", in.Name)
		x, err = x.Convert(in.DType)
		require.NoError(t, err)
		inputs[in.Name] = x
	}
	out := call(t, m, inputs)
	for i, o := range m.Outputs {
		want := recorded[fmt.Sprintf("y%d", i)]
		require.NotNil(t, want, "output %s", o.Name)
		got := out[o.Name]
		require.Equal(t, want.Shape(), got.Shape(), "output %s", o.Name)
		for j, d := range o.Shape {
			if d >= 0 {
				require.Equal(t, want.Shape()[j], d, "the static shape %v of output %s", o.Shape, o.Name)
			}
		}
		if want.DType() == tensor.String {
			requireSameText(t, want, got)
			continue
		}
		requireClose(t, want, got, tolerance(model), "output "+o.Name)
	}
}

// tolerance is the relative error that rounding in another order explains, in the type in which the case computes. For a deep
// network the script measures it: how far Keras is from itself.
func tolerance(name string) float64 {
	if own, err := strconv.ParseFloat(os.Getenv("CAMBIUM_PARITY_ROUNDING"), 64); err == nil {
		return max(1e-4, 4*own)
	}
	switch {
	case strings.Contains(name, "bfloat16"):
		return 3e-2
	case strings.Contains(name, "float16"):
		return 4e-3
	}
	return 1e-4
}

// call runs a model on TensorFlow.
func call(t testing.TB, m *keras.Model, inputs map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	g, err := m.Graph()
	require.NoError(t, err)
	engine, err := tfbridge.New(t.Context(), g, tfbridge.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	out, err := engine.Call(t.Context(), inputs)
	require.NoError(t, err)
	return out
}

func readNPZ(t testing.TB, path string) map[string]*tensor.Tensor {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	arrays, err := tensor.ReadNPZ(f, info.Size())
	require.NoError(t, err)
	out := map[string]*tensor.Tensor{}
	for _, a := range arrays {
		out[a.Name] = a.Tensor
	}
	return out
}

// requireClose compares with a tolerance relative to the larger of the element and the mean magnitude of all elements.
func requireClose(t testing.TB, want, got *tensor.Tensor, tolerance float64, what string) {
	t.Helper()
	w, g := float64s(t, want), float64s(t, got)
	require.Len(t, g, len(w), what)
	mean := 0.0
	for _, v := range w {
		mean += abs(v) / float64(len(w))
	}
	for i := range w {
		d := abs(w[i] - g[i])
		require.Truef(t, d <= tolerance*max(abs(w[i]), mean, 1e-3), "%s: element %d of %v is %v, Keras says %v", what, i, want.Shape(), g[i], w[i])
	}
}

func requireSameText(t testing.TB, want, got *tensor.Tensor) {
	t.Helper()
	w, err := tensor.Data[string](want)
	require.NoError(t, err)
	g, err := tensor.Data[string](got)
	require.NoError(t, err)
	require.Equal(t, w, g)
}

func float64s(t testing.TB, x *tensor.Tensor) []float64 {
	t.Helper()
	x, err := x.Cast(tensor.Float64)
	require.NoError(t, err)
	v, err := tensor.Data[float64](x)
	require.NoError(t, err)
	return v
}

func abs(v float64) float64 {
	if v < 0 {
		return -v
	}
	return v
}
