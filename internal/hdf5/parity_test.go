package hdf5

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// scripts/parity_hdf5.py runs this and compares the copies with h5py.
func TestCopiesForParity(t *testing.T) {
	files, copies := os.Getenv("CAMBIUM_PARITY_FILES"), os.Getenv("CAMBIUM_PARITY_COPIES")
	if files == "" || copies == "" {
		t.Skip("CAMBIUM_PARITY_FILES and CAMBIUM_PARITY_COPIES are not set: scripts/parity_hdf5.py runs this")
	}
	paths, err := filepath.Glob(filepath.Join(files, "*.h5"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		f, err := OpenFile(path)
		require.NoError(t, err)
		require.NoError(t, WriteFile(filepath.Join(copies, filepath.Base(path)), rebuild(t, f)))
		require.NoError(t, f.Close())
	}
}
