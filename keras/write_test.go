package keras_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
)

// TestWriteReadsBack writes every recorded model in both formats and reads it again: same layers, same bits.
func TestWriteReadsBack(t *testing.T) {
	for _, path := range recordedFiles(t) {
		for _, ext := range []string{".keras", ".h5"} {
			t.Run(filepath.Base(path)+" to "+ext, func(t *testing.T) {
				before, err := os.ReadFile(path)
				require.NoError(t, err)
				m, err := keras.Load(path)
				require.NoError(t, err)
				out := filepath.Join(t.TempDir(), "written"+ext)
				require.NoError(t, keras.Write(out, m))
				back, err := keras.Load(out)
				require.NoError(t, err)
				requireSameModel(t, m, back)
				after, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, before, after, "the file that was read")
			})
		}
	}
}

func requireSameModel(t *testing.T, want, got *keras.Model) {
	t.Helper()
	require.Equal(t, want.Summary(), got.Summary())
	require.Equal(t, want.Parameters(), got.Parameters())
	w, g := want.Variables(), got.Variables()
	require.Len(t, g, len(w))
	for i := range w {
		require.Equal(t, w[i].Shape, g[i].Shape, w[i].Path)
		require.Equal(t, w[i].Trainable, g[i].Trainable, w[i].Path)
		x, err := w[i].Value.Convert(g[i].DType) // tf.keras counts in int64, Keras 3 in int32
		require.NoError(t, err)
		require.Equal(t, x.Bytes(), g[i].Value.Bytes(), w[i].Path)
	}
	require.Len(t, got.Outputs, len(want.Outputs))
	for i, o := range want.Outputs {
		require.Equal(t, o.Name, got.Outputs[i].Name)
		require.Equal(t, o.Shape, got.Outputs[i].Shape)
	}
	if strings.HasPrefix(want.Version, "3") { // Keras 3 hands masks on in other places than Keras 2
		requireSameGraph(t, want, got)
	}
	if want.Compile != nil {
		require.NotNil(t, got.Compile)
		require.Equal(t, want.Compile.Optimizer, got.Compile.Optimizer)
	}
	require.Len(t, got.OptimizerState, len(want.OptimizerState))
}

// requireSameGraph checks that two models have the same ops with the same attributes, constants among them.
func requireSameGraph(t *testing.T, want, got *keras.Model) {
	t.Helper()
	w, err := want.Graph()
	require.NoError(t, err)
	g, err := got.Graph()
	require.NoError(t, err)
	require.Len(t, g.Def.Node, len(w.Def.Node))
	for i, n := range w.Def.Node {
		have := g.Def.Node[i]
		require.Equal(t, n.Op, have.Op, n.Name)
		if n.Op == "VarHandleOp" || n.Op == "ReadVariableOp" { // tf.keras counts in int64
			continue
		}
		for key, value := range n.Attr {
			require.True(t, proto.Equal(value, have.Attr[key]), "%s of %s is %v, was %v", key, n.Name, have.Attr[key], value)
		}
	}
}

// TestRewrite writes each model below CAMBIUM_PARITY again, beside itself, for scripts/parity_write.py to open.
func TestRewrite(t *testing.T) {
	dir := os.Getenv("CAMBIUM_REWRITE")
	if dir == "" {
		t.Skip("CAMBIUM_REWRITE is not set: scripts/parity_write.py sets it")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.in.*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			m, err := keras.Load(f)
			require.NoError(t, err)
			base := f[:len(f)-len(filepath.Ext(f))]
			base = base[:len(base)-len(".in")] + "." + filepath.Ext(f)[1:]
			require.NoError(t, keras.Write(base+".out.keras", m))
			require.NoError(t, keras.Write(base+".out.h5", m))
		})
	}
}

// TestWriteOptimizer keeps the state of an optimizer through both formats.
func TestWriteOptimizer(t *testing.T) {
	m := classifier(t)
	slots := make([][]*tensor.Tensor, 2)
	for _, v := range m.Variables() {
		for k := range slots {
			x := make([]float32, v.Value.Len())
			for i := range x {
				x[i] = float32(100*k + i)
			}
			slots[k] = append(slots[k], tensor.Must(tensor.Of(x, v.Shape...)))
		}
	}
	config := keras.Config{"learning_rate": 0.25, "beta_1": 0.9, "beta_2": 0.0, "epsilon": 1e-7}
	require.NoError(t, m.SetOptimizer("Adam", config, 42, slots...))
	m.Compile.Loss = "mse"
	for _, ext := range []string{".keras", ".h5"} {
		path := filepath.Join(t.TempDir(), "m"+ext)
		require.NoError(t, keras.Write(path, m))
		back, err := keras.Load(path)
		require.NoError(t, err)
		require.Equal(t, "Adam", back.Compile.Optimizer)
		require.Equal(t, 0.25, back.Compile.OptimizerConfig["learning_rate"])
		require.Equal(t, "mean_squared_error", back.Compile.Loss)
		n, got, err := back.OptimizerSlots()
		require.NoError(t, err)
		require.EqualValues(t, 42, n)
		require.Len(t, got, len(slots))
		for k := range slots {
			for i := range slots[k] {
				require.Equal(t, slots[k][i].Bytes(), got[k][i].Bytes())
			}
		}
	}
	require.ErrorIs(t, m.SetOptimizer("Adam", config, 1, slots[0][:1]), keras.ErrWeights)
	require.ErrorIs(t, m.SetOptimizer("Adam", keras.Config{}, 1), keras.ErrFormat)
}

