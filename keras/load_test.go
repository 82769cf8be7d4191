package keras_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
)

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// zipped makes an archive; deflated compresses its members.
func zipped(t testing.TB, method uint16, members map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, data := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return buf.Bytes()
}

// members unpacks an archive.
func members(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		var buf bytes.Buffer
		_, err = buf.ReadFrom(r)
		require.NoError(t, err)
		out[f.Name] = buf.Bytes()
	}
	return out
}

func archive(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/models/sequential-mlp-keras-keras.keras")
	require.NoError(t, err)
	return data
}

// TestArchives reads a .keras archive in every way in which one may be packed.
func TestArchives(t *testing.T) {
	data := archive(t)
	want, err := keras.Read(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	parts := members(t, data)
	dir := t.TempDir()
	for name, content := range parts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	for name, path := range map[string]string{
		"deflated":                write(t, "deflated", zipped(t, zip.Deflate, parts)),
		"zipped once more":        write(t, "twice.zip", zipped(t, zip.Store, map[string][]byte{"folder/m.keras": data})),
		"zipped and deflated":     write(t, "twice.zip", zipped(t, zip.Deflate, map[string][]byte{"m.keras": data})),
		"unpacked into a folder":  dir,
		"under a misleading name": write(t, "model.h5", data),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := keras.Load(path)
			require.NoError(t, err)
			requireSameModel(t, want, got)
		})
	}
}

// TestBadFiles must be refused.
func TestBadFiles(t *testing.T) {
	parts := members(t, archive(t))
	without := func(name string) []byte {
		kept := map[string][]byte{}
		for n, d := range parts {
			if n != name {
				kept[n] = d
			}
		}
		return zipped(t, zip.Store, kept)
	}
	with := func(name string, data []byte) []byte {
		kept := map[string][]byte{name: data}
		for n, d := range parts {
			if n != name {
				kept[n] = d
			}
		}
		return zipped(t, zip.Deflate, kept)
	}
	bomb := with("model.weights.h5", make([]byte, 64<<20))
	lie := zipped(t, zip.Store, parts)
	at := bytes.LastIndex(lie, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lie[at+20:], 1<<31) // sizes in the central directory
	binary.LittleEndian.PutUint32(lie[at+24:], 1<<31)
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":                       {nil, keras.ErrFormat},
		"a text":                      {[]byte("hello, world"), keras.ErrFormat},
		"half a ZIP":                  {archive(t)[:500], keras.ErrFormat},
		"no configuration":            {without("config.json"), keras.ErrFormat},
		"no weights":                  {without("model.weights.h5"), keras.ErrFormat},
		"a bomb":                      {bomb, keras.ErrFormat},
		"sizes beyond the file":       {lie, keras.ErrFormat},
		"a configuration of nothing":  {with("config.json", []byte("{}")), keras.ErrFormat},
		"an archive in itself, twice": {zipped(t, zip.Store, map[string][]byte{"a.keras": zipped(t, zip.Store, map[string][]byte{"b.keras": archive(t)})}), keras.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := keras.Load(write(t, "m.keras", c.data))
			require.ErrorIs(t, err, c.want)
		})
	}
	_, err := keras.Load(filepath.Join(t.TempDir(), "missing.keras"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Each bit of an archive's weights is covered by its checksum, as in Python.
func TestAWrongBitInAWeight(t *testing.T) {
	path := "testdata/models/sequential-mlp-keras-keras.keras"
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	m, err := keras.Load(path)
	require.NoError(t, err)
	first := m.Weights()[0].Bytes()
	at := bytes.Index(data, first)
	require.Positive(t, at, "it is stored as it is")
	data[at+len(first)/2] ^= 1
	_, err = keras.Read(bytes.NewReader(data), int64(len(data)))
	require.ErrorIs(t, err, keras.ErrFormat)
	require.ErrorContains(t, err, "model.weights.h5")
}

// TestDamagedFiles truncates and flips: an error or a model, never a panic. An archive has checksums: what is read is right.
func TestDamagedFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"sequential-mlp-keras-keras.keras", "sequential-mlp-tf_keras-h5.h5", "model-nested-keras-h5.h5", "nested-ends-keras-keras.keras", "quantized-int8-keras-h5.h5"} {
		data, err := os.ReadFile(filepath.Join("testdata/models", name))
		require.NoError(t, err)
		whole, err := keras.Read(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		for range 1000 {
			cut := data[:rng.IntN(len(data))]
			_, err := keras.Read(bytes.NewReader(cut), int64(len(cut)))
			require.Error(t, err)
			flipped := bytes.Clone(data)
			flipped[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
			m, err := keras.Read(bytes.NewReader(flipped), int64(len(flipped)))
			if err != nil {
				continue
			}
			_, _ = m.Graph()
			if filepath.Ext(name) == ".keras" {
				requireSameModel(t, whole, m)
			}
		}
	}
}
