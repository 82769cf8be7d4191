package tensor_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

func TestMaxAbsDiff(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	tests := []struct {
		name string
		a, b *tensor.Tensor
		want float64
	}{
		{"equal", tensor.Scalar(float32(1)), tensor.Scalar(float32(1)), 0},
		{"other types", tensor.Scalar(int8(-3)), tensor.Scalar(4.5), 7.5},
		{"integers", tensor.Scalar(int64(math.MinInt64)), tensor.Scalar(uint64(math.MaxUint64)), 3 * (1 << 63)},
		{"close large integers", tensor.Scalar(int64(1<<62 + 1)), tensor.Scalar(int64(1 << 62)), 1},
		{"complex", tensor.Scalar(complex64(3i)), tensor.Scalar(complex64(4)), 5},
		{"NaN at the same place", tensor.Must(tensor.Of([]float32{nan, 1})), tensor.Must(tensor.Of([]float32{nan, 2})), 1},
		{"NaN beside a number", tensor.Must(tensor.Of([]float32{nan})), tensor.Must(tensor.Of([]float32{0})), math.Inf(1)},
		{"the same infinity", tensor.Scalar(inf), tensor.Scalar(inf), 0},
		{"opposite infinities", tensor.Scalar(inf), tensor.Scalar(-inf), math.Inf(1)},
		{"empty", tensor.Must(tensor.New(tensor.Float32, 0, 3)), tensor.Must(tensor.New(tensor.Float32, 0, 3)), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := tensor.MaxAbsDiff(test.a, test.b)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	_, err := tensor.MaxAbsDiff(tensor.Must(tensor.New(tensor.Float32, 2)), tensor.Must(tensor.New(tensor.Float32, 1, 2)))
	require.ErrorIs(t, err, tensor.ErrShape)
	_, err = tensor.MaxAbsDiff(tensor.Scalar("a"), tensor.Scalar("a"))
	require.ErrorIs(t, err, tensor.ErrDType)
	_, err = tensor.MaxAbsDiff(nil, tensor.Scalar("a"))
	require.ErrorIs(t, err, tensor.ErrDType)
}

func TestAllClose(t *testing.T) {
	vector := func(v ...float64) *tensor.Tensor { return tensor.Must(tensor.Of(v)) }
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name       string
		a, b       *tensor.Tensor
		rtol, atol float64
		err        string
	}{
		{"absolute", vector(1, 2), vector(1, 2.25), 0, 0.25, ""},
		{"relative to b", vector(110), vector(100), 0.1, 0, ""},
		{"not to a", vector(90), vector(100.1), 0.1, 0, "1 of 1 elements"},
		{"NaN", vector(nan), vector(nan), 0, 0, ""},
		{"NaN and a number", vector(nan), vector(1), 1, 1, "[0]: NaN and 1"},
		{"an infinity is not close to a number", vector(inf), vector(1), 1, inf, "[0]: +Inf and 1"},
		{"nor a number to it", vector(1), vector(inf), 1, 1, "[0]: 1 and +Inf"},
		{"first and worst", vector(0, 1, 5), vector(0, 2, 0), 0, 0, "2 of 3 elements differ by more than 0 + 0·|b|; the first is [1]: 1 and 2, the worst [2]: 5 and 0"},
		{"strings", tensor.Must(tensor.Of([]string{"a", "b"})), tensor.Must(tensor.Of([]string{"a", "b"})), 0, 0, ""},
		{"other strings", tensor.Must(tensor.Of([]string{"a", "b"})), tensor.Must(tensor.Of([]string{"a", "c"})), 0, 0, `[1]: "b" and "c"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := tensor.AllClose(test.a, test.b, test.rtol, test.atol)
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tensor.ErrNotClose)
			require.ErrorContains(t, err, test.err)
		})
	}
	require.ErrorIs(t, tensor.AllClose(vector(1), tensor.Scalar("1"), 0, 0), tensor.ErrDType)
	require.ErrorIs(t, tensor.AllClose(vector(1), vector(1, 1), 0, 0), tensor.ErrShape)
}
