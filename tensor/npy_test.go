package tensor_test

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

const recorded = "../scripts/testdata/tensors" // by scripts/record_tensors.py

// expectedArrays returns what NumPy says that the recorded files hold; keys are FILE.npy or FILE.npz:NAME.
func expectedArrays(t testing.TB) map[string]*tensor.Tensor {
	data, err := os.ReadFile(filepath.Join(recorded, "expected.json"))
	require.NoError(t, err)
	var rows map[string]struct {
		DType, Bytes string
		Shape        []int
		Strings      []string
	}
	require.NoError(t, json.Unmarshal(data, &rows))
	arrays := map[string]*tensor.Tensor{}
	for name, row := range rows {
		if row.DType == "object" {
			arrays[name] = tensor.Must(tensor.Of(latin1ToBytes(row.Strings, strings.HasPrefix(name, "bytes")), row.Shape...))
			continue
		}
		d, err := tensor.ParseDType(row.DType)
		require.NoError(t, err)
		data, err := hex.DecodeString(row.Bytes)
		require.NoError(t, err)
		arrays[name] = tensor.Must(tensor.FromBytes(d, data, row.Shape...))
	}
	return arrays
}

// latin1ToBytes undoes the script's decoding of byte strings.
func latin1ToBytes(list []string, isBytes bool) []string {
	if !isBytes {
		return list
	}
	var out []string
	for _, s := range list {
		var b []byte
		for _, r := range s {
			b = append(b, byte(r))
		}
		out = append(out, string(b))
	}
	return out
}

func TestReadNPYOfNumPy(t *testing.T) {
	arrays := expectedArrays(t)
	require.Greater(t, len(arrays), 35)
	for name, want := range arrays {
		if filepath.Ext(name) != ".npy" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(recorded, name))
		require.NoError(t, err)
		file, err := os.Open(filepath.Join(recorded, name))
		require.NoError(t, err)
		t.Cleanup(func() { file.Close() })
		for way, r := range map[string]io.Reader{"memory": bytes.NewReader(data), "file": file, "stream": iotest.OneByteReader(bytes.NewReader(data))} {
			got, err := tensor.ReadNPY(r)
			require.NoError(t, err, "%s from %s", name, way)
			require.True(t, got.Equal(want), "%s from %s: %v, want %v", name, way, got, want)
		}
	}
}

// TestWriteNPYLikeNumPy writes what was read: the same bytes as NumPy's.
func TestWriteNPYLikeNumPy(t *testing.T) {
	for name, x := range expectedArrays(t) {
		if filepath.Ext(name) != ".npy" {
			continue
		}
		var b bytes.Buffer
		require.NoError(t, tensor.WriteNPY(&b, x))
		if !strings.Contains(name, "_") && !strings.HasPrefix(name, "version") && name != "unicode.npy" {
			want, err := os.ReadFile(filepath.Join(recorded, name))
			require.NoError(t, err)
			require.Equal(t, want, b.Bytes(), name)
		}
		again, err := tensor.ReadNPY(&b)
		require.NoError(t, err)
		require.True(t, again.Equal(x), name)
	}
}

// npy returns a version 1.0 file with the given dictionary and elements.
func npy(dict string, data ...byte) string {
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(dict)), byte(len(dict) >> 8)}) + dict + string(data)
}

func TestReadNPYVariants(t *testing.T) {
	tests := []struct{ name, file string }{
		{"double quotes, no blanks", npy(`{"descr":"<i2","fortran_order":False,"shape":(2,)}`, 1, 0, 2, 0)},
		{"Python 2", npy("{'shape': (2L,), 'descr': '<i2', 'fortran_order': False, }\n", 1, 0, 2, 0)},
		{"tuple without a comma", npy("{'shape': (2), 'descr': '<i2', 'fortran_order': True, }\n", 1, 0, 2, 0)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := tensor.ReadNPY(strings.NewReader(test.file))
			require.NoError(t, err)
			require.True(t, got.Equal(tensor.Must(tensor.Of([]int16{1, 2}))))
		})
	}
}

