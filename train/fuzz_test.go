package train_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

// fitTiny trains a network of a few weights, from the checkpoint at path on if there is one.
func fitTiny(path string, epochs int) error {
	tiny := train.MLP{Inputs: 2, Outputs: 2, OutputActivation: "softmax"}
	m, err := traintest.NewReference(tiny, sparse, train.Adam(0.01), 1)
	if err != nil {
		return err
	}
	_, err = train.Fit(context.Background(), m, traintest.Samples(tiny, sparse, 12), train.Config{Epochs: epochs, BatchSize: 5, ValidationSplit: 0.25,
		Checkpoint: path, Resume: true, EarlyStopping: &train.EarlyStopping{Patience: 1}, ReduceLROnPlateau: &train.ReduceLROnPlateau{}})
	return err
}

// tinyCheckpoint returns what fitTiny leaves.
func tinyCheckpoint(f *testing.F) []byte {
	path := filepath.Join(f.TempDir(), "c.npz")
	require.NoError(f, fitTiny(path, 2))
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	return whole
}

// resume goes on from a checkpoint: refused, or gone on from, never a panic.
func resume(t *testing.T, checkpoint []byte) {
	path := filepath.Join(t.TempDir(), "c.npz")
	require.NoError(t, os.WriteFile(path, checkpoint, 0o600))
	err := fitTiny(path, 3)
	if err != nil && !errors.Is(err, train.ErrCheckpoint) && !errors.Is(err, train.ErrNotFinite) {
		t.Fatal(err)
	}
}

// FuzzCheckpoint resumes from damaged files.
func FuzzCheckpoint(f *testing.F) {
	whole := tinyCheckpoint(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Fuzz(resume)
}

// FuzzCheckpointHeader resumes from sound files with any text as what they say of the run, past the archive's checksums.
func FuzzCheckpointHeader(f *testing.F) {
	whole := tinyCheckpoint(f)
	arrays, err := tensor.ReadNPZ(bytes.NewReader(whole), int64(len(whole)))
	require.NoError(f, err)
	require.Equal(f, "checkpoint", arrays[0].Name)
	header, err := tensor.Data[uint8](arrays[0].Tensor)
	require.NoError(f, err)
	f.Add(header)
	f.Add([]byte("{}"))
	f.Add(bytes.Replace(header, []byte(`"epoch":2`), []byte(`"epoch":-9`), 1))
	f.Fuzz(func(t *testing.T, header []byte) {
		damaged := append([]tensor.Named{{Name: "checkpoint", Tensor: tensor.Must(tensor.Of(header))}}, arrays[1:]...)
		var b bytes.Buffer
		require.NoError(t, tensor.WriteNPZ(&b, false, damaged...))
		resume(t, b.Bytes())
	})
}
