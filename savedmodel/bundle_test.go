package savedmodel

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// recorded is one tensor of testdata/bundle/expected.json, as scripts/record_bundles.py had it from TensorFlow.
type recorded struct {
	DType string          `json:"dtype"`
	Shape []int           `json:"shape"`
	Data  json.RawMessage `json:"data"`
}

func (r recorded) tensor(t *testing.T) *tensor.Tensor {
	t.Helper()
	d, err := tensor.ParseDType(r.DType)
	require.NoError(t, err)
	shape := append(make([]int, 0, len(r.Shape)), r.Shape...)
	if d == tensor.String {
		var coded []string
		require.NoError(t, json.Unmarshal(r.Data, &coded))
		for i, s := range coded {
			b, err := hex.DecodeString(s)
			require.NoError(t, err)
			coded[i] = string(b)
		}
		v, err := tensor.Of(coded, shape...)
		require.NoError(t, err)
		return v
	}
	var coded string
	require.NoError(t, json.Unmarshal(r.Data, &coded))
	b, err := hex.DecodeString(coded)
	require.NoError(t, err)
	v, err := tensor.FromBytes(d, b, shape...)
	require.NoError(t, err)
	return v
}

func expectedBundles(t *testing.T) map[string]map[string]*tensor.Tensor {
	t.Helper()
	data, err := os.ReadFile("testdata/bundle/expected.json")
	require.NoError(t, err)
	var file map[string]map[string]recorded
	require.NoError(t, json.Unmarshal(data, &file))
	r := map[string]map[string]*tensor.Tensor{}
	for bundle, tensors := range file {
		r[bundle] = map[string]*tensor.Tensor{}
		for key, v := range tensors {
			r[bundle][key] = v.tensor(t)
		}
	}
	return r
}

func TestBundleEqualsTensorFlow(t *testing.T) {
	for name, tensors := range expectedBundles(t) {
		t.Run(name, func(t *testing.T) {
			b, err := OpenBundle(filepath.Join("testdata", "bundle", name))
			require.NoError(t, err)
			require.ElementsMatch(t, slices.Sorted(maps.Keys(tensors)), b.Keys())
			for key, want := range tensors {
				got, err := b.Read(key)
				require.NoError(t, err)
				require.True(t, want.Equal(got), "%s: want %v, have %v", key, want, got)
				e, err := b.Entry(key)
				require.NoError(t, err)
				require.Equal(t, want.DType(), e.DType)
				require.Equal(t, want.Shape(), e.Shape)
			}
		})
	}
}

func TestReadSlice(t *testing.T) {
	b, err := OpenBundle("testdata/bundle/sliced")
	require.NoError(t, err)
	rows := expectedBundles(t)["sliced"]["rows"]
	for spec, want := range map[string][2]int{
		"":                {0, 20},
		"20 10 0,7:-":     {0, 7},
		"20 10 7,13:-":    {7, 20},
		"20 10 5,4:-":     {5, 9}, // not one that was saved: cut from the whole
		"20 10 5,4:0,10":  {5, 9},
		"20 10 20,0:0,10": {20, 20},
	} {
		got, err := b.ReadSlice("rows", spec)
		require.NoError(t, err, spec)
		part, err := rows.Rows(want[0], want[1])
		require.NoError(t, err)
		require.True(t, part.Equal(got), spec)
	}
	column, err := b.ReadSlice("rows", "20 10 -:3,1")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{20, 1}, column.Shape())
	v, err := tensor.Data[float32](column)
	require.NoError(t, err)
	require.Equal(t, []float32{3, 13, 23, 33}, v[:4])

	for _, spec := range []string{"20 10 0,21:-", "20 10 -1,2:-", "20 10 0,2", "20 10", "x", "20 11 0,2:-", "20 10 0,9223372036854775807:-"} {
		_, err := b.ReadSlice("rows", spec)
		require.ErrorIs(t, err, ErrMalformed, spec)
	}
}

