package tensor_test

import (
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

func TestElementsAreShared(t *testing.T) {
	pixels := []float32{1, 2, 3, 4, 5, 6}
	x, err := tensor.Of(pixels, 3, 2)
	require.NoError(t, err)
	rows, err := x.Rows(1, 3)
	require.NoError(t, err)
	flat, err := rows.Reshape(-1)
	require.NoError(t, err)
	data, err := tensor.Data[float32](flat)
	require.NoError(t, err)
	data[0] = 30
	require.Equal(t, []float32{1, 2, 30, 4, 5, 6}, pixels)

	head, err := tensor.Data[float32](tensor.Must(x.Rows(0, 1)))
	require.NoError(t, err)
	require.Len(t, append(head, 7), 3)
	require.Equal(t, float32(30), pixels[2], "rows end at their own capacity")

	own := x.Clone()
	pixels[0] = 9
	require.False(t, own.Equal(x))
	require.Equal(t, tensor.Shape{3, 2}, own.Shape())
}

func roundTrip[T tensor.Element](t *testing.T, values ...T) {
	x, err := tensor.Of(values)
	require.NoError(t, err)
	require.Equal(t, tensor.DTypeOf[T](), x.DType())
	got, err := tensor.Data[T](x)
	require.NoError(t, err)
	require.Equal(t, values, got)
	named, err := tensor.ParseDType(x.DType().String())
	require.NoError(t, err)
	require.Equal(t, x.DType(), named)
}

func TestEveryGoType(t *testing.T) {
	roundTrip[float32](t, 1, -2)
	roundTrip[float64](t, 1, -2)
	roundTrip[int8](t, 1, -2)
	roundTrip[int16](t, 1, -2)
	roundTrip[int32](t, 1, -2)
	roundTrip[int64](t, 1, -2)
	roundTrip[uint8](t, 1, 255)
	roundTrip[uint16](t, 1, 2)
	roundTrip[uint32](t, 1, 2)
	roundTrip[uint64](t, 1, math.MaxUint64)
	roundTrip(t, true, false)
	roundTrip[complex64](t, 1i)
	roundTrip[complex128](t, 1i)
	roundTrip[tensor.Half](t, 0x3c00)
	roundTrip[tensor.Brain](t, 0x3f80)
	roundTrip(t, "", "two", "\xff")
}

func TestDTypes(t *testing.T) {
	for d := tensor.DType(1); d <= 30; d++ {
		if !d.Valid() {
			continue
		}
		parsed, err := tensor.ParseDType(d.String())
		require.NoError(t, err)
		require.Equal(t, d, parsed)
		x, err := tensor.New(d, 2, 3)
		if d == tensor.Resource || d == tensor.Variant {
			require.ErrorIs(t, err, tensor.ErrDType)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 6, x.Len())
		require.Len(t, x.Bytes(), 6*d.Size())
	}
	for name, want := range map[string]tensor.DType{"string": tensor.String, "str": tensor.String, "half": tensor.Float16, "float": tensor.Float32, "double": tensor.Float64} {
		got, err := tensor.ParseDType(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := tensor.ParseDType("float33")
	require.ErrorIs(t, err, tensor.ErrDType)
	require.Equal(t, "dtype(99)", tensor.DType(99).String())
	require.True(t, tensor.BFloat16.IsFloat() && tensor.Uint4.IsInteger())
	require.False(t, tensor.Int8.IsFloat() || tensor.QInt8.IsInteger() || tensor.String.IsFloat())
}

func TestQuantizedTypesAreSeenAsIntegers(t *testing.T) {
	x := tensor.Must(tensor.FromBytes(tensor.QInt8, []byte{1, 0xff}, 2))
	data, err := tensor.Data[int8](x)
	require.NoError(t, err)
	require.Equal(t, []int8{1, -1}, data)
	_, err = tensor.Data[uint8](x)
	require.ErrorIs(t, err, tensor.ErrDType)
}

func TestImpossibleShapes(t *testing.T) {
	huge := math.MaxInt
	tests := []struct {
		name  string
		shape tensor.Shape
	}{
		{"negative", tensor.Shape{2, -1}},
		{"overflows", tensor.Shape{huge, 2}},
		{"overflows to something small", tensor.Shape{1 << 32, 1 << 32, 3}},
		{"overflows beside a zero", tensor.Shape{0, huge, huge}},
		{"more bytes than an int counts", tensor.Shape{huge / 4}},
		{"too many dimensions", make(tensor.Shape, tensor.MaxRank+1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, d := range []tensor.DType{tensor.Float64, tensor.String} {
				_, err := tensor.New(d, test.shape...)
				require.ErrorIs(t, err, tensor.ErrShape)
			}
			_, err := tensor.FromBytes(tensor.Uint8, nil, test.shape...)
			require.ErrorIs(t, err, tensor.ErrShape)
			_, err = tensor.Of([]uint8{1}, test.shape...)
			require.ErrorIs(t, err, tensor.ErrShape)
			_, err = tensor.Scalar(1.0).Reshape(test.shape...)
			require.ErrorIs(t, err, tensor.ErrShape)
		})
	}
}

func TestFromBytes(t *testing.T) {
	memory := make([]uint64, 4)
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(memory))), 32)
	shared, err := tensor.FromBytes(tensor.Float64, data, 2, 2)
	require.NoError(t, err)
	data[0] = 1
	require.Equal(t, byte(1), shared.Bytes()[0])

	moved, err := tensor.FromBytes(tensor.Float32, data[1:9], 2)
	require.NoError(t, err)
	require.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(moved.Bytes())))%4)
	require.Equal(t, data[1:9], moved.Bytes())

	_, err = tensor.FromBytes(tensor.Float32, data[:31], 8)
	require.ErrorIs(t, err, tensor.ErrShape)
	_, err = tensor.FromBytes(tensor.Bool, []byte{0, 1, 2}, 3)
	require.ErrorIs(t, err, tensor.ErrFormat)
	for _, d := range []tensor.DType{tensor.String, tensor.Resource, tensor.Invalid, 99} {
		_, err = tensor.FromBytes(d, nil, 0)
		require.ErrorIs(t, err, tensor.ErrDType)
	}
}

