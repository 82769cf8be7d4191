package hdf5

import (
	"crypto/sha256"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// damagedFiles are small files that together have every structure.
var damagedFiles = []string{"types_earliest.h5", "attributes_earliest.h5", "many_links_latest.h5", "many_attributes_latest.h5", "chunks_latest.h5"}

// checkDamaged: a changed file fails, or is read with as many objects as
// before (any number if that is negative), within bounded memory.
func checkDamaged(t *testing.T, data []byte, objects int) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := openBytes(data)
	if err == nil {
		err = readEverything(f)
	}
	runtime.ReadMemStats(&after)
	// 64 MiB may be implied by a damaged shape, and read in two ways.
	limit := 2*impliedBytes + 200*uint64(len(data))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, limit, "memory taken for a damaged file")
	if err != nil || objects < 0 {
		return
	}
	n, err := countObjects(f)
	require.NoError(t, err)
	require.Equal(t, objects, n, "objects were lost without an error")
}

// contents is a digest of all paths and elements.
func contents(data []byte) (string, error) {
	f, err := openBytes(data)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = f.Walk(func(o Object) error {
		sum.Write([]byte(o.Path()))
		if ds, ok := o.(*Dataset); ok {
			b, err := ds.Bytes()
			if err != nil {
				return err
			}
			sum.Write(b)
		}
		return nil
	})
	return string(sum.Sum(nil)), err
}

func countObjects(f *File) (n int, err error) {
	err = f.Walk(func(Object) error { n++; return nil })
	return n, err
}

func rounds() int {
	if testing.Short() {
		return 100
	}
	return 1000
}

func TestTruncatedFiles(t *testing.T) {
	for _, name := range damagedFiles {
		t.Run(name, func(t *testing.T) {
			data := testBytes(t, name)
			rng := rand.New(rand.NewPCG(1, 2))
			for range rounds() {
				_, err := openBytes(data[:rng.IntN(len(data))])
				require.ErrorIs(t, err, ErrFormat)
			}
		})
	}
}

func TestChangedBytes(t *testing.T) {
	for _, name := range damagedFiles {
		t.Run(name, func(t *testing.T) {
			data := testBytes(t, name)
			f, err := openBytes(data)
			require.NoError(t, err)
			objects, err := countObjects(f)
			require.NoError(t, err)
			rng := rand.New(rand.NewPCG(3, 4))
			for range rounds() {
				at, change := rng.IntN(len(data)), byte(1+rng.IntN(255))
				data[at] ^= change
				checkDamaged(t, data, objects)
				data[at] ^= change
			}
		})
	}
}

// Behind right checksums, too, damage is an error or within bounds.
func TestChangedBytesBehindChecksums(t *testing.T) {
	withoutChecksums(t)
	for _, name := range []string{"tiny_latest.h5", "many_links_latest.h5", "many_attributes_latest.h5", "chunks_latest.h5"} {
		t.Run(name, func(t *testing.T) {
			data := testBytes(t, name)
			rng := rand.New(rand.NewPCG(5, 6))
			for range rounds() {
				at, change := rng.IntN(len(data)), byte(1+rng.IntN(255))
				data[at] ^= change
				checkDamaged(t, data, -1)
				data[at] ^= change
			}
		})
	}
}

// In the older format nothing has a checksum. The number of entries of each
// node is where a small change would lose links.
func TestChangedEntryCounts(t *testing.T) {
	for _, name := range []string{"types_earliest.h5", "many_links_earliest.h5", "edited_earliest.h5", "chunks_earliest.h5"} {
		t.Run(name, func(t *testing.T) {
			data := testBytes(t, name)
			want, err := contents(data)
			require.NoError(t, err)
			changed := 0
			for at := 0; at+8 < len(data); at += 8 {
				if s := string(data[at : at+4]); s != "TREE" && s != "SNOD" {
					continue
				}
				count := data[at+6]
				for fewer := range count {
					data[at+6] = fewer
					if got, err := contents(data); err == nil {
						require.Equal(t, want, got, "something was lost without an error")
					}
					changed++
				}
				data[at+6] = count
			}
			require.NotZero(t, changed)
		})
	}
}

func TestMemoryIsTheFilesSize(t *testing.T) {
	const elements = 1 << 16
	root := NewGroup()
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		_, err := root.CreateDataset(name, Numbers([]int{elements}, make([]float32, elements)))
		require.NoError(t, err)
		_, err = root.CreateDataset(name+"_double", Numbers([]int{elements}, make([]float64, elements)))
		require.NoError(t, err)
	}
	data := writeBytes(t, root)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := openBytes(data)
	require.NoError(t, err)
	require.NoError(t, f.Walk(func(o Object) error {
		_, err := ReadAll[float32](o.(*Dataset)) // half of them converted
		return err
	}))
	runtime.ReadMemStats(&after)
	const working = 8 * (1 << 20) // the blocks that are converted, garbage included
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(data)+working))

	runtime.ReadMemStats(&before)
	require.NoError(t, Write(discard{}, root))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "writing copies the data")
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
