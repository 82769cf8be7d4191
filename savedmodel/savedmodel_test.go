package savedmodel_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
)

// models holds the small models that scripts/export_models.py wrote, mnist the two that scripts/export_mnist.py trained.
const (
	models = "../scripts/testdata/models"
	mnist  = "../scripts/testdata/mnist"
)

// metaGraphs is what expected.json says that TensorFlow reports about a model.
type metaGraphs struct {
	MetaGraphs []struct {
		Tags       []string `json:"tags"`
		Signatures []struct {
			Name, Method    string
			Inputs, Outputs []struct {
				Name, DType, Tensor string
				Shape               tensor.Shape
			}
		} `json:"signatures"`
	} `json:"meta_graphs"`
}

func TestSignaturesEqualTensorFlow(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(models, "*", "expected.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var want metaGraphs
			require.NoError(t, json.Unmarshal(data, &want))
			m, err := savedmodel.Read(filepath.Join(filepath.Dir(file), "saved_model"))
			require.NoError(t, err)
			require.NotEmpty(t, m.TensorFlowVersion)
			require.Len(t, m.MetaGraphs, len(want.MetaGraphs))
			for i, w := range want.MetaGraphs {
				require.Equal(t, w.Tags, m.MetaGraphs[i].Tags)
				g, err := m.MetaGraphs[i].Graph()
				require.NoError(t, err)
				require.Len(t, g.Signatures, len(w.Signatures))
				for k, s := range w.Signatures {
					for j := range g.Signatures[k].Inputs {
						g.Signatures[k].Inputs[j].Optional = false // the file does not say: TestOptional
					}
					var inputs, outputs []graph.Port
					for _, p := range s.Inputs {
						inputs = append(inputs, graph.Port{Name: p.Name, DType: dtype(t, p.DType), Shape: p.Shape, Tensor: p.Tensor})
					}
					for _, p := range s.Outputs {
						outputs = append(outputs, graph.Port{Name: p.Name, DType: dtype(t, p.DType), Shape: p.Shape, Tensor: p.Tensor})
					}
					require.Equal(t, s.Name, g.Signatures[k].Name)
					require.Equal(t, s.Method, g.Signatures[k].Method)
					require.ElementsMatch(t, inputs, g.Signatures[k].Inputs)
					require.ElementsMatch(t, outputs, g.Signatures[k].Outputs)
				}
			}
		})
	}
}

func dtype(t *testing.T, name string) tensor.DType {
	t.Helper()
	d, err := tensor.ParseDType(name)
	require.NoError(t, err)
	return d
}

// read returns the graph of the meta graph with the given tags.
func read(t testing.TB, dir string, tags ...string) *graph.Graph {
	t.Helper()
	m, err := savedmodel.Read(dir)
	require.NoError(t, err)
	mg, err := m.MetaGraph(tags...)
	require.NoError(t, err)
	g, err := mg.Graph()
	require.NoError(t, err)
	return g
}

func TestRead(t *testing.T) {
	dir := filepath.Join(mnist, "mlp", "saved_model")
	require.True(t, savedmodel.IsSavedModel(dir))
	require.False(t, savedmodel.IsSavedModel(mnist))
	require.False(t, savedmodel.IsSavedModel(filepath.Join(dir, "saved_model.pb")))

	m, err := savedmodel.Read(filepath.Join(dir, "saved_model.pb")) // its directory is meant
	require.NoError(t, err)
	require.Equal(t, dir, m.Dir)
	require.NotNil(t, m.Fingerprint)
	g := read(t, dir)
	require.Equal(t, graph.Source{Path: dir, Tags: []string{"serve"}}, g.Source)
	require.Equal(t, filepath.Join(dir, "variables", "variables"), g.Checkpoint.Prefix)
	require.Equal(t, "NoOp", g.Init.Op)
	require.EqualValues(t, 784*128+128+128*10+10, g.Parameters(), "each weight once, though Keras stores it twice")

	g = read(t, filepath.Join(models, "table", "saved_model"))
	require.Len(t, g.Init.Assets, 1)
	for _, path := range g.Init.Assets {
		require.FileExists(t, path)
	}
}

