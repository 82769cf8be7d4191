package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outsideProgram is what somebody writes who imports Cambium: it classifies a
// blank image and prints how many classes there are and what the probabilities
// add up to.
const outsideProgram = `package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/tensor"
)

func main() {
	model, err := cambium.Load(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	x, err := tensor.Of(make([]float32, 784), 1, 784)
	if err != nil {
		log.Fatal(err)
	}
	y, err := model.Predict(context.Background(), x)
	if err != nil {
		log.Fatal(err)
	}
	p, err := tensor.Data[float32](y)
	if err != nil {
		log.Fatal(err)
	}
	var sum float32
	for _, v := range p {
		sum += v
	}
	fmt.Printf("%d classes, sum %.3f\n", len(p), sum)
}
`

// A program outside the repository builds with what env prints, and its binary
// runs from any directory without LD_LIBRARY_PATH.
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
	write("main.go", []byte(outsideProgram))

	var lines bytes.Buffer
	require.NoError(t, lib.printEnv(&lines))
	build := exec.CommandContext(t.Context(), "sh", "-c", lines.String()+"go build -mod=mod -o outside .")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-buildvcs=false")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	program := exec.CommandContext(t.Context(), filepath.Join(dir, "outside"),
		filepath.Join(repository, "scripts", "testdata", "mnist", "mlp", "saved_model"))
	program.Dir = "/"
	program.Env = []string{"HOME=" + dir}
	var stderr bytes.Buffer
	program.Stderr = &stderr
	out, err = program.Output()
	require.NoError(t, err, stderr.String())
	require.Equal(t, "10 classes, sum 1.000\n", string(out))
}
