//go:build !cgo

package tfbridge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/train"
)

func TestTrainingWithoutTensorFlow(t *testing.T) {
	m := train.MLP{Inputs: 2, Outputs: 1, OutputActivation: "linear"}
	_, err := NewMLP(m, train.Loss{Name: train.MeanSquaredError}, train.SGD(0.1), 1, Options{})
	require.ErrorIs(t, err, ErrNotBuilt)
}
