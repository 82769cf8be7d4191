package hdf5

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchFiles are the files in $CAMBIUM_BENCH_FILES (scripts/bench_hdf5.py puts
// them there), or one of 16 MB that this package writes.
func benchFiles(b *testing.B) []string {
	if dir := os.Getenv("CAMBIUM_BENCH_FILES"); dir != "" {
		paths, err := filepath.Glob(filepath.Join(dir, "*.h5"))
		require.NoError(b, err)
		require.NotEmpty(b, paths)
		return paths
	}
	path := filepath.Join(b.TempDir(), "weights.h5")
	require.NoError(b, WriteFile(path, benchGroup(b, 64, 1<<16)))
	return []string{path}
}

func benchGroup(b *testing.B, datasets, elements int) *GroupBuilder {
	root := NewGroup()
	for i := range datasets {
		_, err := root.CreateDataset(fmt.Sprintf("layer_%d/kernel", i), Numbers([]int{elements}, make([]float32, elements)))
		require.NoError(b, err)
	}
	return root
}

// BenchmarkRead opens a file and reads each dataset into a new slice.
func BenchmarkRead(b *testing.B) {
	for _, path := range benchFiles(b) {
		b.Run(filepath.Base(path), func(b *testing.B) {
			info, err := os.Stat(path)
			require.NoError(b, err)
			b.SetBytes(info.Size())
			b.ReportAllocs()
			for b.Loop() {
				f, err := OpenFile(path)
				require.NoError(b, err)
				err = f.Walk(func(o Object) error {
					if ds, ok := o.(*Dataset); ok {
						_, err := ReadAll[float32](ds)
						return err
					}
					return nil
				})
				require.NoError(b, err)
				require.NoError(b, f.Close())
			}
		})
	}
}

// BenchmarkWrite writes 100 MB of weights to nowhere and to a file.
func BenchmarkWrite(b *testing.B) {
	root := benchGroup(b, 100, 1<<18)
	b.Run("discard", func(b *testing.B) {
		b.SetBytes(100 << 20)
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, Write(io.Discard, root))
		}
	})
	b.Run("file", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "weights.h5")
		b.SetBytes(100 << 20)
		for b.Loop() {
			require.NoError(b, WriteFile(path, root))
		}
	})
}
