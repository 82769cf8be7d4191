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
