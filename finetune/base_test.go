package finetune

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

// classifier builds x → Conv2D stem → MatMul, by the names and the last op that are given.
func classifier(t *testing.T, head, last string) *graph.Graph {
	t.Helper()
	f32 := graph.Attrs{"T": tensor.Float32}
	b := graph.NewBuilder()
	x := b.Placeholder("x", tensor.Float32, tensor.Shape{-1, 4})
	hidden := b.Op("Relu", "block/out", []graph.Ref{b.Op("Relu", "block/in", []graph.Ref{x}, f32)}, f32)
	same := b.Op("Identity", "same", []graph.Ref{hidden}, f32)
	kernel := b.Const(head+"/kernel", tensor.Must(tensor.Of(make([]float32, 8), 4, 2)))
	out := b.Op("MatMul", head+"/MatMul", []graph.Ref{same, kernel}, graph.Attrs{"T": tensor.Float32, "transpose_a": false, "transpose_b": false})
	if last != "" {
		out = b.Op(last, head+"/"+last, []graph.Ref{out}, f32)
	}
	g, err := b.Finish(graph.Signature{Name: graph.DefaultSignature,
		Inputs:  []graph.Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1, 4}, Tensor: x.Tensor()}},
		Outputs: []graph.Port{{Name: "y", DType: tensor.Float32, Shape: tensor.Shape{-1, 2}, Tensor: out.Tensor()}}})
	require.NoError(t, err)
	return g
}

func TestFindFeatures(t *testing.T) {
	for name, c := range map[string]struct {
		head, last, layer, want string
	}{
		"softmax":           {"dense", "Softmax", "", "block/out:0"},
		"logits by name":    {"Logits", "", "", "block/out:0"},
		"no classifier":     {"dense", "", "", "dense/MatMul:0"},
		"a node":            {"dense", "Softmax", "block/in", "block/in:0"},
		"a layer's scope":   {"dense", "Softmax", "block", "block/out:0"},
		"a layer by choice": {"dense", "", "dense", "dense/MatMul:0"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := findFeatures(classifier(t, c.head, c.last), c.layer)
			require.NoError(t, err)
			name, output, err := graph.ParseTensor(got)
			require.NoError(t, err)
			wantName, wantOutput, err := graph.ParseTensor(c.want)
			require.NoError(t, err)
			require.Equal(t, wantName, name)
			require.Equal(t, wantOutput, output)
		})
	}
	_, err := findFeatures(classifier(t, "dense", ""), "block9")
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "block9")
}

// A base whose features are the same for every image is no base: its weights are missing, or its images are prepared wrongly.
func TestFeaturesThatTellNothing(t *testing.T) {
	for _, x := range [][]float32{{1, 2, 1, 2, 1, 2}, {1e-9, 2, 2e-9, 2, 3e-9, 2}} {
		d := &data{classes: []string{"a", "b"}, input: input{features: true},
			training: &train.Dataset{X: tensor.Must(tensor.Of(x, 3, 2)), Y: tensor.Must(tensor.Of([]int32{0, 1, 0}))}}
		require.ErrorContains(t, d.standardize(nil), "the same features")
	}
}

func TestFeatureCache(t *testing.T) {
	dir := t.TempDir()
	open := func(width int) *featureCache {
		c, err := openFeatureCache(dir, "key", width)
		require.NoError(t, err)
		return c
	}
	hash := func(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }
	first, second := open(2), open(2) // two processes
	require.NoError(t, first.put([][sha256.Size]byte{hash("a"), hash("b")}, [][]float32{{1, 2}, {3, 4}}))
	require.NoError(t, second.put([][sha256.Size]byte{hash("c")}, [][]float32{{5, 6}}))
	require.NoError(t, first.put([][sha256.Size]byte{hash("d")}, [][]float32{{7, 8}}))
	require.Nil(t, first.get(hash("c")))
	path := first.file.Name()
	require.NoError(t, errors.Join(first.close(), second.close()))

	c := open(2)
	for name, want := range map[string][]float32{"a": {1, 2}, "b": {3, 4}, "c": {5, 6}, "d": {7, 8}, "e": nil} {
		require.Equal(t, want, c.get(hash(name)), name)
	}
	require.NoError(t, c.close())
	require.Empty(t, open(3).known, "records of another width do not pass")

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text[:len(text)-1], 0o600)) // cut off in the last record
	c = open(2)
	require.Nil(t, c.get(hash("d")))
	require.Equal(t, []float32{3, 4}, c.get(hash("b")))
	text[40]++ // a bit of the first record
	require.NoError(t, os.WriteFile(path, text, 0o600))
	c = open(2)
	require.Nil(t, c.get(hash("a")))
	require.Equal(t, []float32{5, 6}, c.get(hash("c")), "the other file")
}

