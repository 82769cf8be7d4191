package tensor_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// TestCastLikeNumPy compares with NumPy's astype, recorded by scripts/record_tensors.py.
func TestCastLikeNumPy(t *testing.T) {
	data, err := os.ReadFile("../scripts/testdata/tensors/casts.json")
	require.NoError(t, err)
	var rows []struct{ From, To, In, Out string }
	require.NoError(t, json.Unmarshal(data, &rows))
	require.Greater(t, len(rows), 250)
	for _, row := range rows {
		in, want := fromHex(t, row.From, row.In), fromHex(t, row.To, row.Out)
		got, err := in.Cast(want.DType())
		require.NoError(t, err)
		require.NoError(t, tensor.AllClose(got, want, 0, 0), "%s to %s", row.From, row.To)
		if !want.DType().IsFloat() && want.DType() != tensor.Int4 { // NaN has many encodings, and four bits leave four undefined
			require.True(t, got.Equal(want), "%s to %s: %x, want %x", row.From, row.To, got.Bytes(), want.Bytes())
		}
	}
}

// fromHex returns a vector of the elements in little-endian hexadecimal digits.
func fromHex(t *testing.T, dtype, digits string) *tensor.Tensor {
	d, err := tensor.ParseDType(dtype)
	require.NoError(t, err)
	data, err := hex.DecodeString(digits)
	require.NoError(t, err)
	x, err := tensor.FromBytes(d, data, len(data)/d.Size())
	require.NoError(t, err)
	return x
}

func TestConvertLosesNothing(t *testing.T) {
	ints := func(v ...int64) *tensor.Tensor { return tensor.Must(tensor.Of(v)) }
	floats := func(v ...float64) *tensor.Tensor { return tensor.Must(tensor.Of(v)) }
	tests := []struct {
		name string
		in   *tensor.Tensor
		to   tensor.DType
		want *tensor.Tensor
		err  string
	}{
		{"integers that fit", ints(-128, 127), tensor.Int8, tensor.Must(tensor.Of([]int8{-128, 127})), ""},
		{"too large", ints(1, 128), tensor.Int8, nil, "int64 does not convert to int8 without loss: element [1] is 128"},
		{"wraps to the same bits", ints(-1), tensor.Uint64, nil, "element [0] is -1"},
		{"and back", tensor.Must(tensor.Of([]uint64{1 << 63})), tensor.Int64, nil, "element [0] is 9223372036854775808"},
		{"exact float32", ints(1<<24, -(1 << 62)), tensor.Float32, tensor.Must(tensor.Of([]float32{1 << 24, -(1 << 62)})), ""},
		{"inexact float32", ints(1, 1<<24+1), tensor.Float32, nil, "element [1] is 16777217"},
		{"largest uint64", tensor.Must(tensor.Of([]uint64{math.MaxUint64})), tensor.Float64, nil, "18446744073709551615"},
		{"whole floats", floats(3, math.Copysign(0, -1)), tensor.Uint8, tensor.Must(tensor.Of([]uint8{3, 0})), ""},
		{"a fraction", floats(3, 0.5), tensor.Int32, nil, "float64 does not convert to int32 without loss: element [1] is 0.5"},
		{"NaN to an integer", floats(math.NaN()), tensor.Int64, nil, "element [0] is NaN"},
		{"infinity to an integer", floats(math.Inf(-1)), tensor.Int64, nil, "element [0] is -Inf"},
		{"NaN and infinity", floats(math.NaN(), math.Inf(1)), tensor.Float16, tensor.Must(tensor.Of([]tensor.Half{0x7e00, 0x7c00})), ""},
		{"0.1 is another float32", floats(0.1), tensor.Float32, nil, "element [0] is 0.1"},
		{"real complex", tensor.Must(tensor.Of([]complex64{2})), tensor.Int16, tensor.Must(tensor.Of([]int16{2})), ""},
		{"an imaginary part", tensor.Must(tensor.Of([]complex64{2 + 1i})), tensor.Float32, nil, "element [0] is (2+1i)"},
		{"0 and 1 are bool", ints(0, 1), tensor.Bool, tensor.Must(tensor.Of([]bool{false, true})), ""},
		{"2 is not", ints(2), tensor.Bool, nil, "element [0] is 2"},
		{"pixels", tensor.Must(tensor.Of([]uint8{0, 255}, 1, 2)), tensor.Float32, tensor.Must(tensor.Of([]float32{0, 255}, 1, 2)), ""},
		{"a matrix", tensor.Must(tensor.Of([]int64{0, 1, 2, 300}, 2, 2)), tensor.Uint8, nil, "element [1,1] is 300"},
		{"a string", tensor.Scalar("1"), tensor.Int32, nil, "object does not convert to int32"},
		{"to a string", ints(1), tensor.String, nil, "int64 does not convert to object"},
		{"to a handle", ints(1), tensor.Resource, nil, "resource"},
		{"nothing", nil, tensor.Int32, nil, "dtype(0) does not convert to int32"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.in.Convert(test.to)
			if test.err != "" {
				require.ErrorIs(t, err, tensor.ErrDType)
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want.DType(), got.DType())
			require.NoError(t, tensor.AllClose(got, test.want, 0, 0))
		})
	}
}

// TestConvertAgreesWithItsShortcut holds the types that convert unchecked against the values that they can have.
func TestConvertAgreesWithItsShortcut(t *testing.T) {
	limits := tensor.Must(tensor.Of([]float64{0, 1, -128, 127, 255, -32768, 32767, 65535, -(1 << 31), 1<<31 - 1, 1<<32 - 1, 1 << 60, 0.5, 1e-7, 3e38, 65504}))
	types := []tensor.DType{tensor.Bool, tensor.Uint8, tensor.Int8, tensor.Uint16, tensor.Int16, tensor.Uint32, tensor.Int32, tensor.Float16, tensor.BFloat16, tensor.Float32}
	for _, from := range types {
		for _, to := range append(types, tensor.Int64, tensor.Uint64, tensor.Float64) {
			in := tensor.Must(limits.Cast(from))
			if out, err := in.Convert(to); err == nil {
				require.NoError(t, tensor.AllClose(out, in, 0, 0), "%v to %v", from, to)
			}
		}
	}
}

func TestConvertToItself(t *testing.T) {
	x := tensor.Must(tensor.Of([]string{"a"}))
	for _, f := range []func(tensor.DType) (*tensor.Tensor, error){x.Convert, x.Cast} {
		y, err := f(tensor.String)
		require.NoError(t, err)
		require.Same(t, x, y)
	}
}
