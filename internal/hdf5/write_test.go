package hdf5

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What h5py wrote, copied by this package, is what this package reads.
func TestRebuiltFilesAreEqual(t *testing.T) {
	for _, name := range []string{"types_earliest.h5", "types_latest.h5", "attributes_latest.h5", "chunks_latest.h5", "many_links_latest.h5", "many_attributes_latest.h5"} {
		t.Run(name, func(t *testing.T) {
			f := testFile(t, name)
			data := writeBytes(t, rebuild(t, f))
			copied, err := openBytes(data)
			require.NoError(t, err)
			compareFiles(t, f, copied)
			require.Equal(t, data, writeBytes(t, rebuild(t, copied)), "a copy of the copy has other bytes")
		})
	}
}

// compareFiles compares all that can be written of two files.
func compareFiles(t *testing.T, want, got *File) {
	compare := func(o Object) error {
		if ds, ok := o.(*Dataset); ok {
			if _, err := encodeDatatype(ds.Datatype()); err != nil {
				return nil
			}
			other, err := got.Dataset(ds.Path())
			require.NoError(t, err)
			wantArray, err := arrayFrom(ds)
			require.NoError(t, err)
			gotArray, err := arrayFrom(other)
			require.NoError(t, err)
			require.Equal(t, wantArray, gotArray, ds.Path())
		}
		other, err := got.Object(o.Path())
		require.NoError(t, err)
		for _, a := range o.Attrs() {
			b, ok := other.Attr(a.Name())
			require.True(t, ok, "%s@%s", o.Path(), a.Name())
			wantValue, err := a.Value()
			require.NoError(t, err)
			gotValue, err := b.Value()
			require.NoError(t, err)
			require.Equal(t, wantValue, gotValue, "%s@%s", o.Path(), a.Name())
			require.Equal(t, a.Shape(), b.Shape())
			require.Equal(t, a.Datatype().String(), b.Datatype().String())
		}
		return nil
	}
	require.NoError(t, compare(want.Root()))
	require.NoError(t, want.Walk(compare))
}

func TestAttributeRoundTrip(t *testing.T) {
	tests := map[string]struct{ in, want any }{
		"string":       {"héllo", "héllo"},
		"empty string": {"", ""},
		"long string":  {strings.Repeat("x", 200000), strings.Repeat("x", 200000)},
		"strings":      {[]string{"a", "", "ccc"}, []string{"a", "", "ccc"}},
		"no strings":   {[]string{}, []string{}},
		"fixed":        {FixedText([]int{2}, []string{"dense", "d"}), []string{"dense", "d"}},
		"fixed scalar": {FixedText(nil, []string{"tensorflow"}), "tensorflow"},
		"bool":         {true, true},
		"bools":        {[]bool{true, false}, []bool{true, false}},
		"int":          {-5, int64(-5)},
		"ints":         {[]int{1, -2}, []int64{1, -2}},
		"int8":         {int8(-8), int64(-8)},
		"uint16":       {uint16(65535), uint64(65535)},
		"uint64s":      {[]uint64{math.MaxUint64}, []uint64{math.MaxUint64}},
		"float32":      {float32(0.5), 0.5},
		"float64s":     {[]float64{1e300, -1}, []float64{1e300, -1}},
		"no floats":    {[]float64{}, []float64{}},
		"matrix":       {Numbers([]int{1, 2}, []int32{3, 4}), []int64{3, 4}},
		"nil":          {nil, nil},
	}
	root := NewGroup()
	for name, test := range tests {
		require.NoError(t, root.SetAttr(name, test.in))
	}
	f, err := openBytes(writeBytes(t, root))
	require.NoError(t, err)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, ok := f.Root().Attr(name)
			require.True(t, ok)
			got, err := a.Value()
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	require.Len(t, f.Root().Attrs(), len(tests))
}

func TestDatasetRoundTrip(t *testing.T) {
	roundTripNumbers(t, []int8{-128, 0, 127})
	roundTripNumbers(t, []int16{-1 << 15, 1<<15 - 1})
	roundTripNumbers(t, []int32{-1 << 31, 1<<31 - 1})
	roundTripNumbers(t, []int64{-1 << 63, 1<<63 - 1})
	roundTripNumbers(t, []uint8{0, 255})
	roundTripNumbers(t, []uint16{0, 65535})
	roundTripNumbers(t, []uint32{0, 1<<32 - 1})
	roundTripNumbers(t, []uint64{0, 1<<64 - 1})
	roundTripNumbers(t, []float32{1.5, float32(math.Inf(-1))})
	roundTripNumbers(t, []float64{1.5, math.SmallestNonzeroFloat64})
}

