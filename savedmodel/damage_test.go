package savedmodel_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever happens to a file of a model, reading it gives an error or a model: no panic, and no memory beyond reason.
func TestDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short, as under the race detector: thousands of loads, one after the other")
	}
	for _, from := range []string{
		filepath.Join(mnist, "cnn", "saved_model"),
		filepath.Join(mnist, "cnn", "saved_model_tf1"),
		filepath.Join(models, "table", "saved_model"),
		filepath.Join(models, "tf1_sharded", "saved_model"),
		filepath.Join(models, "control_flow", "saved_model"),
		filepath.Join(models, "text", "saved_model"),
	} {
		t.Run(from, func(t *testing.T) {
			dir := copyDir(t, from)
			require.NoError(t, load(dir))
			require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					damage(t, dir, path)
				}
				return err
			}))
		})
	}
}

// damage truncates a file at 50 places, and flips a byte of it at places that add up to about 500 a model.
func damage(t *testing.T, dir, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	try := func(damaged []byte) {
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := load(dir) // an error, or not: a byte may not matter
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30), "%s: %v", path, err)
	}
	for i := range 50 {
		try(data[:len(data)*i/50])
	}
	r := rand.New(rand.NewPCG(1, uint64(len(data))))
	for range min(200, len(data)) {
		damaged := append([]byte{}, data...)
		damaged[r.IntN(len(data))] ^= byte(1 + r.IntN(255))
		try(damaged)
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))
}
