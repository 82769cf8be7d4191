package source

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
)

func TestParseArg(t *testing.T) {
	for arg, want := range map[string]Arg{
		"x=f.npy":        {Name: "x", Spec: "f.npy"},
		"f.npy":          {Spec: "f.npy"},
		"json:[1]":       {Spec: "json:[1]"},
		"x=json:{\"=\"}": {Name: "x", Spec: `json:{"="}`},
		"dir/a=b.npy":    {Spec: "dir/a=b.npy"},
		"json:\"a=b\"":   {Spec: `json:"a=b"`},
		"x=":             {Name: "x"},
	} {
		require.Equal(t, want, ParseArg(arg), arg)
	}
}

// Names of inputs hold slashes and dots: those of TensorFlow 1's scopes, and the parts of sparse tensors.
func TestBindKnowsNamesWithSlashes(t *testing.T) {
	sig := graph.Signature{Inputs: []graph.Port{
		{Name: "scope/x.1", DType: tensor.Float32, Shape: tensor.Shape{-1}},
		{Name: "sp", DType: tensor.Float32, Components: map[string]string{"values": "v:0", "indices": "i:0"}},
	}}
	args := []Arg{ParseArg("scope/x.1=json:[1]"), ParseArg("sp/values=json:[2]"), ParseArg("sp/indices=json:[[0]]")}
	got, err := Bind(sig, args)
	require.NoError(t, err)
	require.Equal(t, tensor.Float32, got["sp/values"].DType())
	require.Equal(t, tensor.Int64, got["sp/indices"].DType())
	require.Equal(t, tensor.Shape{1}, got["scope/x.1"].Shape())
	_, err = Bind(sig, args[:2])
	require.ErrorContains(t, err, "sp/indices (int64 unknown) is missing")
}

func TestTextFitsVectorsAndMatrices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words.txt")
	require.NoError(t, os.WriteFile(path, []byte("\ufeffone\r\ntwo\n\nfour"), 0o600))
	got, err := Read(path, graph.Port{DType: tensor.String, Shape: tensor.Shape{-1}})
	require.NoError(t, err)
	require.True(t, got.Equal(tensor.Must(tensor.Of([]string{"one", "two", "", "four"}))), "%v", got)
	got, err = Read(path, graph.Port{DType: tensor.String, Shape: tensor.Shape{-1, 1}})
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{4, 1}, got.Shape())
	_, err = Read(path, graph.Port{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1}})
	require.ErrorIs(t, err, tensor.ErrDType)
}

func TestOneColumnFitsAVector(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ids.csv")
	require.NoError(t, os.WriteFile(path, []byte("3\n4\n"), 0o600))
	got, err := Read(path, graph.Port{DType: tensor.Int32, Shape: tensor.Shape{-1}})
	require.NoError(t, err)
	require.True(t, got.Equal(tensor.Must(tensor.Of([]int32{3, 4}))), "%v", got)
}

func TestFormOf(t *testing.T) {
	for _, test := range []struct {
		dtype tensor.DType
		shape tensor.Shape
		ok    bool
		form  imageForm
	}{
		{tensor.Float32, tensor.Shape{-1, 784}, true, imageForm{mode: images.Gray, height: 28, width: 28, digit: true}},
		{tensor.Float32, tensor.Shape{-1, 28, 28, 1}, true, imageForm{mode: images.Gray, height: 28, width: 28, digit: true}},
		{tensor.Float32, tensor.Shape{-1, 28, 28}, true, imageForm{mode: images.Gray, height: 28, width: 28, digit: true}},
		{tensor.Uint8, tensor.Shape{-1, 96, 64, 3}, true, imageForm{mode: images.RGB, height: 96, width: 64}},
		{tensor.Float32, tensor.Shape{-1, -1, -1, 3}, true, imageForm{mode: images.RGB}},
		{tensor.Float32, tensor.Shape{-1, 12288}, true, imageForm{mode: images.RGB, height: 64, width: 64}},
		{tensor.String, tensor.Shape{-1}, true, imageForm{encoded: true}},
		{tensor.Float32, tensor.Shape{-1, 7}, false, imageForm{}},
		{tensor.Float32, tensor.Shape{-1, 5, 5, 7}, false, imageForm{}},
		{tensor.Float32, nil, false, imageForm{}},
		{tensor.Bool, tensor.Shape{-1, 784}, false, imageForm{}},
	} {
		port := graph.Port{DType: test.dtype, Shape: test.shape}
		got, ok := formOf(port)
		require.Equal(t, test.ok, ok, "%v %v", test.dtype, test.shape)
		if ok {
			test.form.port = port
			require.Equal(t, test.form, got)
		}
	}
}

func TestForImages(t *testing.T) {
	outputs := []graph.Port{{Name: "probabilities", DType: tensor.Float32, Shape: tensor.Shape{-1, 5}}}
	pixels := graph.Signature{Name: "serving_default", Inputs: []graph.Port{{Name: "image", DType: tensor.Float32, Shape: tensor.Shape{-1, -1, -1, 3}}}, Outputs: outputs}
	files := graph.Signature{Name: "serving_bytes", Inputs: []graph.Port{{Name: "bytes", DType: tensor.String, Shape: tensor.Shape{-1}}}, Outputs: outputs}
	other, needsMore := files, files
	other.Outputs = []graph.Port{{Name: "scores", DType: tensor.Float32, Shape: tensor.Shape{-1, 5}}}
	needsMore.Inputs = append(needsMore.Inputs, pixels.Inputs...)
	dir := t.TempDir()
	photo, bitmap := filepath.Join(dir, "a.jpg"), filepath.Join(dir, "b.BMP")
	for _, path := range []string{photo, bitmap} {
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	grey := pixels
	grey.Inputs = []graph.Port{{Name: "image", DType: tensor.Float32, Shape: tensor.Shape{-1, -1, -1, 1}}}
	require.Equal(t, "serving_bytes", ForImages(grey, []graph.Signature{files, grey}, []string{photo}).Name)
	require.Equal(t, "serving_default", ForImages(grey, []graph.Signature{files, grey}, []string{dir}).Name, "a bitmap is in it")
	for _, c := range []struct {
		all   []graph.Signature
		paths []string
		want  string
	}{
		{[]graph.Signature{files, pixels}, []string{dir}, "serving_bytes"},
		{[]graph.Signature{files, pixels}, []string{filepath.Join(dir, "no such file")}, "serving_default"},
		{[]graph.Signature{other, pixels}, []string{photo}, "serving_default"},
		{[]graph.Signature{needsMore, pixels}, []string{photo}, "serving_default"},
		{[]graph.Signature{pixels}, []string{photo}, "serving_default"},
	} {
		require.Equal(t, c.want, ForImages(pixels, c.all, c.paths).Name, "%v", c.paths)
	}
}
