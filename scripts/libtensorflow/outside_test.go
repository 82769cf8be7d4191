package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readmeProgram returns the program that README.md prints.
func readmeProgram(t *testing.T, repository string) []byte {
	readme, err := os.ReadFile(filepath.Join(repository, "README.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```go\npackage main\n")
	require.True(t, found, "README.md has no program")
	program, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	return []byte("package main\n" + program)
}

// README.md's program, outside the repository, builds as it is printed with
// what env prints, and its binary runs from any directory without
// LD_LIBRARY_PATH.
func TestOutsideProgram(t *testing.T) {
	lib, err := locate(envOr("VARIANT", "cpu"))
	if err != nil {
		t.Skip(err)
	}
	if out, err := exec.Command("go", "env", "CGO_ENABLED").Output(); err != nil || strings.TrimSpace(string(out)) != "1" {
		t.Skip("cgo is off in this build")
	}
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	// The same requirements as the repository's, so that nothing is downloaded.
	mod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	require.NoError(t, err)
	const module = "github.com/cambium-go/cambium"
	write("go.mod", append(bytes.Replace(mod, []byte("module "+module), []byte("module example.com/outside"), 1),
		"\nrequire "+module+" v0.0.0\nreplace "+module+" => "+repository+"\n"...))
	sum, err := os.ReadFile(filepath.Join(repository, "go.sum"))
	require.NoError(t, err)
	write("go.sum", sum)
	write("main.go", readmeProgram(t, repository))

	var lines bytes.Buffer
	require.NoError(t, lib.printEnv(&lines))
	build := exec.CommandContext(t.Context(), "sh", "-c", lines.String()+"go build -mod=mod -o outside .")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-buildvcs=false")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	elsewhere, files := t.TempDir(), filepath.Join(repository, "scripts", "testdata", "mnist")
	for name, file := range map[string]string{"my_mnist.keras": "mlp/my_mnist.keras", "photo.png": "digits/3_1.png"} {
		require.NoError(t, os.Symlink(filepath.Join(files, filepath.FromSlash(file)), filepath.Join(elsewhere, name)))
	}
	program := exec.CommandContext(t.Context(), filepath.Join(dir, "outside"))
	program.Dir = elsewhere
	program.Env = []string{"HOME=" + dir}
	var stderr bytes.Buffer
	program.Stderr = &stderr
	out, err = program.Output()
	require.NoError(t, err, stderr.String())
	var p [10]float32
	_, err = fmt.Sscanf(string(out), "[%g %g %g %g %g %g %g %g %g %g] <nil>", &p[0], &p[1], &p[2], &p[3], &p[4], &p[5], &p[6], &p[7], &p[8], &p[9])
	require.NoError(t, err, string(out))
	require.Greater(t, p[3], float32(0.9), string(out))
}
