//go:build cgo

package tfbridge_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// A damaged file is an error, or a model that still runs: never a crash, a hang or a gigabyte. Each series of damages runs in
// a process of its own, since a crash inside TensorFlow would end this one.
func TestDamagedFiles(t *testing.T) {
	if os.Getenv(damageVariable) != "" {
		t.Skip("this is such a process")
	}
	n := count(500, 60)
	for _, name := range []string{"frozen", "saved"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestDamage$", "-test.v")
			c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", damageVariable, name, n))
			out, err := c.CombinedOutput()
			require.NoError(t, err, "%s", tail(string(out), 3000))
			t.Log(lastLine(string(out), "damages:"))
		})
	}
}

const damageVariable = "CAMBIUM_DAMAGE"

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func lastLine(s, with string) string {
	var last string
	for line := range strings.Lines(s) {
		if strings.Contains(line, with) {
			last = strings.TrimSpace(line)
		}
	}
	return last
}

// TestDamage is what the processes of TestDamagedFiles do.
func TestDamage(t *testing.T) {
	name, count, ok := strings.Cut(os.Getenv(damageVariable), " ")
	if !ok {
		t.Skip("TestDamagedFiles runs this")
	}
	n, err := strconv.Atoi(count)
	require.NoError(t, err)
	files, open := map[string]func(*testing.T) (map[string][]byte, func() (*graph.Graph, error)){"frozen": frozenFile, "saved": savedFiles}[name](t)
	rng := rand.New(rand.NewPCG(1, 2))
	before, errs, ran := resident(t), 0, 0
	for path, data := range files {
		damaged := func(what string, content []byte) {
			fmt.Println(path, what) // the last one is to blame for a crash
			require.NoError(t, os.WriteFile(path, content, 0o644))
			if err := tryModel(open); err != nil {
				errs++
			} else {
				ran++
			}
		}
		for i := range min(n, 50) {
			damaged(fmt.Sprint("cut to ", len(data)*i/50), data[:len(data)*i/50])
		}
		for range n {
			content := bytes.Clone(data)
			at, mask := rng.IntN(len(content)), byte(1+rng.IntN(255))
			content[at] ^= mask
			damaged(fmt.Sprintf("byte %d xor %#x", at, mask), content)
		}
		require.NoError(t, os.WriteFile(path, data, 0o644))
		require.NoError(t, tryModel(open))
	}
	grown := mb(resident(t) - before)
	fmt.Printf("damages: %d errors, %d models that run, %.0f MB more\n", errs, ran, grown)
	require.Less(t, grown, 1000.0)
}

// tryModel loads and calls a model.
func tryModel(read func() (*graph.Graph, error)) error {
	g, err := read()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	m, err := tfbridge.New(ctx, g, tfbridge.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	inputs := map[string]*tensor.Tensor{}
	for _, in := range m.Signature().Inputs {
		shape := in.Shape.Clone()
		for i := range shape {
			shape[i] = min(max(shape[i], 2), 1000)
		}
		if inputs[in.Name], err = tensor.New(in.DType, shape...); err != nil {
			return err
		}
	}
	_, err = m.Call(ctx, inputs)
	return err
}

// frozenFile writes a small network as a frozen graph.
func frozenFile(t *testing.T) (map[string][]byte, func() (*graph.Graph, error)) {
	t.Helper()
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 2})
	w, err := tensor.New(tensor.Float32, 2, 3)
	require.NoError(t, err)
	h := b.Op("MatMul", "logits", []graph.Ref{x, b.Const("w", w)}, graph.Attrs{"T": tensor.Float32})
	h = b.Op("Reshape", "reshaped", []graph.Ref{h, b.Ints("shape", -1, 3, 1)}, graph.Attrs{"T": tensor.Float32, "Tshape": tensor.Int32})
	h = b.Op("Sum", "sum", []graph.Ref{h, b.Int("axis", 1)}, graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32, "keep_dims": false})
	b.Op("ConcatV2", "y", []graph.Ref{h, h, b.Int("last", 1)}, graph.Attrs{"T": tensor.Float32, "N": 2, "Tidx": tensor.Int32})
	def := finish(t, b).Def
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(def)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "frozen.pb")
	return map[string][]byte{path: data}, func() (*graph.Graph, error) { return graph.ReadFrozen(path) }
}

// savedFiles copies the files of the MLP, without the fingerprint that would give most damages away.
func savedFiles(t *testing.T) (map[string][]byte, func() (*graph.Graph, error)) {
	t.Helper()
	from, dir := filepath.Join(mnist, "mlp", "saved_model"), t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
	_ = os.Remove(filepath.Join(dir, "fingerprint.pb"))
	files := map[string][]byte{}
	for _, name := range []string{"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		files[path] = data
	}
	return files, func() (*graph.Graph, error) {
		m, err := savedmodel.Read(dir)
		if err != nil {
			return nil, err
		}
		mg, err := m.MetaGraph()
		if err != nil {
			return nil, err
		}
		return mg.Graph()
	}
}
