package keras_test

import (
	"archive/zip"
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
)

// FuzzConfig reads arbitrary configurations; what is accepted must give a graph or an error.
func FuzzConfig(f *testing.F) {
	for _, path := range recordedFiles(f) {
		if data, err := os.ReadFile(path); err == nil && bytes.HasPrefix(data, []byte("PK")) {
			f.Add(members(f, data)["config.json"])
		}
	}
	f.Add([]byte(`{"class_name": "Sequential", "config": [{"class_name": "Convolution2D", "config": {"name": "c", "batch_input_shape": [null, 3, 8, 8], "nb_filter": 4, "nb_row": 3, "nb_col": 2, "dim_ordering": "th"}}]}`))
	f.Add([]byte(`{"class_name": "Functional", "config": {"name": "f", "layers": [{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4], "name": "i"}, "name": "i", "inbound_nodes": []}], "input_layers": {"x": ["i", 0, 0]}, "output_layers": ["i", 0, 0]}}`))
	f.Fuzz(func(_ *testing.T, config []byte) {
		m, err := keras.FromConfig(config)
		if err != nil {
			return
		}
		_ = m.Summary()
		_, _ = m.Graph()
	})
}

// FuzzLoad reads arbitrary files.
func FuzzLoad(f *testing.F) {
	for _, path := range recordedFiles(f) {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		if len(data) < 20000 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := keras.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		_, err = m.Graph()
		require.NoError(t, err, "a model that loads has all its weights")
	})
}

// FuzzArchive reads .keras archives of arbitrary texts beside sound weights, past the archive's checksums.
func FuzzArchive(f *testing.F) {
	whole := members(f, archive(f))
	f.Add(whole["config.json"], whole["metadata.json"])
	f.Add(bytes.Replace(whole["config.json"], []byte(`"units"`), []byte(`"unit"`), 1), []byte(`{"keras_version": "2.9"}`))
	f.Add([]byte("{}"), []byte("[]"))
	f.Fuzz(func(t *testing.T, config, metadata []byte) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, text := range map[string][]byte{"config.json": config, "metadata.json": metadata, "model.weights.h5": whole["model.weights.h5"]} {
			w, err := z.Create(name)
			require.NoError(t, err)
			_, err = w.Write(text)
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		m, err := keras.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err == nil {
			_, err = m.Graph()
			require.NoError(t, err, "a model that loads has all its weights")
		}
	})
}
