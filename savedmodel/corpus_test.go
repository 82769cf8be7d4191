package savedmodel_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
)

// corpus returns the SavedModel directories and the frozen graphs among the public models that CAMBIUM_CORPUS names.
func corpus(t *testing.T) (saved, frozen []string) {
	t.Helper()
	root := os.Getenv("CAMBIUM_CORPUS")
	if root == "" {
		t.Skip("CAMBIUM_CORPUS names no folder of public models")
	}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && savedmodel.IsSavedModel(path):
			saved = append(saved, path)
		case filepath.Ext(path) == ".pb" && d.Name() != "saved_model.pb" && d.Name() != "fingerprint.pb":
			frozen = append(frozen, path)
		}
		return nil
	}))
	require.NotEmpty(t, saved)
	require.NotEmpty(t, frozen)
	return saved, frozen
}

func TestCorpusParses(t *testing.T) {
	saved, frozen := corpus(t)
	for _, dir := range saved {
		m, err := savedmodel.Read(dir)
		require.NoError(t, err)
		mg, err := m.MetaGraph()
		require.NoError(t, err)
		g, err := mg.Graph()
		require.NoError(t, err)
		require.NotEmpty(t, g.Signatures, dir)
		t.Logf("%s: TensorFlow %s, Keras %q, %d parameters, checkpoint %v, init %+v", dir, m.TensorFlowVersion, m.KerasVersion, g.Parameters(), g.Checkpoint, g.Init)
	}
	for _, path := range frozen {
		g, err := graph.ReadFrozen(path)
		if errors.Is(err, graph.ErrNotFrozen) { // the graph of a training program, beside its checkpoint
			t.Log(err)
			continue
		}
		require.NoError(t, err)
		t.Logf("%s: %d parameters, %+v", path, g.Parameters(), g.Signatures)
	}
}
