package tensor_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

func TestReadCSV(t *testing.T) {
	tests := []struct {
		name, text string
		as         tensor.DType
		want       *tensor.Tensor
		header     []string
	}{
		{"numbers", "0.1, 2\n3,4e1\n", tensor.Float32, tensor.Must(tensor.Of([]float32{0.1, 2, 3, 40}, 2, 2)), nil},
		{"header", "\xef\xbb\xbf\"width, mm\",height\r\n1,2\r\n\r\n", tensor.Invalid, tensor.Must(tensor.Of([]int64{1, 2}, 1, 2)), []string{"width, mm", "height"}},
		{"only a header", "a,b", tensor.Float32, tensor.Must(tensor.New(tensor.Float32, 0, 2)), []string{"a", "b"}},
		{"strings have none", "a,b\n", tensor.String, tensor.Must(tensor.Of([]string{"a", "b"}, 1, 2)), nil},
		{"inferred strings", "name\nx\n", tensor.Invalid, tensor.Must(tensor.Of([]string{"x"}, 1, 1)), []string{"name"}},
		{"inferred floats", "1,nan\n2,-Inf \n", tensor.Invalid, tensor.Must(tensor.Must(tensor.ReadJSON(strings.NewReader(`[[1,NaN],[2,-Infinity]]`), tensor.Float64)).Reshape(2, 2)), nil},
		{"bool", "true,0\n", tensor.Bool, tensor.Must(tensor.Of([]bool{true, false}, 1, 2)), nil},
		{"complex", "1+2i\n", tensor.Invalid, tensor.Must(tensor.Of([]complex128{1 + 2i}, 1, 1)), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, header, err := tensor.ReadCSV(strings.NewReader(test.text), test.as)
			require.NoError(t, err)
			require.Equal(t, test.header, header)
			require.Equal(t, test.want.String(), got.String())
			require.NoError(t, tensor.AllClose(got, test.want, 0, 0))
		})
	}
}

func TestReadCSVRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		as         tensor.DType
		is         error
		says       string
	}{
		{"empty", "\n\n", tensor.Float32, tensor.ErrFormat, "no line"},
		{"ragged", "1,2\n3\n", tensor.Float32, tensor.ErrShape, "record on line 2: wrong number of fields"},
		{"a word", "1,2\n3,x\n", tensor.Float32, tensor.ErrDType, `CSV line 2, column 2: tensor: wrong element type: "x" is no float32`},
		{"nothing there", "a,b\n1,\n", tensor.Float32, tensor.ErrDType, `CSV line 2, column 2: `},
		{"a fraction", "1\n1.5\n", tensor.Int8, tensor.ErrDType, "line 2, column 1"},
		{"quotes", "\"1", tensor.Float32, tensor.ErrFormat, "extraneous or missing"},
		{"a handle", "1", tensor.Variant, tensor.ErrDType, "variant"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := tensor.ReadCSV(strings.NewReader(test.text), test.as)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, _, err := tensor.ReadCSV(iotest.ErrReader(errFull), tensor.Float32)
	require.ErrorIs(t, err, errFull)
}

func TestCSVRoundTrip(t *testing.T) {
	for _, x := range append(oneOfEach(), tensor.Scalar(float32(2)), tensor.Must(tensor.Of([]string{"", "a"}))) {
		var b strings.Builder
		require.NoError(t, tensor.WriteCSV(&b, x))
		got, header, err := tensor.ReadCSV(strings.NewReader(b.String()), x.DType())
		require.NoError(t, err, b.String())
		require.Nil(t, header)
		got, err = got.Reshape(x.Shape()...)
		require.NoError(t, err)
		require.NoError(t, tensor.AllClose(got, x, 0, 0), b.String())
	}
	var b strings.Builder
	require.NoError(t, tensor.WriteCSV(&b, tensor.Must(tensor.Of([]float32{1, 0.5}, 1, 2)), "a", "b c"))
	require.Equal(t, "a,b c\n1,0.5\n", b.String())

	require.ErrorIs(t, tensor.WriteCSV(io.Discard, nil), tensor.ErrDType)
	require.ErrorIs(t, tensor.WriteCSV(io.Discard, tensor.Scalar(1.0), "a", "b"), tensor.ErrShape)
	require.ErrorIs(t, tensor.WriteCSV(&fullDisk{100}, tensor.Must(tensor.New(tensor.Float32, 1000, 10))), errFull)
}