func TestReshape(t *testing.T) {
	x := tensor.Must(tensor.New(tensor.Int16, 2, 6))
	for _, test := range []struct{ to, want tensor.Shape }{
		{tensor.Shape{3, 4}, tensor.Shape{3, 4}}, {tensor.Shape{-1}, tensor.Shape{12}}, {tensor.Shape{4, -1, 1}, tensor.Shape{4, 3, 1}},
		{tensor.Shape{5, -1}, nil}, {tensor.Shape{-1, -1}, nil}, {tensor.Shape{0, -1}, nil}, {tensor.Shape{}, nil}, {tensor.Shape{-2, -6}, nil},
	} {
		y, err := x.Reshape(test.to...)
		if test.want == nil {
			require.ErrorIs(t, err, tensor.ErrShape, "%v", test.to)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, y.Shape())
	}
	empty := tensor.Must(tensor.New(tensor.Int16, 0, 6))
	require.Equal(t, tensor.Shape{0, 3}, tensor.Must(empty.Reshape(-1, 3)).Shape())
	_, err := empty.Reshape(-1, 0)
	require.ErrorIs(t, err, tensor.ErrShape, "any length would do")
	require.Equal(t, 0, tensor.Must(tensor.Scalar(int8(1)).Reshape()).Rank())
}

func TestRowsAndConcat(t *testing.T) {
	numbers := tensor.Must(tensor.Of([]int32{1, 2, 3, 4, 5, 6}, 3, 2))
	words := tensor.Must(tensor.Of([]string{"a", "b", "c"}, 3, 1))
	for _, x := range []*tensor.Tensor{numbers, words} {
		joined, err := tensor.Concat(tensor.Must(x.Rows(0, 1)), tensor.Must(x.Rows(1, 1)), tensor.Must(x.Rows(1, 3)))
		require.NoError(t, err)
		require.True(t, joined.Equal(x))
		for _, bad := range [][2]int{{-1, 1}, {2, 1}, {0, 4}} {
			_, err := x.Rows(bad[0], bad[1])
			require.ErrorIs(t, err, tensor.ErrShape)
		}
	}
	empty := tensor.Must(tensor.New(tensor.Int32, 0, 2))
	require.Equal(t, tensor.Shape{0, 2}, tensor.Must(empty.Rows(0, 0)).Shape())
	_, err := tensor.Scalar(1.0).Rows(0, 0)
	require.ErrorIs(t, err, tensor.ErrShape)

	for _, bad := range [][]*tensor.Tensor{{}, {tensor.Scalar(1.0)}, {numbers, tensor.Must(tensor.New(tensor.Int32, 3, 3))}} {
		_, err := tensor.Concat(bad...)
		require.ErrorIs(t, err, tensor.ErrShape)
	}
	for _, bad := range [][]*tensor.Tensor{{numbers, words}, {numbers, nil}} {
		_, err := tensor.Concat(bad...)
		require.ErrorIs(t, err, tensor.ErrDType)
	}
}

func TestShape(t *testing.T) {
	require.Equal(t, "[?,784]", tensor.Shape{-1, 784}.String())
	require.Equal(t, "[]", tensor.Shape{}.String())
	require.Equal(t, "unknown", tensor.Shape(nil).String())
	require.True(t, tensor.Shape(nil).Accepts(tensor.Shape{3}))
	require.True(t, tensor.Shape{-1, 3}.Accepts(tensor.Shape{7, 3}))
	require.False(t, tensor.Shape{-1, 3}.Accepts(tensor.Shape{7, 4}))
	require.False(t, tensor.Shape{-1}.Accepts(tensor.Shape{}))
	require.False(t, tensor.Shape{}.Equal(nil), "a scalar is not an unknown rank")
	require.Nil(t, tensor.Shape(nil).Clone())
	require.NotNil(t, tensor.Shape{}.Clone())
}

func TestNoTensor(t *testing.T) {
	var none *tensor.Tensor
	require.Equal(t, "no tensor", none.String())
	require.Equal(t, tensor.Invalid, none.DType())
	_, err := tensor.Data[float32](none)
	require.ErrorIs(t, err, tensor.ErrDType)
	require.Panics(t, func() { tensor.Must(tensor.New(tensor.Invalid)) })
	require.Equal(t, "float32 [1,2]", tensor.Must(tensor.New(tensor.Float32, 1, 2)).String())
}
