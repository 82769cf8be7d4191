//go:build !cgo

package tfbridge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
)

func TestWithoutTensorFlow(t *testing.T) {
	require.False(t, Available)
	require.Empty(t, Version())
	_, err := New(t.Context(), &graph.Graph{}, Options{})
	require.ErrorIs(t, err, ErrNotBuilt)
	require.ErrorContains(t, err, "libtensorflow")
	_, err = Devices()
	require.ErrorIs(t, err, ErrNotBuilt)
}
