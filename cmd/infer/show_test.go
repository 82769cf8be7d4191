package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
)

// TestShowLambda describes a model whose Python code nothing here runs.
func TestShowLambda(t *testing.T) {
	config := write(t, "lambda.json", `{"class_name": "Sequential", "keras_version": "3.15.1", "config": {"name": "s", "layers": [
		{"class_name": "InputLayer", "config": {"batch_shape": [null, 4]}}, {"class_name": "Dense", "config": {"name": "d", "units": 3}},
		{"class_name": "Lambda", "config": {"name": "odd"}}, {"class_name": "Dense", "config": {"name": "e", "units": 2}}]}}`)
	dir := t.TempDir()
	unzip(t, digits+"mlp/my_mnist.keras", dir)
	weights := filepath.Join(dir, "model.weights.h5")
	code, out, errs := infer("show", weights, "--architecture", config)
	require.Equal(t, cli.Done, code, errs)
	require.Regexp(t, `d +Dense +\[\?,3\] +15\n`, out)
	require.Regexp(t, `e +Dense +\? +\?\n`, out)
	require.Regexp(t, `cannot run +.*layer odd.*Python`, out)

	var info map[string]any
	inferJSON(t, &info, "show", weights, "--architecture", config, "--json")
	require.Contains(t, info["unsupported"], "odd")
	require.Len(t, info["layers"], 3)
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
