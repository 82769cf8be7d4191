package main

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestArchitecture runs a file of weights beside the configuration of its layers, as save_weights and to_json leave them.
func TestArchitecture(t *testing.T) {
	dir := t.TempDir()
	whole := digits + "mlp/my_mnist.keras"
	unzip(t, whole, dir)
	weights, config := filepath.Join(dir, "model.weights.h5"), filepath.Join(dir, "config.json")
	for _, args := range [][]string{{"run", weights, digits + "digits/3_1.png"}, {"show", weights}, {"convert", weights, filepath.Join(dir, "new.h5")}, {"scan", weights}} {
		code, _, errs := infer(args...)
		require.NotZero(t, code)
		require.Contains(t, errs, "--architecture FILE", args)
	}
	code, _, errs := infer("compare", weights, whole, "--architecture", config, "--engine", "native", "--tolerance", "0")
	require.Zero(t, code, errs)
	code, want, _ := infer("show", whole)
	require.Zero(t, code)
	code, got, errs := infer("show", weights, "--architecture", config)
	require.Zero(t, code, errs)
	require.Equal(t, layersOf(want), layersOf(got))
	converted := filepath.Join(dir, "whole.h5")
	code, _, errs = infer("convert", weights, converted, "--architecture", config)
	require.Zero(t, code, errs)
	code, _, errs = infer("compare", converted, whole, "--engine", "native", "--tolerance", "0")
	require.Zero(t, code, errs)
	code, _, errs = infer("run", weights, digits+"digits/3_1.png", "--architecture", config, "--preprocess", "mnist", "--engine", "native")
	require.Zero(t, code, errs)

	code, _, errs = infer("show", weights, "--architecture", filepath.Join(dir, "none.json"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "none.json")
	code, _, errs = infer("show", weights, "--architecture", weights)
	require.Equal(t, 1, code, errs)
}

// layersOf returns the table of layers of what show prints.
func layersOf(shown string) string {
	for i := range shown {
		if len(shown)-i > 5 && shown[i:i+5] == "layer" {
			return shown[i:]
		}
	}
	return ""
}

func unzip(t *testing.T, archive, dir string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	require.NoError(t, err)
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), content, 0o600))
	}
}
