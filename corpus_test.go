package cambium_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/inference"
	"github.com/cambium-go/cambium/keras"
)

// corpusModels lists the models below CAMBIUM_CORPUS.
func corpusModels(t *testing.T) []string {
	t.Helper()
	root := os.Getenv("CAMBIUM_CORPUS")
	if root == "" {
		t.Skip("CAMBIUM_CORPUS names no folder of public models")
	}
	var found []string
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".pb", ".pbtxt", ".h5", ".keras":
			if !d.IsDir() && d.Name() != "fingerprint.pb" && d.Name() != "keras_metadata.pb" {
				found = append(found, path)
			}
		}
		return nil
	}))
	require.NotEmpty(t, found)
	return found
}

// TestCorpus opens every public model and runs those that take numbers on random ones. Whether the answers are right is
// checked against Python by scripts/parity_*.py.
func TestCorpus(t *testing.T) {
	ran := 0
	for _, path := range corpusModels(t) {
		t.Run(path, func(t *testing.T) {
			info, err := cambium.Inspect(path)
			for _, noModel := range []error{keras.ErrWeightsOnly, keras.ErrFormat, keras.ErrCustomObject, graph.ErrNotFrozen} {
				if errors.Is(err, noModel) {
					t.Skip(err) // weights or data in an .h5 file, Python code in a model, the graph of a training program
				}
			}
			require.NoError(t, err)
			require.NotEmpty(t, info.MetaGraphs)
			needTensorFlow(t)
			model, err := cambium.Load(path, &cambium.Options{Tags: info.MetaGraphs[0].Tags})
			require.NoError(t, err)
			defer func() { require.NoError(t, model.Close()) }()
			for _, sig := range model.Signatures() {
				inputs, err := inference.Random(sig, 2, 1)
				if err != nil {
					t.Log(err)
					continue
				}
				if _, err := model.CallSignature(t.Context(), sig.Name, inputs); err != nil {
					t.Logf("%s: %v", sig.Name, err) // random numbers need not be valid indices, say
					continue
				}
				ran++
			}
		})
	}
	if !t.Failed() {
		t.Logf("%d signatures ran", ran)
	}
}
