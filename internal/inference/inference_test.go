package inference

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// double is a model that doubles each row.
func double(_ context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	y := in["x"].Clone()
	values, err := tensor.Data[float32](y)
	for i := range values {
		values[i] *= 2
	}
	return map[string]*tensor.Tensor{"y": y}, err
}

func TestRunJoinsWhatSplitSplits(t *testing.T) {
	x := map[string]*tensor.Tensor{"x": tensor.Must(tensor.Of([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 5, 2))}
	want := tensor.Must(tensor.Of([]float32{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}, 5, 2))
	for _, size := range []int{0, 1, 2, 3, 5, 100} {
		batches, err := Split(x, size)
		require.NoError(t, err)
		var done []int
		got, err := Run(t.Context(), double, batches, func(rows int) { done = append(done, rows) })
		require.NoError(t, err)
		require.True(t, got["y"].Equal(want), "batches of %d: %v", size, got["y"])
		require.Equal(t, 5, done[len(done)-1])
	}
}

func TestSplitNeedsRows(t *testing.T) {
	_, err := Split(map[string]*tensor.Tensor{"x": tensor.Scalar(float32(1))}, 2)
	require.ErrorIs(t, err, ErrBatch)
	_, err = Split(map[string]*tensor.Tensor{"a": tensor.Must(tensor.New(tensor.Int8, 3)), "b": tensor.Must(tensor.New(tensor.Int8, 4))}, 2)
	require.ErrorIs(t, err, ErrBatch)
}

func TestRunSaysWhereItFailed(t *testing.T) {
	boom, calls := errors.New("boom"), 0
	batches, err := Split(map[string]*tensor.Tensor{"x": tensor.Must(tensor.New(tensor.Float32, 6, 1))}, 2)
	require.NoError(t, err)
	_, err = Run(t.Context(), func(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
		if calls++; calls == 2 {
			return nil, boom
		}
		return double(ctx, in)
	}, batches, nil)
	require.ErrorIs(t, err, boom)
	require.Contains(t, err.Error(), "row 2")
}

func TestTopPutsNaNLast(t *testing.T) {
	scores := tensor.Must(tensor.Of([]float32{0.1, float32(math.NaN()), 0.7, 0.2}, 1, 4))
	top, err := Top(scores, 4, []string{"a", "b", "c", "d"})
	require.NoError(t, err)
	var order []string
	for _, s := range top[0] {
		order = append(order, s.Label)
	}
	require.Equal(t, []string{"c", "d", "a", "b"}, order)
	text, err := top[0][3].MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, `{"label":"b","score":"NaN"}`, string(text))
}

func TestScoresNeedOneOutputOfClasses(t *testing.T) {
	matrix, vector := tensor.Must(tensor.New(tensor.Float32, 2, 3)), tensor.Must(tensor.New(tensor.Float32, 2))
	_, err := Scores(map[string]*tensor.Tensor{"v": vector})
	require.ErrorIs(t, err, ErrScores)
	_, err = Scores(map[string]*tensor.Tensor{"a": matrix, "b": matrix})
	require.ErrorIs(t, err, ErrScores)
	got, err := Scores(map[string]*tensor.Tensor{"v": vector, "m": matrix})
	require.NoError(t, err)
	require.Same(t, matrix, got)
}

