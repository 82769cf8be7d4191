package finetune

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tfbridge"
)

func TestEngines(t *testing.T) {
	o := options(t, blobs(t))
	if !tfbridge.Available {
		o.Compare = true
		_, err := Run(t.Context(), o)
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorIs(t, err, tfbridge.ErrNotBuilt)
		return
	}
	o.Engine, o.Compare, o.Dropout, o.L2, o.LabelSmoothing = "tensorflow", true, 0.1, 0.001, 0.05
	r := run(t, o)
	require.Equal(t, "tensorflow", r.Engine)
	require.Greater(t, r.Validation.Accuracy, 0.9)
	require.Equal(t, 200, r.Compare.Steps)
	require.Less(t, r.Compare.MaxWeightDiff, 1e-4)
	require.Less(t, r.Compare.MaxLossDiff, 1e-4)
	require.InDelta(t, 1, r.Compare.Agreement, 0.01)
	require.Positive(t, r.Compare.NativeSeconds)
	require.Positive(t, r.Compare.TensorFlowSeconds)

	other := options(t, o.Data) // each engine's comparison is its own: the weights that training ends with are not in it
	other.Hyperparameters, other.Compare = o.Hyperparameters, true
	require.Equal(t, r.Compare.MaxWeightDiff, run(t, other).Compare.MaxWeightDiff)
}
