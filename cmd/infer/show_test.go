package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
)

func TestShowPrintsLayers(t *testing.T) {
	code, out, errs := infer("show", digits+"cnn/my_mnist.h5")
	require.Equal(t, cli.Done, code, errs)
	require.Contains(t, out, "5,258")
	require.Regexp(t, `conv2d_1 +Conv2D +\[\?,11,11,16\] +1,168`, out)

	var info map[string]any
	inferJSON(t, &info, "show", digits+"cnn/my_mnist.keras", "--json")
	require.Equal(t, "keras", info["format"])
	require.InDelta(t, 5258, info["parameters"], 0)
	require.Len(t, info["layers"], 7) // without the input layer, as in model.summary()
}