func TestReadNPYRefuses(t *testing.T) {
	recordedFile := func(name string) string {
		data, err := os.ReadFile(filepath.Join(recorded, name))
		require.NoError(t, err)
		return string(data)
	}
	good := recordedFile("float32.npy")
	dict := func(descr, shape string) string {
		return fmt.Sprintf("{'descr': %s, 'fortran_order': False, 'shape': %s, }", descr, shape)
	}
	tests := []struct {
		name, file string
		is         error
		says       string
	}{
		{"empty", "", tensor.ErrFormat, "ends early"},
		{"another file", "PK\x03\x04 and so on", tensor.ErrFormat, "not a .npy file"},
		{"version", "\x93NUMPY\x04\x00\x10\x00", tensor.ErrFormat, "version 4.0"},
		{"header cut", good[:30], tensor.ErrFormat, "ends early"},
		{"elements cut", good[:len(good)-1], tensor.ErrFormat, "float32"[:0] + "takes 24 × 4 bytes: the file ends after 95"},
		{"pickled", recordedFile("pickled.npy"), tensor.ErrDType, "pickled Python objects"},
		{"structured", recordedFile("structured.npy"), tensor.ErrDType, "structured .npy array (descr [('x', '<f4'), ('y', '<i4')]"},
		{"long double", npy(dict("'<f16'", "(1,)")), tensor.ErrDType, "'<f16'"[1:5]},
		{"dates", npy(dict("'<M8[ns]'", "(1,)")), tensor.ErrDType, "M8"},
		{"empty strings without bytes", npy(dict("'|S0'", "(1000000000,)")), tensor.ErrDType, "|S0"},
		{"huge strings", npy(dict("'|S99999999999'", "(1,)")), tensor.ErrDType, "S99999999999"},
		{"a huge array", npy(dict("'<f4'", "(1000000, 1000000)"), 1, 2), tensor.ErrFormat, "the file ends after 2"},
		{"an impossible array", npy(dict("'<f4'", "(10000000000, 10000000000)")), tensor.ErrFormat, "more elements than an int"},
		{"more bytes than an int", npy(dict("'|S100000000'", "(100000000000,)")), tensor.ErrFormat, "more than any file holds"},
		{"negative", npy(dict("'<f4'", "(-1,)")), tensor.ErrFormat, "no dimension"},
		{"a dimension that overflows", npy(dict("'<f4'", "(99999999999999999999,)")), tensor.ErrFormat, "no dimension"},
		{"no shape", npy("{'descr': '<f4', 'fortran_order': False}"), tensor.ErrFormat, "needs descr, fortran_order and shape"},
		{"twice", npy("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': ()}"), tensor.ErrFormat, "twice"},
		{"unknown key", npy("{'descr': '<f4', 'x': 3}"), tensor.ErrFormat, "unknown key"},
		{"more behind", npy(dict("'<f4'", "()") + "x"), tensor.ErrFormat, "nothing behind"},
		{"not a dictionary", npy("import os"), tensor.ErrFormat, "no '{'"},
		{"order is not a bool", npy("{'fortran_order': 1, 'descr': '<f4', 'shape': ()}"), tensor.ErrFormat, "neither True nor False"},
		{"open string", npy("{'descr"), tensor.ErrFormat, "without an end"},
		{"no string", npy("{descr"), tensor.ErrFormat, "no string"},
		{"commas", npy("{'descr': '<f4' 'fortran_order': False, 'shape': ()}"), tensor.ErrFormat, "comma"},
		{"commas in a tuple", npy(dict("'<f4'", "(1 2)")), tensor.ErrFormat, "comma"},
		{"a bool of 2", npy(dict("'|b1'", "(2,)"), 1, 2), tensor.ErrFormat, "element 1 of a bool is 2"},
		{"no Unicode", npy(dict("'<U1'", "()"), 0, 0, 0x11, 0), tensor.ErrFormat, "no Unicode character"},
		{"a long header", "\x93NUMPY\x02\x00\xff\xff\xff\x7f", tensor.ErrFormat, "at most 65536"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := tensor.ReadNPY(strings.NewReader(test.file))
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
	failure := errors.New("cable pulled")
	_, err := tensor.ReadNPY(io.MultiReader(strings.NewReader(good[:140]), iotest.ErrReader(failure)))
	require.ErrorIs(t, err, failure)
}

// TestLyingHeaderTakesNoMemory promises 4 TB.
func TestLyingHeaderTakesNoMemory(t *testing.T) {
	file := npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }", make([]byte, 1000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := tensor.ReadNPY(strings.NewReader(file))
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, tensor.ErrFormat)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}

func TestWriteNPYRefuses(t *testing.T) {
	require.ErrorIs(t, tensor.WriteNPY(io.Discard, nil), tensor.ErrDType)
	require.ErrorIs(t, tensor.WriteNPY(io.Discard, tensor.Must(tensor.New(tensor.Float8E5M2, 1))), tensor.ErrDType)
	err := tensor.WriteNPY(io.Discard, tensor.Must(tensor.Of([]string{"a", "b\x00"})))
	require.ErrorIs(t, err, tensor.ErrDType)
	require.ErrorContains(t, err, "string [1] ends in a zero byte")
	for limit := range 400 {
		x := tensor.Must(tensor.Of([]float64{1, 2}))
		if limit%2 == 1 {
			x = tensor.Must(tensor.Of([]string{"a", strings.Repeat("b", 30)}))
		}
		var whole bytes.Buffer
		require.NoError(t, tensor.WriteNPY(&whole, x))
		if limit < whole.Len() {
			require.ErrorIs(t, tensor.WriteNPY(&fullDisk{limit}, x), errFull)
		}
	}
}

