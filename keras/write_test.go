package keras_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
)

// TestWriteReadsBack writes every recorded model in both formats and reads it again: same layers, same bits.
func TestWriteReadsBack(t *testing.T) {
	for _, path := range recordedFiles(t) {
		for _, ext := range []string{".keras", ".h5"} {
			t.Run(filepath.Base(path)+" to "+ext, func(t *testing.T) {
				before, err := os.ReadFile(path)
				require.NoError(t, err)
				m, err := keras.Load(path)
				require.NoError(t, err)
				out := filepath.Join(t.TempDir(), "written"+ext)
				require.NoError(t, keras.Write(out, m))
				back, err := keras.Load(out)
				require.NoError(t, err)
				requireSameModel(t, m, back)
				after, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, before, after, "the file that was read")
			})
		}
	}
}

func requireSameModel(t *testing.T, want, got *keras.Model) {
	t.Helper()
	require.Equal(t, want.Summary(), got.Summary())
	require.Equal(t, want.Parameters(), got.Parameters())
	w, g := want.Variables(), got.Variables()
	require.Len(t, g, len(w))
	for i := range w {
		require.Equal(t, w[i].Shape, g[i].Shape, w[i].Path)
		require.Equal(t, w[i].Trainable, g[i].Trainable, w[i].Path)
		require.Equal(t, w[i].Value.Bytes(), g[i].Value.Bytes(), w[i].Path)
	}
	require.Len(t, got.Outputs, len(want.Outputs))
	for i, o := range want.Outputs {
		require.Equal(t, o.Name, got.Outputs[i].Name)
		require.Equal(t, o.Shape, got.Outputs[i].Shape)
	}
	if want.Compile != nil {
		require.NotNil(t, got.Compile)
		require.Equal(t, want.Compile.Optimizer, got.Compile.Optimizer)
	}
	require.Len(t, got.OptimizerState, len(want.OptimizerState))
}

// TestRewrite writes each model below CAMBIUM_PARITY again, beside itself, for scripts/parity_write.py to open.
func TestRewrite(t *testing.T) {
	dir := os.Getenv("CAMBIUM_REWRITE")
	if dir == "" {
		t.Skip("CAMBIUM_REWRITE is not set: scripts/parity_write.py sets it")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.in.*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			m, err := keras.Load(f)
			require.NoError(t, err)
			base := f[:len(f)-len(filepath.Ext(f))]
			base = base[:len(base)-len(".in")] + "." + filepath.Ext(f)[1:]
			require.NoError(t, keras.Write(base+".out.keras", m))
			require.NoError(t, keras.Write(base+".out.h5", m))
		})
	}
}

// recordedFiles lists the models that scripts/record_keras.py recorded.
func recordedFiles(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.keras", "*.h5"} {
		files, err := filepath.Glob(filepath.Join("testdata", "models", pattern))
		require.NoError(t, err)
		out = append(out, files...)
	}
	require.NotEmpty(t, out)
	return out
}
