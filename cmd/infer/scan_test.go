package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
)

func TestScan(t *testing.T) {
	code, out, errs := infer("scan", digits+"mlp/saved_model")
	require.Equal(t, cli.Done, code, errs)
	require.Contains(t, out, "clean")

	code, out, errs = infer("scan", models+"reaches_files/saved_model", "--json")
	require.Equal(t, cli.Failed, code, errs)
	require.Contains(t, out, `"op":"WriteFile"`)
	require.Contains(t, out, `"reachable_from":"log"`)
	require.Contains(t, out, `"clean":false`)

	code, out, errs = infer("scan", pickled(t), "--json")
	require.Equal(t, cli.Failed, code, errs)
	require.Contains(t, out, `{"severity":"high","op":"Lambda","where":"s/odd","reachable_from":"serving_default"}`)

	code, _, errs = infer("scan", "no/such/model")
	require.Equal(t, cli.Usage, code) // could not tell
	require.Contains(t, errs, "no/such/model")
}

// pickled is a .keras file with a Lambda layer.
func pickled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pickled.keras")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	z := zip.NewWriter(f)
	w, err := z.Create("config.json")
	require.NoError(t, err)
	_, err = w.Write([]byte(`{"class_name": "Sequential", "config": {"name": "s", "layers": [
		{"class_name": "InputLayer", "config": {"batch_shape": [null, 2]}},
		{"class_name": "Lambda", "config": {"name": "odd", "function": {"class_name": "__lambda__", "config": {"code": "4wE="}}}}]}}`))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return path
}

func TestCompare(t *testing.T) {
	needTensorFlow(t)
	code, out, errs := infer("compare", digits+"mlp/saved_model", digits+"mlp/frozen.pb", "--json")
	require.Equal(t, cli.Done, code, errs)
	require.Contains(t, out, `"equal":true`)
	require.Contains(t, out, `"argmax_agreement":1`)

	code, out, errs = infer("compare", digits+"mlp/saved_model", digits+"mlp/frozen.pb", "--input", digits+"digits/3_0.png")
	require.Equal(t, cli.Done, code, errs)
	require.Contains(t, out, "equal within 1e-05")

	code, _, errs = infer("compare", digits+"mlp/saved_model", models+"outputs/saved_model")
	require.Equal(t, cli.Usage, code)
	require.Contains(t, errs, "compare")
}

func TestShowPrintsLayers(t *testing.T) {
	code, out, errs := infer("show", digits+"cnn/my_mnist.h5")
	require.Equal(t, cli.Done, code, errs)
	require.Contains(t, out, "5,258")
	require.Regexp(t, `conv2d_1 +Conv2D +\[\?,11,11,16\] +1,168`, out)

	var info map[string]any
	inferJSON(t, &info, "show", digits+"cnn/my_mnist.keras", "--json")
	require.Equal(t, "keras", info["format"])
	require.InDelta(t, 5258, info["parameters"], 0)
	require.Len(t, info["layers"], 7) // without the input layer, as in model.summary()
}

func TestDevicesNamesBothEngines(t *testing.T) {
	var report struct {
		TensorFlow []map[string]any `json:"tensorflow"`
		Native     struct {
			SIMD    string `json:"simd"`
			Threads int    `json:"threads"`
		} `json:"native"`
	}
	inferJSON(t, &report, "devices", "--json")
	require.Contains(t, []string{"portable", "avx2", "avx512"}, report.Native.SIMD)
	require.Positive(t, report.Native.Threads)
	needTensorFlow(t)
	require.NotEmpty(t, report.TensorFlow)
}
