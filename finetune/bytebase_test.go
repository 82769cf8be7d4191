package finetune

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
)

// ofBytes writes the base of the digits as a frozen graph that takes bytes.
func ofBytes(t *testing.T) string {
	t.Helper()
	g, err := flatBase(filepath.Join(digitsBase, "base.keras"))
	require.NoError(t, err)
	name, _, err := graph.ParseTensor(g.Signatures[0].Inputs[0].Tensor)
	require.NoError(t, err)
	b := graph.NewBuilder()
	x := b.Placeholder("digits", tensor.Uint8, g.Signatures[0].Inputs[0].Shape)
	b.Op("Cast", name, []graph.Ref{x}, graph.Attrs{"SrcT": tensor.Uint8, "DstT": tensor.Float32, "Truncate": false})
	front, err := b.Finish()
	require.NoError(t, err)
	rest := slices.DeleteFunc(slices.Clone(g.Def.GetNode()), func(n *tfproto.NodeDef) bool { return n.GetName() == name })
	g.Def = &tfproto.GraphDef{Node: append(front.Def.GetNode(), rest...), Library: g.Def.GetLibrary(), Versions: g.Def.GetVersions()}
	return frozen(t, g)
}

// A base of bytes gives a head what the same base of floats gives it, in what is exported too: Run asks that.
func TestABaseOfBytes(t *testing.T) {
	o := digits(t, "base.keras")
	o.Layer, o.Epochs = "conv2d_2", 3
	run(t, o)
	other := o
	other.Base, other.Out = ofBytes(t), filepath.Join(t.TempDir(), "out")
	run(t, other)
	require.Equal(t, weightsIn(t, o.Out), weightsIn(t, other.Out))
	wrong := other
	wrong.Preprocess = "unit"
	_, err := Run(context.Background(), wrong)
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "bytes")

	other.Unfreeze, other.UnfreezeEpochs, other.UnfreezeLearningRate = "1", 1, 0.001
	r := run(t, other)
	require.Len(t, r.FineTuning.Layers, 1)
}

// A Keras file of bytes is refused with an advice that helps.
func TestAKerasFileOfBytes(t *testing.T) {
	o := digits(t, "base.keras")
	m, err := keras.NewSequential("bytes", keras.Input(28, 28, 1).With("dtype", "uint8"), keras.Rescaling(1./255, 0), keras.Flatten(), keras.Dense(3, "relu"))
	require.NoError(t, err)
	kernel := make([]float32, 28*28*3)
	for i := range kernel {
		kernel[i] = float32(i%7-2) / 100
	}
	require.NoError(t, m.SetWeights([]*tensor.Tensor{tensor.Must(tensor.Of(kernel, 28*28, 3)), tensor.Must(tensor.New(tensor.Float32, 3))}))
	o.Base = filepath.Join(t.TempDir(), "bytes.keras")
	require.NoError(t, keras.Write(o.Base, m))
	_, err = Run(context.Background(), o)
	require.ErrorIs(t, err, ErrOption)
	require.ErrorContains(t, err, "uint8")
	require.NoDirExists(t, o.Out)

	dir := filepath.Join(t.TempDir(), "saved_model")
	require.NoError(t, cambium.Convert(o.Base, dir))
	o.Base, o.Epochs = dir, 2
	run(t, o)
}
