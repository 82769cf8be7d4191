package keras_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
)

// TestMutatedConfigurations puts odd values in every place of real configurations: an error or a model, never a panic.
func TestMutatedConfigurations(t *testing.T) {
	odd := []any{nil, -1.0, 0.0, 1.0, 2.0, 3.5, 1e18, "", "x", "same", true, []any{}, []any{1.0}, []any{-3.0, 2.0, 1.0, 4.0}, []any{nil, 2.0},
		[]any{[]any{"input", 0.0, 0.0}}, map[string]any{}, map[string]any{"class_name": "Dense", "config": map[string]any{"units": 2.0}}}
	rng := rand.New(rand.NewPCG(7, 7))
	files := recordedFiles(t)
	if dir := os.Getenv("CAMBIUM_PARITY"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*", "*.keras"))
		require.NoError(t, err)
		files = append(files, more...)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		if !bytes.HasPrefix(data, []byte("PK")) {
			continue
		}
		config := members(t, data)["config.json"]
		var places int
		var doc any
		require.NoError(t, json.Unmarshal(config, &doc))
		visit(doc, func(any) (any, bool) { places++; return nil, false })
		tries := 3 * places
		if testing.Short() {
			tries = places/20 + 1
		}
		for range tries {
			var changed any
			require.NoError(t, json.Unmarshal(config, &changed))
			target := rng.IntN(places)
			value := odd[rng.IntN(len(odd))]
			changed = visit(changed, func(any) (any, bool) { target--; return value, target == -1 })
			text, err := json.Marshal(changed)
			require.NoError(t, err)
			require.NotPanics(t, func() {
				if m, err := keras.FromConfig(text); err == nil {
					_ = m.Summary()
				}
			}, "%s: %s", path, text)
		}
	}
}

// visit walks a JSON value and replaces what replace says.
func visit(v any, replace func(any) (any, bool)) any {
	if x, ok := replace(v); ok {
		return x
	}
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			v[k] = visit(v[k], replace)
		}
	case []any:
		for i := range v {
			v[i] = visit(v[i], replace)
		}
	}
	return v
}
