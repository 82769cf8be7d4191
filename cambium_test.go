package cambium_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// recorded is what scripts/export_models.py wrote of a model: its signatures as TensorFlow reports them, and calls in the
// order in which they were made.
type recorded struct {
	MetaGraphs []cambium.MetaGraphInfo `json:"meta_graphs"`
	Calls      []struct {
		Signature string                    `json:"signature"`
		Inputs    map[string]*tensor.Tensor `json:"inputs"`
		Outputs   map[string]*tensor.Tensor `json:"outputs"`
	} `json:"calls"`
}

// eachModel runs a test on every model of scripts/testdata/models.
func eachModel(t *testing.T, test func(t *testing.T, path string, want recorded)) {
	t.Helper()
	files, err := filepath.Glob("scripts/testdata/models/*/expected.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var want recorded
			require.NoError(t, json.Unmarshal(text, &want))
			test(t, filepath.Join(dir, "saved_model"), want)
		})
	}
}

func needTensorFlow(t *testing.T) {
	t.Helper()
	if !tfbridge.Available {
		t.Skip("this build has no TensorFlow (CGO_ENABLED=0)")
	}
}

func TestInspectReportsWhatTensorFlowReports(t *testing.T) {
	eachModel(t, func(t *testing.T, path string, want recorded) {
		info, err := cambium.Inspect(path)
		require.NoError(t, err)
		require.Equal(t, cambium.SavedModel, info.Format)
		for _, s := range info.MetaGraphs[0].Signatures {
			for i := range s.Inputs {
				s.Inputs[i].Optional = false // TensorFlow does not report it
			}
		}
		require.Equal(t, want.MetaGraphs, info.MetaGraphs)
	})
}

func TestCallsGiveWhatTensorFlowGives(t *testing.T) {
	needTensorFlow(t)
	eachModel(t, func(t *testing.T, path string, want recorded) {
		model, err := cambium.Load(path, nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, model.Close()) }()
		require.NotEmpty(t, want.Calls)
		for _, call := range want.Calls {
			got, err := model.CallSignature(t.Context(), call.Signature, call.Inputs)
			require.NoError(t, err, call.Signature)
			require.Len(t, got, len(call.Outputs))
			for name, value := range call.Outputs {
				require.NoError(t, tensor.AllClose(got[name], value, 1e-5, 1e-6), "%s: %s", call.Signature, name)
			}
		}
	})
}