func TestBundleErrors(t *testing.T) {
	_, err := OpenBundle("testdata/bundle/none")
	require.ErrorIs(t, err, os.ErrNotExist)
	b, err := OpenBundle("testdata/bundle/sliced")
	require.NoError(t, err)
	_, err = b.Read("nothing")
	require.ErrorIs(t, err, ErrNoKey)
	_, err = b.Read(Slice{{Length: 7}, {Full: true}}.key("rows"))
	require.ErrorIs(t, err, ErrNoKey, "the key of a slice is no name")

	dir := t.TempDir()
	for _, f := range []string{"one.index", "one.data-00000-of-00001"} {
		data, err := os.ReadFile(filepath.Join("testdata/bundle", f))
		require.NoError(t, err)
		if strings.Contains(f, "data") {
			data[len(data)/2] ^= 1
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), data, 0o600))
	}
	b, err = OpenBundle(filepath.Join(dir, "one"))
	require.NoError(t, err)
	failed := 0
	for _, key := range b.Keys() {
		if _, err := b.Read(key); err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			failed++
		}
	}
	require.Equal(t, 1, failed, "one bit of one tensor is wrong")

	require.NoError(t, os.Truncate(filepath.Join(dir, "one.data-00000-of-00001"), 10))
	_, err = b.Read("v/strings")
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "truncated")
	require.NoError(t, os.Remove(filepath.Join(dir, "one.data-00000-of-00001")))
	_, err = b.Read("v/strings")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWriteBundle(t *testing.T) {
	one := expectedBundles(t)["one"]
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		prefix := filepath.Join(t.TempDir(), "model")
		require.NoError(t, writeBundle(prefix, one, order))
		b, err := OpenBundle(prefix)
		require.NoError(t, err)
		require.Equal(t, slices.Sorted(maps.Keys(one)), b.Keys())
		for key, want := range one {
			got, err := b.Read(key)
			require.NoError(t, err)
			require.True(t, want.Equal(got), "%v %s", order, key)
		}
	}
}

// The data file is the one that TensorFlow writes, byte by byte; the index's blocks may be cut elsewhere.
func TestWriteBundleEqualsTensorFlow(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "one")
	require.NoError(t, WriteBundle(prefix, expectedBundles(t)["one"]))
	want, err := os.ReadFile("testdata/bundle/one.data-00000-of-00001")
	require.NoError(t, err)
	got, err := os.ReadFile(prefix + ".data-00000-of-00001")
	require.NoError(t, err)
	require.Equal(t, hex.Dump(want), hex.Dump(got))
	a, err := OpenBundle("testdata/bundle/one")
	require.NoError(t, err)
	b, err := OpenBundle(prefix)
	require.NoError(t, err)
	for key, e := range a.entries {
		require.Equal(t, e.String(), b.entries[key].String())
	}
}

func TestWriteBundleErrors(t *testing.T) {
	require.ErrorIs(t, WriteBundle(filepath.Join(t.TempDir(), "m"), map[string]*tensor.Tensor{"": tensor.Scalar(float32(1))}), ErrMalformed)
	require.ErrorIs(t, WriteBundle(filepath.Join(t.TempDir(), "m"), map[string]*tensor.Tensor{"\x00a": tensor.Scalar(float32(1))}), ErrMalformed)
	require.Error(t, WriteBundle(filepath.Join(t.TempDir(), "no", "such", "m"), nil))
}

// Tables of many blocks, with keys of every length.
func TestTable(t *testing.T) {
	for _, count := range []int{0, 1, 15, 16, 17, 5000} {
		w := tableWriter{}
		var want []tableEntry
		for i := range count {
			key := strings.Repeat("k", i%40) + string(rune('a'+i%26))
			want = append(want, tableEntry{key: string(binary.BigEndian.AppendUint32(nil, uint32(i))) + key, value: []byte(strings.Repeat("v", i%200))})
			w.add(want[i].key, want[i].value)
		}
		got, err := readTable(w.finish())
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i].key, got[i].key)
			require.Equal(t, string(want[i].value), string(got[i].value))
		}
	}
}
