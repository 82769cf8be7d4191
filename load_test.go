package cambium_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

const mlp = "scripts/testdata/mnist/mlp/"

func TestLoadErrors(t *testing.T) {
	base := t.TempDir() // a model base of TensorFlow Serving
	require.NoError(t, os.CopyFS(filepath.Join(base, "3"), os.DirFS(mlp+"saved_model")))
	empty := filepath.Join(t.TempDir(), "empty.h5")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	lite := filepath.Join(t.TempDir(), "model.tflite")
	require.NoError(t, os.WriteFile(lite, []byte("\x1c\x00\x00\x00TFL3\x00\x00"), 0o600))
	renamed := filepath.Join(t.TempDir(), "model.pb")
	content, err := os.ReadFile(mlp + "saved_model/saved_model.pb")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(renamed, content, 0o600))
	for _, test := range []struct {
		name, path string
		opts       *cambium.Options
		is         error
		says       string
	}{
		{"a text", "README.md", nil, cambium.ErrFormat, "neither"},
		{"TensorFlow Lite", lite, nil, cambium.ErrFormat, "TensorFlow Lite"},
		{"renamed", renamed, nil, cambium.ErrFormat, "give its directory"},
		{"missing", "no/such", nil, fs.ErrNotExist, "no/such"},
		{"empty", empty, nil, cambium.ErrFormat, empty},
		{"directory", t.TempDir(), nil, cambium.ErrFormat, "saved_model.pb"},
		{"model base", base, nil, cambium.ErrFormat, filepath.Join(base, "3")},
		{"tags", mlp + "saved_model", &cambium.Options{Tags: []string{"gpu"}}, savedmodel.ErrNoMetaGraph, "serve"},
		{"unsafe", "scripts/testdata/models/reaches_files/saved_model", &cambium.Options{RefuseUnsafe: true}, cambium.ErrUnsafe, "WriteFile"},
		{"engine", mlp + "saved_model", &cambium.Options{Engine: "warp"}, cambium.ErrUnsupported, "warp"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if errors.Is(test.is, cambium.ErrUnsafe) {
				needTensorFlow(t) // the native engine has no such ops
			}
			_, err := cambium.Load(test.path, test.opts)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestLoadWithoutTensorFlowSaysWhatToInstall(t *testing.T) {
	if tfbridge.Available {
		t.Skip("this build has TensorFlow")
	}
	_, err := cambium.Load("scripts/testdata/models/strings/saved_model", nil)
	require.ErrorContains(t, err, "libtensorflow")
}

// An error of the native engine names the model, once.
func TestLoadNativeErrors(t *testing.T) {
	for path, o := range map[string]cambium.Options{"README.md": {}, mlp + "my_mnist.keras": {Signature: "x"}, mlp + "saved_model": {Signature: "x"},
		"scripts/testdata/mnist/cnn/frozen.pb": {}, "scripts/testdata/mnist/cnn/my_mnist.h5": {}, "no/such": {}} {
		o.Engine = cambium.Native
		_, err := cambium.Load(path, &o)
		require.Error(t, err, path)
		require.Equal(t, 1, strings.Count(err.Error(), path), "%v", err)
	}
	m, err := cambium.Load(mlp+"my_mnist.keras", &cambium.Options{Engine: cambium.Native})
	require.NoError(t, err)
	_, err = m.Predict(nil, tensor.Must(tensor.New(tensor.Float32, 1, 784))) //nolint:staticcheck // what is tested
	require.ErrorContains(t, err, "context is nil")
	require.NoError(t, m.Close())
}

func TestLoadKnowsTheSignature(t *testing.T) {
	needTensorFlow(t)
	path := "scripts/testdata/models/signatures/saved_model"
	_, err := cambium.Load(path, &cambium.Options{Signature: "minus"})
	require.ErrorIs(t, err, graph.ErrNoSignature)
	require.ErrorContains(t, err, "between")
	for _, o := range []*cambium.Options{{Signature: "times"}, {TensorFlow: tfbridge.Options{Signature: "times"}}} {
		model, err := cambium.Load(path, o)
		require.NoError(t, err)
		got, err := model.Predict(t.Context(), tensor.Must(tensor.Of([]float32{2})))
		require.NoError(t, err)
		require.True(t, got.Equal(tensor.Must(tensor.Of([]float32{6}))), "%v", got)
		require.NoError(t, model.Close())
		require.NoError(t, model.Close())
		_, err = model.Predict(t.Context(), tensor.Must(tensor.Of([]float32{2})))
		require.ErrorIs(t, err, tfbridge.ErrClosed)
	}
}

// TestDamagedModels cuts and alters every file of a SavedModel: Load says so, or the model gives the right answer.
func TestDamagedModels(t *testing.T) {
	needTensorFlow(t)
	x := pixels(t, "mlp", "3_1.png")
	whole, err := cambium.Load(mlp+"saved_model", nil)
	require.NoError(t, err)
	want, err := whole.Predict(t.Context(), x)
	require.NoError(t, err)
	require.NoError(t, whole.Close())
	for _, file := range []string{"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"} {
		original, err := os.ReadFile(filepath.Join(mlp, "saved_model", file))
		require.NoError(t, err)
		for i := range 8 {
			size := len(original) * i / 8
			checkDamaged(t, file, original[:size], x, want)
			flipped := append([]byte{}, original...)
			flipped[size] ^= 1 << (i % 8)
			checkDamaged(t, file, flipped, x, want)
		}
	}
}

func checkDamaged(t *testing.T, file string, content []byte, x, want *tensor.Tensor) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	require.NoError(t, os.CopyFS(dir, os.DirFS(mlp+"saved_model")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), content, 0o600))
	model, err := cambium.Load(dir, nil)
	if err != nil {
		return
	}
	defer func() { require.NoError(t, model.Close()) }()
	got, err := model.Predict(t.Context(), x)
	if err == nil {
		require.NoError(t, tensor.AllClose(got, want, 1e-5, 1e-6), "%s, %d bytes", file, len(content))
	}
}

func TestPreprocessing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "saved_model"), os.DirFS(mlp+"saved_model")))
	_, says, err := cambium.Preprocessing(filepath.Join(dir, "saved_model"))
	require.NoError(t, err)
	require.False(t, says)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "report.json"), []byte(`{"preprocess": "torch"}`), 0o600))
	how, says, err := cambium.Preprocessing(filepath.Join(dir, "saved_model"))
	require.NoError(t, err)
	require.True(t, says)
	require.Equal(t, images.Torch, how)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "report.json"), []byte(`{"preprocess": "sepia"}`), 0o600))
	_, _, err = cambium.Preprocessing(filepath.Join(dir, "saved_model"))
	require.ErrorContains(t, err, "--preprocess")
	require.NotErrorIs(t, err, fs.ErrNotExist)
}

func TestDetectRefusesWhatIsNoFile(t *testing.T) {
	_, err := cambium.Detect(os.DevNull) // a pipe, of which opening would wait for a writer, is refused the same way
	require.ErrorIs(t, err, cambium.ErrFormat)
	require.ErrorContains(t, err, "neither a file nor a directory")
}