var errFull = errors.New("no space left on device")

// fullDisk takes so many bytes and no more.
type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.left {
		n := d.left
		d.left = 0
		return n, errFull
	}
	d.left -= len(p)
	return len(p), nil
}

func TestNPZ(t *testing.T) {
	arrays := expectedArrays(t)
	for _, name := range []string{"stored.npz", "deflated.npz"} {
		data, err := os.ReadFile(filepath.Join(recorded, name))
		require.NoError(t, err)
		list, err := tensor.ReadNPZ(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		var keys []string
		for _, a := range list {
			keys = append(keys, a.Name)
			require.True(t, a.Tensor.Equal(arrays[name+":"+a.Name]), "%s of %s", a.Name, name)
		}
		require.Equal(t, []string{"x", "labels", "a name"}, keys)

		for _, compress := range []bool{false, true} {
			var b bytes.Buffer
			require.NoError(t, tensor.WriteNPZ(&b, compress, list...))
			one, err := tensor.ReadNPZ(bytes.NewReader(b.Bytes()), int64(b.Len()), "labels")
			require.NoError(t, err)
			require.Len(t, one, 1)
			require.True(t, one[0].Tensor.Equal(list[1].Tensor))
		}
		_, err = tensor.ReadNPZ(bytes.NewReader(data), int64(len(data)), "x", "y")
		require.ErrorIs(t, err, tensor.ErrFormat)
		require.ErrorContains(t, err, `no array "y"; the others are ["labels" "a name"]`)
	}
}

func TestNPZIsOnlyEverWholeOrAnError(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(recorded, "deflated.npz"))
	require.NoError(t, err)
	for n := range data {
		_, err := tensor.ReadNPZ(bytes.NewReader(data[:n]), int64(n))
		require.ErrorIs(t, err, tensor.ErrFormat, "cut to %d bytes", n)
	}
	arrays := expectedArrays(t)
	for i := range data {
		flipped := bytes.Clone(data)
		flipped[i] ^= 0x10
		list, err := tensor.ReadNPZ(bytes.NewReader(flipped), int64(len(flipped)))
		for _, a := range list {
			if want := arrays["deflated.npz:"+a.Name]; err == nil && want != nil {
				require.True(t, a.Tensor.Equal(want), "byte %d flipped: the checksum must tell", i)
			}
		}
	}
}

func TestNPZRefuses(t *testing.T) {
	var bomb bytes.Buffer
	archive := zip.NewWriter(&bomb)
	_, err := archive.CreateRaw(&zip.FileHeader{Name: "bomb.npy", Method: zip.Deflate, UncompressedSize64: 300 << 20})
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	_, err = tensor.ReadNPZ(bytes.NewReader(bomb.Bytes()), int64(bomb.Len()))
	require.ErrorIs(t, err, tensor.ErrFormat)
	require.ErrorContains(t, err, "more than 100 times its size")

	x := tensor.Scalar(1.0)
	require.ErrorIs(t, tensor.WriteNPZ(io.Discard, false, tensor.Named{Name: "x", Tensor: x}, tensor.Named{Name: "x", Tensor: x}), tensor.ErrFormat)
	require.ErrorIs(t, tensor.WriteNPZ(io.Discard, false, tensor.Named{Tensor: x}), tensor.ErrFormat)
	require.ErrorIs(t, tensor.WriteNPZ(io.Discard, false, tensor.Named{Name: "x"}), tensor.ErrDType)
	require.ErrorIs(t, tensor.WriteNPZ(&fullDisk{100}, false, tensor.Named{Name: "x", Tensor: tensor.Must(tensor.New(tensor.Float32, 1<<20))}), errFull)
	_, err = tensor.ReadNPZ(strings.NewReader("nothing"), 7)
	require.ErrorIs(t, err, tensor.ErrFormat)
}

func TestNaNBitsSurvive(t *testing.T) {
	x := tensor.Must(tensor.Of([]uint64{0x7ff8000000000123, math.Float64bits(math.Inf(-1)), 1 << 63}))
	f := tensor.Must(tensor.FromBytes(tensor.Float64, x.Bytes(), 3))
	var b bytes.Buffer
	require.NoError(t, tensor.WriteNPY(&b, f))
	got, err := tensor.ReadNPY(&b)
	require.NoError(t, err)
	require.True(t, got.Equal(f))
}
