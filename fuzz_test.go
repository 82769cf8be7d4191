package cambium_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/images"
)

// FuzzDetect: the first bytes of a file are a format's, or ErrFormat.
func FuzzDetect(f *testing.F) {
	for _, s := range []string{"", "PK\x03\x04", "\x89HDF\r\n\x1a\n", "# a comment\nnode {", "\x0a\x05\x0a\x01x", "\x1c\x00\x00\x00TFL3", "\x08\x01\x12"} {
		f.Add([]byte(s))
	}
	f.Add(append(make([]byte, 1024), "\x89HDF\r\n\x1a\n"...)) // behind a user block
	path := filepath.Join(f.TempDir(), "model")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		format, err := cambium.Detect(path)
		if err != nil {
			require.ErrorIs(t, err, cambium.ErrFormat)
			return
		}
		require.Contains(t, []cambium.Format{cambium.GraphDef, cambium.Keras, cambium.H5}, format)
	})
}

// FuzzReport reads any report.json beside a model.
func FuzzReport(f *testing.F) {
	for _, s := range []string{`{"preprocess": "tf"}`, `{"preprocess": "mnist", "data": {}}`, `{"preprocess": 7}`, `{"preprocess": ""}`, `[]`, ``} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, report []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "report.json"), report, 0o600))
		how, known, err := cambium.Preprocessing(filepath.Join(dir, "saved_model"))
		if err != nil || !known {
			require.False(t, known)
			return
		}
		again, err := images.ParsePreprocess(how.String())
		require.NoError(t, err)
		require.Equal(t, how, again)
	})
}
