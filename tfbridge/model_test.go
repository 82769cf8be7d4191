//go:build cgo

package tfbridge_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tfbridge"
)

// Each small model gives what TensorFlow gave in Python: strings, all element types, tables, assets, several signatures and
// outputs, loops, training, state that is kept from call to call.
func TestCallEqualsPython(t *testing.T) {
	dirs, err := filepath.Glob(models + "/*/expected.json")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, path := range dirs {
		name := filepath.Base(filepath.Dir(path))
		for _, opts := range []tfbridge.Options{{}, {NoRewrite: true}, {Device: "cpu", Threads: 1}} {
			t.Run(name, func(t *testing.T) {
				m := openModel(t, name, opts)
				for _, c := range recordedCalls(t, name) {
					got, err := m.CallSignature(t.Context(), c.Signature, tensors(t, c.Inputs))
					require.NoError(t, err)
					requireClose(t, tensors(t, c.Outputs), got, 1e-5)
				}
			})
		}
	}
}
