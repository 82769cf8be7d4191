package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/tensor"
)

// TestFullDisk writes where there is no room: a limit on the size of files fails as a full disk does, after some of the bytes.
// What was there before stays as it was, and nothing half-written is left beside it.
func TestFullDisk(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to set the limit in")
	}
	dir := t.TempDir()
	x, err := tensor.New(tensor.Float32, 4000, 784)
	require.NoError(t, err)
	var npy bytes.Buffer
	require.NoError(t, tensor.WriteNPY(&npy, x))
	input := filepath.Join(dir, "x.npy")
	require.NoError(t, os.WriteFile(input, npy.Bytes(), 0o600))
	model := digits + "mlp/my_mnist.h5"
	tests := map[string][]string{}
	for _, name := range []string{"y.npz", "y.npy", "y.json", "y.csv"} {
		tests[name] = []string{"run", model, "--engine", "native", "--input", input, "--output"}
	}
	for _, name := range []string{"copy.h5", "copy.keras", "saved_model"} {
		tests[name] = []string{"convert", model}
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			full := t.TempDir()
			out := filepath.Join(full, name)
			if filepath.Ext(name) != "" {
				require.NoError(t, os.WriteFile(out, []byte("before"), 0o600))
			}
			c := process(t, append(args, out)...)
			c.Args = append([]string{"sh", "-c", `ulimit -f 64; exec "$0" "$@"`}, c.Args...) // 32 KiB, or 64
			c.Path = shell
			var errs bytes.Buffer
			c.Stderr = &errs
			require.Error(t, c.Run())
			require.Equal(t, cli.Failed, c.ProcessState.ExitCode(), errs.String())
			require.Contains(t, errs.String(), "file too large")
			require.Equal(t, 1, bytes.Count(errs.Bytes(), []byte("\n")), errs.String())
			left, err := os.ReadDir(full)
			require.NoError(t, err)
			if filepath.Ext(name) == "" {
				require.Empty(t, left)
				return
			}
			require.Len(t, left, 1)
			text, err := os.ReadFile(out)
			require.NoError(t, err)
			require.Equal(t, "before", string(text))
		})
	}
}
