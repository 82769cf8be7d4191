package images_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
)

// paths returns n files, which repeat.
func paths(n int) []string {
	kinds := []string{"photo.png", "alpha.png", "photo.bmp", "photo_420.jpg", "gray.png", "large_420.jpg"}
	var list []string
	for i := range n {
		list = append(list, filepath.Join(recorded, kinds[i%len(kinds)]))
	}
	return list
}

func TestLoad(t *testing.T) {
	list, o := paths(23), images.Options{Height: 16, Width: 12, Preprocess: images.TF, BatchSize: 5}
	for _, o.Workers = range []int{0, 1, 7} {
		next := 0
		for batch, err := range images.Load(t.Context(), list, o) {
			require.NoError(t, err)
			require.Equal(t, next, batch.Start)
			n := batch.Images.Shape()[0]
			require.Equal(t, min(5, len(list)-next), n)
			for i := range n {
				want, err := images.ReadFile(list[next+i], o)
				require.NoError(t, err)
				row, err := batch.Images.Rows(i, i+1)
				require.NoError(t, err)
				require.NoError(t, tensor.AllClose(tensor.Must(row.Reshape(want.Shape()...)), want, 0, 0))
			}
			next += n
		}
		require.Equal(t, len(list), next)
	}
	for _, err := range images.Load(t.Context(), nil, o) {
		t.Fatal("nothing to load", err)
	}
}

// firstError loads everything and returns the error that ended it.
func firstError(ctx context.Context, list []string, o images.Options) error {
	var last error
	for _, err := range images.Load(ctx, list, o) {
		last = err
	}
	return last
}

func TestLoadFails(t *testing.T) {
	size := images.Options{Height: 8, Width: 8, BatchSize: 4}
	broken := filepath.Join(t.TempDir(), "broken.png")
	require.NoError(t, os.WriteFile(broken, []byte("\x89PNG\r\n\x1a\n"), 0o644))

	err := firstError(t.Context(), append(paths(9), broken), size)
	require.ErrorIs(t, err, images.ErrFormat)
	require.ErrorContains(t, err, broken)
	require.ErrorIs(t, firstError(t.Context(), append(paths(3), broken+".gone"), size), os.ErrNotExist)
	require.ErrorContains(t, firstError(t.Context(), []string{t.TempDir()}, size), "not a regular file")
	require.ErrorContains(t, firstError(t.Context(), paths(6), images.Options{}), "set Height and Width")
	failing := images.Options{Transform: func(*tensor.Tensor) (*tensor.Tensor, error) { return nil, errTransform }}
	require.ErrorIs(t, firstError(t.Context(), paths(6), failing), errTransform)
	require.ErrorIs(t, firstError(t.Context(), paths(6), images.Options{Height: 1}), images.ErrOptions)
	require.ErrorIs(t, firstError(nil, paths(6), size), images.ErrOptions) //nolint:staticcheck // what is tested
}

func TestLoadStops(t *testing.T) {
	before := runtime.NumGoroutine()
	size := images.Options{Height: 8, Width: 8, BatchSize: 2}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	var last error
	for _, err := range images.Load(ctx, paths(100), size) {
		if seen++; seen == 3 {
			cancel()
		}
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Less(t, seen, 10)

	for _, err := range images.Load(t.Context(), paths(100), size) {
		require.NoError(t, err)
		break
	}
	for range 1000 { // a goroutine that is done takes a moment to be gone
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "no goroutine outlives its loop")
}