func FuzzFeatureCache(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{7}, 100))
	f.Fuzz(func(t *testing.T, content []byte) {
		c := &featureCache{width: 2, known: map[[sha256.Size]byte][]float32{}}
		require.NoError(t, c.read(bytes.NewReader(content)))
		require.LessOrEqual(t, len(c.known)*c.recordSize(), len(content))
	})
}

func TestDecodeGraph(t *testing.T) {
	if !tfbridge.Available {
		t.Skip("TensorFlow is not built in")
	}
	img := image.NewRGBA(image.Rect(0, 0, 6, 4))
	for i := range img.Pix {
		img.Pix[i] = uint8(37 * i)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	var encoded bytes.Buffer
	require.NoError(t, png.Encode(&encoded, img))
	for _, how := range []images.Preprocess{images.None, images.Unit, images.TF, images.Torch, images.Caffe} {
		want, err := images.Decode(encoded.Bytes(), images.RGB)
		require.NoError(t, err)
		resized, err := images.Resize(want, 3, 5, images.Bilinear)
		require.NoError(t, err)
		want, err = how.Apply(resized)
		require.NoError(t, err)
		g, err := decodeGraph([]int{3, 5, 3}, how)
		require.NoError(t, err)
		m, err := tfbridge.New(context.Background(), g, tfbridge.Options{})
		require.NoError(t, err)
		got, err := m.Predict(context.Background(), tensor.Scalar(encoded.String()))
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{1, 3, 5, 3}, got.Shape())
		expected, err := tensor.Data[float32](want)
		require.NoError(t, err)
		have, err := tensor.Data[float32](got)
		require.NoError(t, err)
		require.InDeltaSlice(t, expected, have, 1e-3, "%v", how)
		raw, err := m.CallSignature(context.Background(), rawSignature, map[string]*tensor.Tensor{"bytes": tensor.Scalar(encoded.String())})
		require.NoError(t, err)
		expected, err = tensor.Data[float32](resized)
		require.NoError(t, err)
		have, err = tensor.Data[float32](raw[imageInput])
		require.NoError(t, err)
		require.InDeltaSlice(t, expected, have, 1e-3)
		require.NoError(t, m.Close())
	}
}

func TestLabelsWithoutImages(t *testing.T) {
	dir := t.TempDir()
	for _, part := range []string{"train", "t10k"} {
		for name, x := range map[string]*tensor.Tensor{
			"-images-idx3-ubyte": tensor.Must(tensor.Of(make([]uint8, 4*4), 4, 2, 2)),
			"-labels-idx1-ubyte": tensor.Must(tensor.Of([]uint8{7, 5, 5, 7}, 4)),
		} {
			var b bytes.Buffer
			require.NoError(t, mnist.WriteIDX(&b, x))
			require.NoError(t, os.WriteFile(filepath.Join(dir, part+name), b.Bytes(), 0o600))
		}
	}
	d, err := loadIDX(dir, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"5", "7"}, d.classes)
	l, err := labels(d.training, 2)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 0, 0, 1}, l)
	require.NoError(t, d.check())
}

func TestABaseThatCountsItsCalls(t *testing.T) {
	b := graph.NewBuilder()
	v := b.Op("VarHandleOp", "calls", nil, graph.Attrs{"dtype": tensor.Float32, "shape": tensor.Shape{}, "shared_name": "calls", "container": ""})
	b.Op("ReadVariableOp", "read", []graph.Ref{v}, graph.Attrs{"dtype": tensor.Float32})
	g, err := b.Finish()
	require.NoError(t, err)
	err = (&base{graph: g}).constant()
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "the variable calls")
}
