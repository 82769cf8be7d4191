//go:build !cgo

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
)

// TestHandOver puts the command beside a program of the name of the one that has TensorFlow, which it becomes where TensorFlow is
// needed, and only there.
func TestHandOver(t *testing.T) {
	dir := t.TempDir()
	self, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	program := filepath.Join(dir, "finetune")
	require.NoError(t, os.WriteFile(program, self, 0o700))                                                         //nolint:gosec // it is run
	require.NoError(t, os.WriteFile(program+cli.TensorFlowSuffix, []byte("#!/bin/sh\necho over \"$@\"\n"), 0o700)) //nolint:gosec // it is run
	run := func(args ...string) string {
		c := exec.CommandContext(t.Context(), program, args...)
		c.Env = append(os.Environ(), "CAMBIUM_TEST_COMMAND=1")
		out, _ := c.CombinedOutput() // some of the calls are meant to fail
		return string(out)
	}
	data := []string{"--data", filepath.Join(dir, "none"), "--out", filepath.Join(dir, "out")}
	for _, needs := range [][]string{{"--base", "b.keras"}, {"--engine", "tensorflow"}, {"--compare"}} {
		require.Contains(t, run(append(data, needs...)...), "over --data", needs)
	}
	require.Contains(t, run(data...), "there is no such file or folder")
	require.Contains(t, run("--base", "b.keras"), "--data and --out are needed")
}
