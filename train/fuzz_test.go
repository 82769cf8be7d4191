package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

// FuzzCheckpoint resumes from damaged checkpoints: refused, or gone on from, never a panic.
func FuzzCheckpoint(f *testing.F) {
	tiny := train.MLP{Inputs: 2, Outputs: 2, OutputActivation: "softmax"}
	data := traintest.Samples(tiny, sparse, 12)
	fit := func(path string, epochs int) error {
		m, err := traintest.NewReference(tiny, sparse, train.Adam(0.01), 1)
		if err != nil {
			return err
		}
		_, err = train.Fit(context.Background(), m, data, train.Config{Epochs: epochs, BatchSize: 5, ValidationSplit: 0.25, Checkpoint: path, Resume: true,
			EarlyStopping: &train.EarlyStopping{Patience: 1}, ReduceLROnPlateau: &train.ReduceLROnPlateau{}})
		return err
	}
	path := filepath.Join(f.TempDir(), "c.npz")
	require.NoError(f, fit(path, 2))
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, checkpoint []byte) {
		path := filepath.Join(t.TempDir(), "c.npz")
		require.NoError(t, os.WriteFile(path, checkpoint, 0o600))
		err := fit(path, 3)
		if err != nil && !errors.Is(err, train.ErrCheckpoint) && !errors.Is(err, train.ErrNotFinite) {
			t.Fatal(err)
		}
	})
}
