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
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
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
			for _, noModel := range []error{keras.ErrWeightsOnly, graph.ErrNotFrozen} {
				if errors.Is(err, noModel) {
					t.Skip(err) // weights in an .h5 file, the graph of a training program
				}
			}
			if errors.Is(err, keras.ErrFormat) && strings.Contains(err.Error(), "without a Keras model") {
				t.Skip(err) // data in an .h5 file
			}
			require.NoError(t, err)
			if info.Unsupported != "" { // Python code in a model
				_, err := cambium.Load(path, nil)
				require.ErrorIs(t, err, keras.ErrCustomObject)
				t.Skip(err)
			}
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
	if tfbridge.Available {
		require.NotZero(t, ran)
	}
}

// TestEnginesAgree runs every public Keras model that the native engine takes on both engines.
func TestEnginesAgree(t *testing.T) {
	needTensorFlow(t)
	compared := 0
	for _, root := range []string{os.Getenv("CAMBIUM_CORPUS"), os.Getenv("CAMBIUM_DATA")} {
		if root == "" {
			t.Skip("CAMBIUM_CORPUS and CAMBIUM_DATA name no folders of public models")
		}
		require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if ext := filepath.Ext(path); err != nil || ext != ".h5" && ext != ".keras" {
				return err
			}
			native, err := cambium.Load(path, &cambium.Options{Engine: cambium.Native})
			if err != nil { // an error of TestCorpus, or a layer that the native engine does not have
				return nil
			}
			defer native.Close()
			compared++
			t.Run(path, func(t *testing.T) {
				other, err := cambium.Load(path, &cambium.Options{Engine: cambium.TensorFlow})
				require.NoError(t, err)
				defer other.Close()
				inputs, err := inference.Random(native.Signatures()[0], 3, 1)
				require.NoError(t, err)
				want, err := other.Call(t.Context(), inputs)
				require.NoError(t, err)
				got, err := native.Call(t.Context(), inputs)
				require.NoError(t, err)
				require.Len(t, got, len(want))
				rtol, atol := 1e-4, 1e-5
				switch name := filepath.Base(path); { // the native engine computes in float32 all the same
				case strings.Contains(name, "bfloat16"):
					rtol, atol = 3e-2, 3e-3
				case strings.Contains(name, "float16"):
					rtol, atol = 4e-3, 4e-4
				}
				for name := range want {
					require.NoError(t, tensor.AllClose(got[name], want[name], rtol, atol), name)
				}
			})
			return nil
		}))
	}
	require.NotZero(t, compared)
	t.Logf("%d models run on both engines", compared)
}
