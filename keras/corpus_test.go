//go:build cgo

package keras_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/hdf5"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
)

// notModels are files of the corpus that hold no architecture, and what opening them says.
var notModels = map[string]error{
	"_inputs_and_outputs.h5":   keras.ErrFormat,
	"_weights.h5":              keras.ErrWeightsOnly,
	"old_style_fixed_attrs.h5": keras.ErrWeightsOnly,
	"types.h5":                 keras.ErrFormat,
	"space_to_depth_graph_":    keras.ErrCustomObject,
	"space_to_depth_simple_":   keras.ErrCustomObject,
}

func folder(t *testing.T, variable string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("%s is not set: it names the folder of public test models", variable)
	}
	return dir
}

// TestCorpus opens every Keras file of the public corpora, and runs each once.
func TestCorpus(t *testing.T) {
	for _, variable := range []string{"CAMBIUM_CORPUS", "CAMBIUM_DATA"} {
		root := folder(t, variable)
		require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
			if ext := filepath.Ext(path); ext != ".h5" && ext != ".keras" {
				return err
			}
			name, _ := filepath.Rel(root, path)
			t.Run(name, func(t *testing.T) {
				m, err := keras.Load(path)
				for part, want := range notModels {
					if strings.Contains(name, part) {
						require.ErrorIs(t, err, want)
						return
					}
				}
				require.NoError(t, err)
				for _, y := range call(t, m, ones(t, m)) {
					for _, v := range float64s(t, y) {
						require.False(t, math.IsNaN(v))
					}
				}
			})
			return err
		}))
	}
}

// ones makes an input of ones for each input of a model; unknown sizes are 12.
func ones(t testing.TB, m *keras.Model) map[string]*tensor.Tensor {
	t.Helper()
	out := map[string]*tensor.Tensor{}
	for _, in := range m.Inputs {
		shape := append([]int(nil), in.Shape...)
		for i, d := range shape {
			if d < 0 {
				shape[i] = 12
			}
		}
		n, err := tensor.Shape(shape).Elements()
		require.NoError(t, err)
		if in.DType == tensor.String {
			out[in.Name] = tensor.Must(tensor.Of(make([]string, n), shape...))
			continue
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = 1
		}
		x, err := tensor.Must(tensor.Of(v, shape...)).Convert(in.DType)
		require.NoError(t, err)
		out[in.Name] = x
	}
	return out
}

// TestShippedOutputs compares with the predictions that DL4J ships beside models of Keras 1 and 2. (What it ships beside
// simple_lstm_tf_keras_2 are targets, not predictions: tf_keras computes something else, too.)
func TestShippedOutputs(t *testing.T) {
	root := filepath.Join(folder(t, "CAMBIUM_CORPUS"), "dl4j", "examples")
	for _, name := range []string{"simple_lstm/simple_lstm_tf_keras_1", "simple_lstm/simple_lstm_th_keras_1",
		"simple_flatten_lstm/simple_flatten_lstm_tf_keras_2"} {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join(root, name)
			whole, err := keras.Load(base + "_model.h5")
			require.NoError(t, err)
			config, err := os.ReadFile(base + "_config.json")
			require.NoError(t, err)
			parts, err := keras.Load(base+"_weights.h5", keras.WithArchitecture(config), keras.WithBackend(whole.Backend))
			require.NoError(t, err)

			f, err := hdf5.OpenFile(base + "_inputs_and_outputs.h5")
			require.NoError(t, err)
			defer f.Close()
			x, want := onlyDataset(t, f, "inputs"), onlyDataset(t, f, "predictions")
			if n := whole.Inputs[0].Shape[0]; n > 0 { // the model has a fixed batch
				x, want = rows(t, x, n), rows(t, want, n)
			}
			for _, m := range []*keras.Model{whole, parts} {
				got := call(t, m, map[string]*tensor.Tensor{m.Inputs[0].Name: x})[m.Outputs[0].Name]
				requireClose(t, want, got, 1e-4, name)
			}
		})
	}
}

// rows returns the first n examples.
func rows(t testing.TB, x *tensor.Tensor, n int) *tensor.Tensor {
	t.Helper()
	y, err := x.Rows(0, n)
	require.NoError(t, err)
	return y
}

func onlyDataset(t testing.TB, f *hdf5.File, group string) *tensor.Tensor {
	t.Helper()
	g, err := f.Group(group)
	require.NoError(t, err)
	require.Len(t, g.Links(), 1)
	ds, err := g.Dataset(g.Links()[0].Name)
	require.NoError(t, err)
	v, err := hdf5.ReadAll[float32](ds)
	require.NoError(t, err)
	return tensor.Must(tensor.Of(v, ds.Shape()...))
}

// TestRecordedOutputs compares with what Keras computed when the corpus's own models were made.
func TestRecordedOutputs(t *testing.T) {
	root := filepath.Join(folder(t, "CAMBIUM_CORPUS"), "hdf5")
	for _, c := range []struct{ model, arrays string }{
		{"mlp.h5", "mlp"}, {"mlp.keras", "mlp"}, {"mlp_gzip.h5", "mlp"}, {"mlp_latest.h5", "mlp"}, {"mlp_latest_gzip.h5", "mlp"},
		{"mnv2.h5", "mnv2"}, {"mnv2.keras", "mnv2"}, {"keras2_cnn.h5", "keras2"}, {"keras2_cnn.keras", "keras2"},
	} {
		t.Run(c.model, func(t *testing.T) {
			m, err := keras.Load(filepath.Join(root, c.model))
			require.NoError(t, err)
			x, want := readNPY(t, filepath.Join(root, c.arrays+"_x.npy")), readNPY(t, filepath.Join(root, c.arrays+"_y.npy"))
			got := call(t, m, map[string]*tensor.Tensor{m.Inputs[0].Name: x})[m.Outputs[0].Name]
			w, g := float64s(t, want), float64s(t, got)
			for i := range w { // probabilities
				require.InDelta(t, w[i], g[i], 1e-5)
			}
		})
	}
}

func readNPY(t testing.TB, path string) *tensor.Tensor {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	x, err := tensor.ReadNPY(f)
	require.NoError(t, err)
	return x
}