// classifier is a small model with weights.
func classifier(t testing.TB) *keras.Model {
	t.Helper()
	m, err := keras.NewSequential("classifier", keras.Input(3), keras.Dense(4, "relu"), keras.Dropout(0.5), keras.Dense(2, "softmax"))
	require.NoError(t, err)
	var values []*tensor.Tensor
	for _, v := range m.Variables() {
		x, err := tensor.New(v.DType, v.Shape...)
		require.NoError(t, err)
		values = append(values, x)
	}
	require.NoError(t, m.SetWeights(values))
	return m
}

// TestWriteTellsTheFormatByTheName, whatever its case.
func TestWriteTellsTheFormatByTheName(t *testing.T) {
	for ext, format := range map[string]string{".keras": "keras", ".KERAS": "keras", ".h5": "h5", ".HDF5": "h5"} {
		path := filepath.Join(t.TempDir(), "m"+ext)
		require.NoError(t, keras.Write(path, classifier(t)))
		m, err := keras.Load(path)
		require.NoError(t, err)
		require.Equal(t, format, m.Format, ext)
	}
}

// TestWriteNothingHalf leaves the old file where the new one cannot be written.
func TestWriteNothingHalf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.keras")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	m, err := keras.NewSequential("empty", keras.Input(3), keras.Dense(4, ""))
	require.NoError(t, err)
	require.ErrorIs(t, keras.Write(path, m), keras.ErrWeights)
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(left))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
}

// recordedFiles lists the models that scripts/record_keras.py recorded.
func recordedFiles(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.keras", "*.h5"} {
		files, err := filepath.Glob(filepath.Join("testdata", "models", pattern))
		require.NoError(t, err)
		out = append(out, files...)
	}
	require.NotEmpty(t, out)
	return out
}

// A vocabulary that adapt found stands in an archive where Keras looks for it, and an array among the arguments of an operation
// keeps its element type.
func TestWriteVocabularyAndArray(t *testing.T) {
	m, err := keras.FromConfig([]byte(`{"class_name": "Functional", "config": {"name": "m", "layers": [
		{"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [null, 2], "dtype": "float32"}, "name": "x", "inbound_nodes": []},
		{"class_name": "Add", "module": "keras.src.ops.numpy", "registered_name": "Add", "config": {"name": "add"}, "name": "add", "inbound_nodes": [{"args": [
			{"class_name": "__keras_tensor__", "config": {"shape": [null, 2], "dtype": "float32", "keras_history": ["x", 0, 0]}},
			{"class_name": "__tensor__", "config": {"value": [1.5, 2.5], "dtype": "float32"}}], "kwargs": {}}]}],
		"input_layers": [["x", 0, 0]], "output_layers": [["add", 0, 0]]}}`))
	require.NoError(t, err)
	var file bytes.Buffer
	require.NoError(t, keras.WriteKeras(&file, m))
	require.Contains(t, string(members(t, file.Bytes())["config.json"]), `{"class_name":"__tensor__","config":{"dtype":"float32","value":[1.5,2.5]}}`)

	data, err := os.ReadFile("testdata/models/textvec-tfidf-keras-keras.keras")
	require.NoError(t, err)
	files := members(t, data)
	adapted := bytes.Replace(files["config.json"], []byte(`"vocabulary": ["the", "brown", "quick", "dogs"], "idf_weights": [0.5, 1.0, 2.0, 1.5]`), []byte(`"vocabulary": null`), 1)
	adapted = bytes.Replace(adapted, []byte(`"output_mode": "tf_idf"`), []byte(`"output_mode": "count"`), 1)
	require.NotEqual(t, files["config.json"], adapted)
	files["config.json"] = adapted
	const at = "assets/layers/text_vectorization/"
	files[at+"vocabulary.txt"] = []byte("\n[UNK]\nthe\nbrown\n")
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, content := range files {
		f, err := z.Create(name)
		require.NoError(t, err)
		_, err = f.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	m, err = keras.Read(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	require.NoError(t, err)
	file.Reset()
	require.NoError(t, keras.WriteKeras(&file, m))
	written := members(t, file.Bytes())
	require.Equal(t, files[at+"vocabulary.txt"], written[at+"vocabulary.txt"])
	require.Equal(t, files[at+"vocabulary.txt"], written[at+"_lookup_layer/vocabulary.txt"])
	err = keras.WriteH5(io.Discard, m)
	require.ErrorIs(t, err, keras.ErrUnsupported)
	require.ErrorContains(t, err, "text_vectorization: a vocabulary that adapt found has no place")
}
