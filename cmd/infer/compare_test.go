package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/cli"
)

func TestCompare(t *testing.T) {
	needTensorFlow(t)
	code, out, errs := infer("compare", digits+"mlp/saved_model", digits+"mlp/frozen.pb", "--json")
	require.Equal(t, cli.Done, code, errs)
	require.Contains(t, out, `"equal":true`)
	require.Contains(t, out, `"argmax_agreement":1`)

	code, out, errs = infer("compare", digits+"mlp/saved_model", digits+"mlp/frozen.pb", "--input", digits+"digits/3_0.png")
	require.Equal(t, cli.Done, code, errs)
	require.Contains(t, out, "equal within 1e-05")

	code, _, errs = infer("compare", digits+"mlp/saved_model", models+"outputs/saved_model")
	require.Equal(t, cli.Usage, code)
	require.Contains(t, errs, "compare")
}
