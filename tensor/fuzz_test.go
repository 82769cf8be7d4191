package tensor_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// addFiles adds the recorded files that match as seeds.
func addFiles(f *testing.F, pattern string) {
	paths, err := filepath.Glob(filepath.Join(recorded, pattern))
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
}

func FuzzReadNPY(f *testing.F) {
	addFiles(f, "*.npy")
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := tensor.ReadNPY(bytes.NewReader(data))
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(x.Bytes()), len(data))
		var b bytes.Buffer
		require.NoError(t, tensor.WriteNPY(&b, x))
		again, err := tensor.ReadNPY(&b)
		require.NoError(t, err)
		require.True(t, again.Equal(x))
	})
}

func FuzzReadNPZ(f *testing.F) {
	addFiles(f, "*.npz")
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := tensor.ReadNPZ(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, a := range list {
			require.NotNil(t, a.Tensor)
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	for _, x := range oneOfEach() {
		var b bytes.Buffer
		require.NoError(f, tensor.WriteJSON(&b, x))
		f.Add(b.Bytes(), uint8(x.DType()))
		f.Add(b.Bytes(), uint8(tensor.Invalid))
	}
	f.Fuzz(func(t *testing.T, data []byte, d uint8) {
		x, err := tensor.ReadJSON(bytes.NewReader(data), tensor.DType(d))
		if err != nil {
			return
		}
		require.LessOrEqual(t, x.Len(), len(data))
		var b bytes.Buffer
		require.NoError(t, tensor.WriteJSON(&b, x))
		again, err := tensor.ReadJSON(&b, x.DType())
		require.NoError(t, err)
		require.NoError(t, tensor.AllClose(again, x, 0, 0))
	})
}

func FuzzReadCSV(f *testing.F) {
	for _, x := range oneOfEach() {
		var b bytes.Buffer
		require.NoError(f, tensor.WriteCSV(&b, x))
		f.Add(b.Bytes(), uint8(x.DType()))
	}
	f.Add([]byte("a,\"b, c\"\r\n1,2\r\n"), uint8(tensor.Invalid))
	f.Fuzz(func(t *testing.T, data []byte, d uint8) {
		x, header, err := tensor.ReadCSV(bytes.NewReader(data), tensor.DType(d))
		if err != nil {
			return
		}
		require.Equal(t, 2, x.Rank())
		var b bytes.Buffer
		require.NoError(t, tensor.WriteCSV(&b, x, header...))
	})
}
