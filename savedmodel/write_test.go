package savedmodel_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

// What is written reads back as the same model: signatures, values, assets. (That TensorFlow's loaders run it with the same
// results is scripts/parity_export.py's to check.)
func TestWrite(t *testing.T) {
	for _, name := range []string{"counter", "training", "table", "control_flow", "convolutions", "tf1_sharded", "tf1_table", "dtypes"} {
		t.Run(name, func(t *testing.T) {
			g := read(t, filepath.Join(models, name, "saved_model"))
			require.NoError(t, savedmodel.ReadVariables(g))
			dir := filepath.Join(t.TempDir(), "copy")
			require.NoError(t, savedmodel.Write(dir, g, savedmodel.WriteOptions{Prefix: "p/"}))
			c := read(t, dir)
			require.NoError(t, savedmodel.ReadVariables(c))
			require.Equal(t, g.Signatures, c.Signatures)
			require.Equal(t, g.Parameters(), c.Parameters())
			require.Len(t, c.Variables, len(g.Variables))
			for v, value := range g.Variables {
				require.True(t, value.Equal(c.Variables[v]), v)
			}
			require.Len(t, c.Init.Assets, len(g.Init.Assets))
			for tensorName, path := range c.Init.Assets {
				want, err := os.ReadFile(g.Init.Assets[tensorName])
				require.NoError(t, err)
				got, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, want, got)
				require.True(t, strings.HasPrefix(path, dir))
			}
			for _, n := range c.Def.Node {
				if n.Op == "VarHandleOp" {
					require.True(t, strings.HasPrefix(string(n.Attr["shared_name"].GetS()), "p/"), n.Name)
				}
			}
			for _, s := range g.Signatures { // both flatten to the same nodes
				a, err := graph.ForSignature(g, s.Name)
				require.NoError(t, err)
				b, err := graph.ForSignature(c, s.Name)
				require.NoError(t, err)
				if a.Checkpoint == nil {
					require.ElementsMatch(t, nodeNames(a), nodeNames(b))
				}
			}
		})
	}
}

func nodeNames(g *graph.Graph) []string {
	var names []string
	for _, n := range g.Def.Node {
		names = append(names, n.Op+" "+n.Name)
	}
	return names
}

func TestWriteFrozen(t *testing.T) {
	g := read(t, filepath.Join(models, "convolutions", "saved_model"))
	require.NoError(t, savedmodel.ReadVariables(g))
	dir := filepath.Join(t.TempDir(), "frozen")
	require.NoError(t, savedmodel.Write(dir, g, savedmodel.WriteOptions{Frozen: true, Tags: []string{"serve", "gpu"}, TensorFlowVersion: "2.1.0"}))
	require.NoDirExists(t, filepath.Join(dir, "variables"))
	m, err := savedmodel.Read(dir)
	require.NoError(t, err)
	require.Equal(t, "2.1.0", m.TensorFlowVersion)
	c := read(t, dir, "gpu", "serve")
	require.Nil(t, c.Checkpoint)
	require.False(t, c.HasVariables())
	require.Equal(t, g.Signatures, c.Signatures)
	require.NotEmpty(t, c.Ops.Op)

	counter := read(t, filepath.Join(models, "counter", "saved_model"))
	require.NoError(t, savedmodel.ReadVariables(counter))
	err = savedmodel.Write(dir, counter, savedmodel.WriteOptions{Frozen: true})
	require.ErrorIs(t, err, graph.ErrUnsupported)
	require.ErrorContains(t, err, "AssignAddVariableOp")
	require.Equal(t, g.Signatures, read(t, dir, "gpu", "serve").Signatures, "what was there is untouched")
}

func TestWriteTrainable(t *testing.T) {
	g := read(t, filepath.Join(models, "training", "saved_model"))
	require.NoError(t, savedmodel.ReadVariables(g))
	dir := filepath.Join(t.TempDir(), "m")
	require.NoError(t, savedmodel.Write(dir, g, savedmodel.WriteOptions{Trainable: func(v string) bool { return v == "w" }}))
	m, err := savedmodel.Read(dir)
	require.NoError(t, err)
	size := func(collection string) int {
		return len(m.MetaGraphs[0].Def.CollectionDef[collection].GetBytesList().GetValue())
	}
	require.Equal(t, 2, size("variables"))
	require.Equal(t, 1, size("trainable_variables"))
}

func TestWriteErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 2})
	w := b.Variable("w", tensor.Must(tensor.Of([]float32{1, 2})))
	y := b.Op("Mul", "y", []graph.Ref{x, b.Read(w)}, graph.Attrs{"T": tensor.Float32})
	sig := graph.Signature{
		Name: graph.DefaultSignature, Method: "tensorflow/serving/predict",
		Inputs:  []graph.Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1, 2}, Tensor: x.Tensor()}},
		Outputs: []graph.Port{{Name: "y", DType: tensor.Float32, Shape: tensor.Shape{-1, 2}, Tensor: y.Tensor()}},
	}
	g, err := b.Finish(sig)
	require.NoError(t, err)
	require.NoError(t, savedmodel.Write(dir, g, savedmodel.WriteOptions{}))

	bad := *g
	bad.Signatures = nil
	require.ErrorIs(t, savedmodel.Write(dir, &bad, savedmodel.WriteOptions{}), graph.ErrNoSignature)
	bad = *g
	bad.Variables = nil
	require.ErrorIs(t, savedmodel.Write(dir, &bad, savedmodel.WriteOptions{}), savedmodel.ErrNoVariables)
	bad.Variables = map[string]*tensor.Tensor{"w": tensor.Scalar(1.5)}
	require.ErrorIs(t, savedmodel.Write(dir, &bad, savedmodel.WriteOptions{}), savedmodel.ErrMalformed)
	bad.Variables = map[string]*tensor.Tensor{"w": tensor.Must(tensor.Of([]float32{1, 2, 3}))}
	require.ErrorIs(t, savedmodel.Write(dir, &bad, savedmodel.WriteOptions{}), savedmodel.ErrMalformed)
	bad = *g
	bad.Def = &tfproto.GraphDef{Node: append([]*tfproto.NodeDef{{Name: "z", Op: "OfALibrary", Input: []string{"x"}}}, g.Def.Node...)}
	bad.Signatures = []graph.Signature{{Name: "s", Outputs: []graph.Port{{Name: "z", Tensor: "z:0"}}}}
	require.ErrorIs(t, savedmodel.Write(dir, &bad, savedmodel.WriteOptions{}), graph.ErrUnsupported)
	bad = *g
	bad.Signatures = []graph.Signature{{Name: "s", Outputs: []graph.Port{{Name: "y", Components: map[string]string{"values": "y:0", "row_splits_0": "y:0"}}}}}
	require.ErrorIs(t, savedmodel.Write(dir, &bad, savedmodel.WriteOptions{}), graph.ErrUnsupported)
	require.Equal(t, g.Signatures, read(t, dir).Signatures, "what was there is untouched")
	entries, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left lying about")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Error(t, savedmodel.Write(file, g, savedmodel.WriteOptions{}))
}