func TestCompareMeasuresDifferences(t *testing.T) {
	nan := float32(math.NaN())
	for _, test := range []struct {
		name      string
		got, want []float32
		d         Difference
	}{
		{"same", []float32{1, 2}, []float32{1, 2}, Difference{ArgmaxAgreement: 1}},
		{"off", []float32{1, 4}, []float32{1, 2}, Difference{MaxAbs: 2, MeanAbs: 1, MaxRel: 1, ArgmaxAgreement: 1}},
		{"turned", []float32{2, 1}, []float32{1, 2}, Difference{MaxAbs: 1, MeanAbs: 1, MaxRel: 1}},
		{"both NaN", []float32{nan, 1}, []float32{nan, 1}, Difference{ArgmaxAgreement: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := Compare(tensor.Must(tensor.Of(test.got, 1, 2)), tensor.Must(tensor.Of(test.want, 1, 2)))
			require.NoError(t, err)
			require.Equal(t, test.d, d)
		})
	}
	d, err := Compare(tensor.Scalar(nan), tensor.Scalar(float32(1)))
	require.NoError(t, err)
	require.True(t, math.IsInf(d.MaxAbs, 1))
	d, err = Compare(tensor.Scalar("a"), tensor.Scalar("b"))
	require.NoError(t, err)
	require.True(t, math.IsInf(d.MaxAbs, 1))
	_, err = Compare(tensor.Scalar(nan), tensor.Must(tensor.New(tensor.Float32, 1)))
	require.ErrorIs(t, err, tensor.ErrShape)
}

func TestRandomIsTheSameForASeed(t *testing.T) {
	sig := graph.Signature{Inputs: []graph.Port{
		{Name: "f", DType: tensor.Float32, Shape: tensor.Shape{-1, 3}},
		{Name: "i", DType: tensor.Int64, Shape: tensor.Shape{-1}},
		{Name: "b", DType: tensor.Bool, Shape: tensor.Shape{2}},
	}}
	a, err := Random(sig, 4, 7)
	require.NoError(t, err)
	b, err := Random(sig, 4, 7)
	require.NoError(t, err)
	other, err := Random(sig, 4, 8)
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{4, 3}, a["f"].Shape())
	for name := range a {
		require.True(t, a[name].Equal(b[name]), name)
	}
	require.False(t, a["f"].Equal(other["f"]))
	images, err := Random(graph.Signature{Inputs: []graph.Port{{Name: "x", DType: tensor.Float32, Shape: tensor.Shape{-1, -1, -1, 3}}}}, 2, 1)
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2, imageSide, imageSide, 3}, images["x"].Shape())
	for _, p := range []graph.Port{{DType: tensor.String, Shape: tensor.Shape{-1}}, {DType: tensor.Float32}, {DType: tensor.Float32, Shape: tensor.Shape{-1, -1}},
		{DType: tensor.Float32, Shape: tensor.Shape{-1, 1 << 29}}, {DType: tensor.Float32, Shape: tensor.Shape{1 << 40, 1 << 40}}} {
		_, err := Random(graph.Signature{Inputs: []graph.Port{p}}, 1, 1)
		require.ErrorIs(t, err, ErrRandom)
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	require.InDelta(t, 5, percentile(values, 50), 0)
	require.InDelta(t, 10, percentile(values, 99), 0)
	require.InDelta(t, 1, percentile(values[:1], 99), 0)
}

func TestMeasureCountsRows(t *testing.T) {
	x := map[string]*tensor.Tensor{"x": tensor.Must(tensor.New(tensor.Float32, 8, 2))}
	m, err := Measure(t.Context(), double, x, 8, 2, 10*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, 8, m.Batch)
	require.Positive(t, m.ItemsPerS)
	require.LessOrEqual(t, m.P50, m.P99)
}

func TestNamingFindsTheFileThatFails(t *testing.T) {
	errOdd := errors.New("odd")
	batches, err := Split(map[string]*tensor.Tensor{"x": tensor.Must(tensor.Of([]float32{2, 4, 6, 7, 8}))}, 2)
	require.NoError(t, err)
	call := Naming(func(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
		values, err := tensor.Data[float32](in["x"])
		require.NoError(t, err)
		if slices.ContainsFunc(values, func(v float32) bool { return int(v)%2 == 1 }) {
			return nil, errOdd
		}
		return double(ctx, in)
	}, []string{"a", "b", "c", "d", "e"})
	_, err = Run(t.Context(), call, batches, nil)
	require.ErrorIs(t, err, errOdd)
	require.ErrorContains(t, err, "d: odd")
}