func TestMetaGraph(t *testing.T) {
	m, err := savedmodel.Read(filepath.Join(models, "tf1_sharded", "saved_model"))
	require.NoError(t, err)
	require.Len(t, m.MetaGraphs, 2)
	first, err := m.MetaGraph()
	require.NoError(t, err)
	require.Equal(t, []string{"serve"}, first.Tags)
	other := m.MetaGraphs[1].Tags
	second, err := m.MetaGraph(append(other[1:len(other):len(other)], other[0])...) // in another order
	require.NoError(t, err)
	require.Same(t, m.MetaGraphs[1], second)
	_, err = m.MetaGraph("serve", "tpu")
	require.ErrorIs(t, err, savedmodel.ErrNoMetaGraph)
	require.ErrorContains(t, err, "[serve] ["+strings.Join(other, ",")+"]")
}

// copyDir copies a model to where a test can spoil it.
func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "model")
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

func TestErrors(t *testing.T) {
	mlp := filepath.Join(mnist, "mlp", "saved_model")
	tests := []struct {
		name  string
		from  string
		spoil func(t *testing.T, dir string)
		is    error
		says  string
	}{
		{"no directory", mlp, func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) }, os.ErrNotExist, "no such file"},
		{"no saved_model.pb", mlp, func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "saved_model.pb")))
		}, os.ErrNotExist, "not a SavedModel"},
		{"empty", mlp, func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, "saved_model.pb"), 0))
		}, savedmodel.ErrMalformed, "no meta graphs"},
		{"truncated", mlp, func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, "saved_model.pb"), 1000))
		}, savedmodel.ErrMalformed, "truncated"},
		{"no variables", mlp, func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "variables")))
		}, savedmodel.ErrNoVariables, "variables.index"},
		{"no data file", mlp, func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "variables", "variables.data-00000-of-00001")))
		}, os.ErrNotExist, "variables.data-00000-of-00001"},
		{"an asset is missing", filepath.Join(models, "table", "saved_model"), func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "assets")))
		}, os.ErrNotExist, "asset"},
		{"an asset outside", filepath.Join(models, "table", "saved_model"), func(t *testing.T, dir string) {
			path := filepath.Join(dir, "saved_model.pb")
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			spoiled := strings.ReplaceAll(string(data), "vocabulary.txt", "../../x/passwd")
			require.NotEqual(t, string(data), spoiled)
			require.NoError(t, os.WriteFile(path, []byte(spoiled), 0o600))
		}, savedmodel.ErrMalformed, "outside the model's directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := copyDir(t, test.from)
			test.spoil(t, dir)
			err := load(dir)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, dir)
		})
	}
}

