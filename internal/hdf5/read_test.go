package hdf5

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPaths(t *testing.T) {
	f := testFile(t, "links_earliest.h5")
	for _, path := range []string{"/data/values", "data/values", "//data/./values/", "group/alias"} {
		ds, err := f.Dataset(path)
		require.NoError(t, err)
		require.Equal(t, []int{2}, ds.Shape())
	}
	group, err := f.Group("data")
	require.NoError(t, err)
	require.Equal(t, "/data", group.Path())
	require.True(t, group.Has("values"))
	require.False(t, group.Has("nothing"))
	ds, err := group.Dataset("values")
	require.NoError(t, err)
	require.Equal(t, "/data/values", ds.Path())
	same, err := f.Group("/")
	require.NoError(t, err)
	require.Same(t, f.Root(), same)
	named, err := f.Object("named type")
	require.NoError(t, err)
	require.Equal(t, "float32", named.(*NamedDatatype).Datatype().String())
}

func TestPathErrors(t *testing.T) {
	f := testFile(t, "links_latest.h5")
	tests := map[string]struct {
		path string
		open func(string) error
		says string
	}{
		"missing":             {"data/nothing", func(p string) error { _, err := f.Dataset(p); return err }, `no "nothing" in group /data`},
		"missing group":       {"no/values", func(p string) error { _, err := f.Dataset(p); return err }, `no "no" in group /`},
		"below a dataset":     {"data/values/x", func(p string) error { _, err := f.Dataset(p); return err }, `/data/values is not a group`},
		"group as dataset":    {"data", func(p string) error { _, err := f.Dataset(p); return err }, "/data is not a dataset"},
		"dataset as group":    {"data/values", func(p string) error { _, err := f.Group(p); return err }, "/data/values is not a group"},
		"datatype as dataset": {"named type", func(p string) error { _, err := f.Dataset(p); return err }, "/named type is not a dataset"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.open(test.path)
			require.ErrorIs(t, err, ErrNotFound)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestWhatIsNotRead(t *testing.T) {
	f := testFile(t, "unsupported.h5")
	tests := map[string]string{
		"soft":        `/soft: hdf5: unsupported feature: soft link to "/values"`,
		"broken":      `/broken: hdf5: unsupported feature: soft link to "/nowhere"`,
		"elsewhere":   `/elsewhere: hdf5: unsupported feature: external link to "other.h5:/values"`,
		"virtual":     "/virtual: hdf5: unsupported feature: virtual dataset",
		"external":    "/external: hdf5: unsupported feature: external storage",
		"scaleoffset": `/scaleoffset: hdf5: unsupported feature: filter 6 "scaleoffset"`,
	}
	for name, says := range tests {
		_, err := f.Object(name)
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, says)
	}
	_, err := f.Dataset("values") // what is beside them is read
	require.NoError(t, err)
	kinds := map[LinkKind]int{}
	for _, l := range f.Root().Links() {
		kinds[l.Kind]++
	}
	require.Equal(t, map[LinkKind]int{HardLink: 4, SoftLink: 2, ExternalLink: 1}, kinds)
	require.ErrorIs(t, f.Walk(func(Object) error { return nil }), ErrUnsupported)
}

func TestCycle(t *testing.T) {
	f := testFile(t, "cycle.h5")
	_, err := f.Dataset("a/b/up/b/up/b/values") // a path is finite
	require.NoError(t, err)
	err = f.Walk(func(Object) error { return nil })
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "contains itself")
}

func TestWalkStopsAtTheVisitorsError(t *testing.T) {
	f := testFile(t, "types_earliest.h5")
	visited := 0
	err := f.Walk(func(Object) error {
		visited++
		return io.ErrShortWrite
	})
	require.ErrorIs(t, err, io.ErrShortWrite)
	require.Equal(t, 1, visited)
}

// A group in which every group is linked twice has 2ⁿ paths.
func TestManyPathsToOneGroup(t *testing.T) {
	var l fileLayout
	l.skip(superblockSize)
	o, err := l.placeGroup(NewGroup())
	require.NoError(t, err)
	for range 60 {
		p := l.placeSymbolTable([]string{"a", "b"}, []placedObject{o, o})
		table := message{kind: msgSymbolTable, data: le.AppendUint64(le.AppendUint64(nil, p.tree), p.heap)}
		p.header, err = l.placeHeader(messages{table}, nil)
		require.NoError(t, err)
		o = p
	}
	var out bytes.Buffer
	require.NoError(t, l.write(&out, o))
	f, err := openBytes(out.Bytes())
	require.NoError(t, err)
	require.ErrorIs(t, f.Walk(func(Object) error { return nil }), ErrFormat)
}

func TestDeepGroups(t *testing.T) {
	root := NewGroup()
	g := root
	for range maxDepth + 1 {
		var err error
		g, err = g.CreateGroup("g")
		require.NoError(t, err)
	}
	f, err := openBytes(writeBytes(t, root))
	require.NoError(t, err)
	require.ErrorIs(t, f.Walk(func(Object) error { return nil }), ErrUnsupported)
}

func TestConversions(t *testing.T) {
	f := testFile(t, "types_latest.h5")
	dataset := func(name string) *Dataset {
		ds, err := f.Dataset("types/" + name)
		require.NoError(t, err)
		return ds
	}
	half, err := ReadAll[float32](dataset("special_f2"))
	require.NoError(t, err)
	inf, negativeZero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	require.Equal(t, []float32{0, negativeZero, 0.333251953125, 65504, 5.9604644775390625e-08, 6.002187728881836e-05, inf, -inf}, half[:8])
	require.True(t, math.Signbit(float64(half[1])))
	require.True(t, math.IsNaN(float64(half[8])))

	brain, err := ReadAll[float64](dataset("bfloat16"))
	require.NoError(t, err)
	require.Equal(t, []float64{1, -2, 0.333984375, math.Inf(1)}, brain)

	small, err := ReadAll[int8](dataset("be_i8"))
	require.NoError(t, err)
	require.Equal(t, []int8{-90, -53, -16, 21, 58, 95}, small)

	flags, err := ReadAll[uint8](dataset("bool"))
	require.NoError(t, err)
	require.Equal(t, []uint8{1, 0, 0, 1}, flags)

	wide, err := ReadAll[float64](dataset("i1"))
	require.NoError(t, err)
	require.Equal(t, []float64{-90, -53, -16, 21, 58, 95}, wide)

	narrow, err := ReadAll[float32](dataset("be_f8"))
	require.NoError(t, err)
	require.Equal(t, []float32{-11.25, -6.625, -2, 2.625, 7.25, 11.875}, narrow)

	enum, err := ReadAll[int32](dataset("enum"))
	require.NoError(t, err)
	require.Equal(t, []int32{1, 3}, enum)

	fillValue, err := ReadAll[float32](dataset("unwritten"))
	require.NoError(t, err)
	require.Equal(t, []float32{2.5, 2.5, 2.5}, fillValue)
}

func TestConversionErrors(t *testing.T) {
	f := testFile(t, "types_latest.h5")
	read := func(name string, read func(*Dataset) error) error {
		ds, err := f.Dataset("types/" + name)
		require.NoError(t, err)
		return read(ds)
	}
	asInt8 := func(ds *Dataset) error { _, err := ReadAll[int8](ds); return err }
	asUint64 := func(ds *Dataset) error { _, err := ReadAll[uint64](ds); return err }
	asInt64 := func(ds *Dataset) error { _, err := ReadAll[int64](ds); return err }
	asFloat := func(ds *Dataset) error { _, err := ReadAll[float32](ds); return err }
	asText := func(ds *Dataset) error { _, err := ds.Strings(); return err }
	require.ErrorIs(t, read("extreme_i8", asInt8), ErrType)
	require.ErrorIs(t, read("extreme_i8", asUint64), ErrType)
	require.ErrorIs(t, read("extreme_u8", asInt64), ErrType)
	require.ErrorIs(t, read("le_f4", asInt64), ErrType)
	require.ErrorIs(t, read("strings", asFloat), ErrType)
	require.ErrorIs(t, read("opaque_bfloat16", asFloat), ErrType)
	require.ErrorIs(t, read("compound", asFloat), ErrType)
	require.ErrorIs(t, read("longdouble", asFloat), ErrType)
	require.ErrorIs(t, read("le_f4", asText), ErrType)
	require.ErrorIs(t, read("le_f4", func(ds *Dataset) error { return ds.ReadInto(make([]byte, 5)) }), ErrType)
}

func TestDatatypes(t *testing.T) {
	f := testFile(t, "types_latest.h5")
	tests := map[string]string{
		"compound": "compound", "complex": "compound", "enum": "int16", "array": "array", "sequences": "variable-length sequence",
		"reference": "reference", "longdouble": "float of 16 bytes with 80 bits", "opaque_bfloat16": "opaque[2]", "strings": "string",
		"fixed_strings": "string", "bool": "bool", "bfloat16": "bfloat16", "be_f2": "float16",
	}
	for name, want := range tests {
		ds, err := f.Dataset("types/" + name)
		require.NoError(t, err)
		require.Equal(t, want, ds.Datatype().String(), name)
	}
	ds, err := f.Dataset("types/compound")
	require.NoError(t, err)
	var fields []string
	for _, m := range ds.Datatype().Members {
		fields = append(fields, fmt.Sprintf("%s %s at %d", m.Name, m.Type, m.Offset))
	}
	require.Equal(t, []string{"a int32 at 0", "b float64 at 4", "c string at 12"}, fields)
}

func TestAttributeErrors(t *testing.T) {
	root := NewGroup()
	for name, v := range map[string]any{"n": 300, "f": 1.5, "two": []string{"a", "b"}, "text": "x"} {
		require.NoError(t, root.SetAttr(name, v))
	}
	f, err := openBytes(writeBytes(t, root))
	require.NoError(t, err)
	attr := func(name string) *Attribute {
		a, ok := f.Root().Attr(name)
		require.True(t, ok)
		return a
	}
	_, err = attr("n").Text()
	require.ErrorIs(t, err, ErrType)
	require.ErrorContains(t, err, `attribute "n"`)
	_, err = attr("two").Text()
	require.ErrorIs(t, err, ErrType)
	_, err = AttributeNumbers[int8](attr("n"))
	require.ErrorIs(t, err, ErrType)
	_, err = AttributeNumbers[int8](attr("f"))
	require.ErrorIs(t, err, ErrType)
	_, err = AttributeNumbers[float64](attr("text"))
	require.ErrorIs(t, err, ErrType)
	n, err := AttributeNumbers[int16](attr("n"))
	require.NoError(t, err)
	require.Equal(t, []int16{300}, n)
	_, ok := f.Root().Attr("none")
	require.False(t, ok)
}

func TestOpenErrors(t *testing.T) {
	good := writeBytes(t, NewGroup())
	change := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	tests := map[string]struct {
		data []byte
		want error
		says string
	}{
		"empty":          {nil, ErrFormat, "no HDF5 signature"},
		"text":           {[]byte("hello, this is not an HDF5 file"), ErrFormat, "no HDF5 signature"},
		"only signature": {[]byte(signature), ErrFormat, "superblock ends early"},
		"version":        {change(8, 9), ErrUnsupported, "superblock version 9"},
		"4-byte address": {change(13, 4), ErrUnsupported, "addresses of 4"},
		"truncated":      {good[:len(good)-1], ErrFormat, "truncated"},
		"root address":   {change(64, 1, 2, 3, 4, 5), ErrFormat, "beyond the file's end"},
		"driver":         {change(48, 0, 0, 0, 0, 0, 0, 0, 0), ErrUnsupported, "several files"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := openBytes(test.data)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, err := Open(bytes.NewReader(nil), -1)
	require.ErrorIs(t, err, ErrFormat)
}

func TestOpenFileErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenFile(filepath.Join(dir, "none.h5"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = OpenFile(dir)
	require.ErrorIs(t, err, ErrFormat)
	path := filepath.Join(dir, "bad.h5")
	require.NoError(t, os.WriteFile(path, []byte("no"), 0o600))
	_, err = OpenFile(path)
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, path)
}

// A reader that fails or ends early is an error, not a file of zeros.
func TestReaderErrors(t *testing.T) {
	data := testBytes(t, "chunks_latest.h5")
	for limit := int64(0); limit < int64(len(data)); limit += 499 {
		for _, failure := range []error{io.ErrClosedPipe, io.EOF} {
			f, err := Open(&failingReader{bytes.NewReader(data), limit, failure}, int64(len(data)))
			if err == nil {
				err = readEverything(f)
			}
			require.Error(t, err)
			if !errors.Is(failure, io.EOF) {
				require.ErrorIs(t, err, failure)
			}
		}
	}
}

type failingReader struct {
	io.ReaderAt
	limit int64
	err   error
}

func (r *failingReader) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > r.limit {
		return 0, r.err
	}
	return r.ReaderAt.ReadAt(b, off)
}

func TestConcurrentReads(t *testing.T) {
	f := testFile(t, "types_earliest.h5")
	var wait sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wait.Go(func() {
			for range 20 {
				ds, err := f.Dataset("types/strings")
				if err == nil {
					_, err = ds.Strings()
				}
				if err == nil {
					err = readEverything(f)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}