func roundTripNumbers[T Number](t *testing.T, data []T) {
	t.Run(fmt.Sprintf("%T", data), func(t *testing.T) {
		root := NewGroup()
		_, err := root.CreateDataset("a/b", Numbers([]int{len(data), 1}, data))
		require.NoError(t, err)
		f, err := openBytes(writeBytes(t, root))
		require.NoError(t, err)
		ds, err := f.Dataset("/a/b")
		require.NoError(t, err)
		require.Equal(t, []int{len(data), 1}, ds.Shape())
		require.Equal(t, kindOf[T]().String(), ds.Datatype().String())
		got, err := ReadAll[T](ds)
		require.NoError(t, err)
		require.Equal(t, data, got)
	})
}

func TestNumpyDatatypes(t *testing.T) {
	for _, name := range []string{"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64", "bfloat16"} {
		t.Run(name, func(t *testing.T) {
			dtype, err := NumpyDatatype(name)
			require.NoError(t, err)
			data := make([]byte, 2*dtype.Size)
			data[0] = 1
			root := NewGroup()
			d, err := root.CreateDataset("x", Array{Datatype: dtype, Shape: []int{2}, Data: data})
			require.NoError(t, err)
			require.NoError(t, d.SetAttr("dtype", name))
			f, err := openBytes(writeBytes(t, root))
			require.NoError(t, err)
			ds, err := f.Dataset("x")
			require.NoError(t, err)
			want := name
			if name == "bfloat16" {
				want = "opaque[2]"
			}
			require.Equal(t, want, ds.Datatype().String())
			got, err := ds.Bytes()
			require.NoError(t, err)
			require.Equal(t, data, got)
			a, ok := ds.Attr("dtype")
			require.True(t, ok)
			text, err := a.Text()
			require.NoError(t, err)
			require.Equal(t, name, text)
		})
	}
	_, err := NumpyDatatype("complex64")
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = NumpyDatatype("")
	require.ErrorIs(t, err, ErrUnsupported)
}

// Groups of every size around those where nodes and levels are full.
func TestGroupsOfManySizes(t *testing.T) {
	for _, n := range []int{0, 1, 8, 9, 255, 256, 257, 8192, 8193} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			root := NewGroup()
			for i := range n {
				_, err := root.CreateDataset(fmt.Sprintf("d%d", i), Numbers(nil, []int32{int32(i)}))
				require.NoError(t, err)
			}
			f, err := openBytes(writeBytes(t, root))
			require.NoError(t, err)
			require.Len(t, f.Root().Links(), n)
			for i := 0; i < n; i += 1 + n/50 {
				ds, err := f.Dataset(fmt.Sprintf("d%d", i))
				require.NoError(t, err)
				got, err := ReadAll[int64](ds)
				require.NoError(t, err)
				require.Equal(t, []int64{int64(i)}, got)
			}
		})
	}
}

func TestManyStringsFillSeveralHeaps(t *testing.T) {
	var values []string
	for i := range 3000 {
		values = append(values, strings.Repeat("x", i%300))
	}
	root := NewGroup()
	_, err := root.CreateDataset("vocabulary", Text([]int{3000}, values))
	require.NoError(t, err)
	require.NoError(t, root.SetAttr("some", values[:4000/16]))
	f, err := openBytes(writeBytes(t, root))
	require.NoError(t, err)
	ds, err := f.Dataset("vocabulary")
	require.NoError(t, err)
	got, err := ds.Strings()
	require.NoError(t, err)
	require.Equal(t, values, got)
}

func TestStream(t *testing.T) {
	root := NewGroup()
	a := Array{Datatype: DatatypeOf[uint8](), Shape: []int{3}, Stream: func(w io.Writer) error {
		_, err := w.Write([]byte{1, 2, 3})
		return err
	}}
	_, err := root.CreateDataset("x", a)
	require.NoError(t, err)
	f, err := openBytes(writeBytes(t, root))
	require.NoError(t, err)
	ds, err := f.Dataset("x")
	require.NoError(t, err)
	got, err := ds.Bytes()
	require.NoError(t, err)
	require.Equal(t, []byte{1, 2, 3}, got)

	a.Shape = []int{4}
	_, err = root.CreateDataset("short", a)
	require.NoError(t, err)
	require.ErrorIs(t, Write(io.Discard, root), ErrType)

	broken := errors.New("broken")
	a.Stream = func(io.Writer) error { return broken }
	_, err = root.CreateDataset("broken", a)
	require.NoError(t, err)
	require.ErrorIs(t, Write(io.Discard, root), broken)
}

func TestWriteFileIsAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.h5")
	root := NewGroup()
	require.NoError(t, root.SetAttr("a", "first"))
	require.NoError(t, WriteFile(path, root))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, writeBytes(t, root), before)

	_, err = root.CreateDataset("x", Array{Datatype: DatatypeOf[uint8](), Shape: []int{3}, Stream: func(io.Writer) error { return io.ErrClosedPipe }})
	require.NoError(t, err)
	require.ErrorIs(t, WriteFile(path, root), io.ErrClosedPipe)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "something half-written is left")
}

func TestWriteErrors(t *testing.T) {
	number := Numbers(nil, []int32{1})
	create := func(path string, a Array) func(*GroupBuilder) error {
		return func(g *GroupBuilder) error {
			_, err := g.CreateDataset(path, a)
			return err
		}
	}
	set := func(name string, v any) func(*GroupBuilder) error {
		return func(g *GroupBuilder) error { return g.SetAttr(name, v) }
	}
	tests := map[string]struct {
		do   func(*GroupBuilder) error
		want error
	}{
		"same name":           {create("there", number), ErrType},
		"below a dataset":     {create("there/x", number), ErrType},
		"no name":             {create("/", number), ErrType},
		"name with NUL":       {create("a\x00b", number), ErrType},
		"dot":                 {create("a/.", number), ErrType},
		"elements missing":    {create("x", Numbers([]int{3}, []float32{1, 2})), ErrType},
		"negative dimension":  {create("x", Numbers([]int{-1}, []float32{})), ErrType},
		"rank 33":             {create("x", Numbers(make([]int, 33), []float32{})), ErrType},
		"overflowing shape":   {create("x", Numbers([]int{math.MaxInt, 4}, []float32{})), ErrTooLarge},
		"strings missing":     {create("x", Text([]int{2}, []string{"a"})), ErrType},
		"string with NUL":     {create("x", Text(nil, []string{"a\x00b"})), ErrType},
		"string too long":     {create("x", Array{Datatype: Datatype{Class: ClassString, Size: 2}, Strings: []string{"abc"}}), ErrTooLarge},
		"compound":            {create("x", Array{Datatype: Datatype{Class: ClassCompound, Size: 4}, Data: make([]byte, 4)}), ErrUnsupported},
		"variable-length raw": {create("x", Array{Datatype: textDatatype(), Data: make([]byte, 16)}), ErrType},
		"null with a shape":   {create("x", Array{Datatype: DatatypeOf[int8](), Null: true, Shape: []int{0}}), ErrType},
		"no datatype":         {create("x", Array{}), ErrType},
		"attribute too large": {set("x", make([]float32, 20000)), ErrTooLarge},
		"names too large":     {set("layer_names", FixedText([]int{700}, append(make([]string, 699), strings.Repeat("n", 100)))), ErrTooLarge},
		"attribute name":      {set(strings.Repeat("n", 3000), make([]byte, MaxAttributeSize)), ErrTooLarge},
		"empty name":          {set("", 1), ErrType},
		"attribute type":      {set("x", struct{}{}), ErrType},
		"streamed attribute":  {set("x", Array{Datatype: DatatypeOf[int8](), Stream: func(io.Writer) error { return nil }}), ErrType},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := NewGroup()
			_, err := root.CreateDataset("there", number)
			require.NoError(t, err)
			before := writeBytes(t, root)
			require.ErrorIs(t, test.do(root), test.want)
			if !strings.Contains(name, "below") && name != "dot" { // those may create groups
				require.Equal(t, before, writeBytes(t, root), "what failed left something")
			}
		})
	}
}

func TestLargestAttribute(t *testing.T) {
	root := NewGroup()
	data := bytes.Repeat([]byte{7}, MaxAttributeSize)
	require.NoError(t, root.SetAttr("x", data))
	require.NoError(t, root.SetAttr("y", "replaced"))
	require.NoError(t, root.SetAttr("y", "by this"))
	f, err := openBytes(writeBytes(t, root))
	require.NoError(t, err)
	a, ok := f.Root().Attr("x")
	require.True(t, ok)
	got, err := AttributeNumbers[uint8](a)
	require.NoError(t, err)
	require.Equal(t, data, got)
	a, ok = f.Root().Attr("y")
	require.True(t, ok)
	text, err := a.Text()
	require.NoError(t, err)
	require.Equal(t, "by this", text)
}

func TestCreateGroupReturnsTheSame(t *testing.T) {
	root := NewGroup()
	a, err := root.CreateGroup("a/b")
	require.NoError(t, err)
	b, err := root.CreateGroup("/a//b/")
	require.NoError(t, err)
	require.Same(t, a, b)
	same, err := root.CreateGroup("")
	require.NoError(t, err)
	require.Same(t, root, same)
}