// load reads everything there is to read in a SavedModel, and flattens its signatures.
func load(dir string) error {
	m, err := savedmodel.Read(dir)
	if err != nil {
		return err
	}
	for _, mg := range m.MetaGraphs {
		g, err := mg.Graph()
		if err != nil {
			return err
		}
		if err := savedmodel.ReadVariables(g); err != nil {
			return err
		}
		graph.Scan(g)
		for _, s := range g.Signatures {
			flat, err := graph.ForSignature(g, s.Name)
			if err != nil {
				return err
			}
			if _, err := graph.Fold(flat); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestReadVariables(t *testing.T) {
	g := read(t, filepath.Join(mnist, "mlp", "saved_model"))
	require.NoError(t, savedmodel.ReadVariables(g))
	b, err := savedmodel.OpenBundle(g.Checkpoint.Prefix)
	require.NoError(t, err)
	shapes := map[string]int{}
	for name, v := range g.Variables {
		shapes[v.Shape().String()]++
		restored, err := graph.RestoreMap(g)
		require.NoError(t, err)
		want, err := b.Read(restored[name].Key)
		require.NoError(t, err)
		require.True(t, want.Equal(v), name)
	}
	require.Equal(t, map[string]int{"[784,128]": 1, "[128]": 1, "[128,10]": 1, "[10]": 1}, shapes)

	// A variable in two slices, in two files.
	g = read(t, filepath.Join(models, "tf1_sharded", "saved_model"))
	require.NoError(t, savedmodel.ReadVariables(g))
	require.Len(t, g.Variables, 3)
	for name, v := range g.Variables {
		if strings.HasPrefix(name, "w/") {
			require.Equal(t, tensor.Shape{3, 4}, v.Shape())
		}
	}
}

// TestObjects reads variables that the saver restores by other handles than those that functions take, two of one shared name.
func TestObjects(t *testing.T) {
	dir := filepath.Join(models, "modules", "saved_model")
	g := read(t, dir)
	require.Empty(t, g.Source.Path, "an engine that loads the directory by itself misses the added nodes")
	require.NoError(t, savedmodel.ReadVariables(g))
	require.Len(t, g.Variables, 6)
	kernel := func(v float32) *tensor.Tensor { return tensor.Must(tensor.Of([]float32{v, v, v, v}, 2, 2)) }
	require.Equal(t, kernel(1.5), g.Variables["dense/kernel_1"])
	require.Equal(t, kernel(-0.5), g.Variables["dense/kernel"])
	require.Equal(t, tensor.Must(tensor.Of([]float32{-0.5, 0.5})), g.Variables["dense/bias"])

	again := read(t, dir)
	require.Len(t, again.Def.Node, len(g.Def.Node))
}

func TestOptional(t *testing.T) {
	g := read(t, filepath.Join(models, "tf1_optional", "saved_model"))
	needed := map[string][]string{}
	for _, s := range g.Signatures {
		for _, p := range s.Needed() {
			needed[s.Name] = append(needed[s.Name], p.Name)
		}
	}
	require.Equal(t, map[string][]string{
		"serving_default": {"x"},
		"middle":          {"middle"},
		"needed":          {"decoded"}, // its default takes an input that the signature does not have
	}, needed)
}

func TestFunctions(t *testing.T) {
	m, err := savedmodel.Read(filepath.Join(models, "reaches_files", "saved_model"))
	require.NoError(t, err)
	require.Equal(t, []string{"double", "log", "read"}, m.MetaGraphs[0].Functions())
	m, err = savedmodel.Read(filepath.Join(mnist, "cnn", "saved_model_tf1"))
	require.NoError(t, err)
	require.Empty(t, m.MetaGraphs[0].Functions(), "no objects")
}

func TestReadVariablesMismatch(t *testing.T) {
	g := read(t, filepath.Join(mnist, "mlp", "saved_model_tf1"))
	b, err := savedmodel.OpenBundle(g.Checkpoint.Prefix)
	require.NoError(t, err)
	values := map[string]*tensor.Tensor{}
	for _, key := range b.Keys() {
		values[key], err = b.Read(key)
		require.NoError(t, err)
	}
	spoil := func(change func(key string)) error {
		key := b.Keys()[0]
		old := values[key]
		defer func() { values[key] = old }()
		change(key)
		g.Checkpoint.Prefix = filepath.Join(t.TempDir(), "v")
		require.NoError(t, savedmodel.WriteBundle(g.Checkpoint.Prefix, values))
		return savedmodel.ReadVariables(g)
	}
	require.ErrorIs(t, spoil(func(key string) { values[key] = tensor.Scalar(float32(1)) }), savedmodel.ErrMalformed)
	require.ErrorIs(t, spoil(func(key string) { values[key] = tensor.Must(values[key].Convert(tensor.Float64)) }), savedmodel.ErrMalformed)
	require.ErrorIs(t, spoil(func(key string) { delete(values, key) }), savedmodel.ErrNoVariables)
}
