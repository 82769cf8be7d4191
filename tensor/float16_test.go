package tensor_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// halfValue is the definition of a float16 (IEEE 754-2019, 3.4), bfloat16 that of a float32 cut short.
func halfValue(h tensor.Half) float64 {
	sign, exp, frac := 1-2*float64(h>>15), int(h>>10&0x1f), float64(h&0x3ff)
	switch {
	case exp == 0x1f && frac != 0:
		return math.NaN()
	case exp == 0x1f:
		return sign * math.Inf(1)
	case exp == 0:
		return sign * math.Ldexp(frac, -24)
	default:
		return sign * math.Ldexp(1+frac/1024, exp-15)
	}
}

func TestEveryHalf(t *testing.T) {
	for i := range 1 << 16 {
		h := tensor.Half(i)
		got, want := h.Float32(), halfValue(h)
		if math.IsNaN(want) {
			require.True(t, got != got)
			back := tensor.HalfOf(got)
			require.True(t, math.IsNaN(halfValue(back)), "%#x", i)
			require.Equal(t, h>>15, back>>15, "sign of %#x", i)
			continue
		}
		require.Equal(t, want, float64(got), "%#x", i)
		require.Equal(t, h, tensor.HalfOf(got), "%#x", i) // tells -0 from 0
	}
}

func TestEveryBrain(t *testing.T) {
	for i := range 1 << 16 {
		b := tensor.Brain(i)
		got := b.Float32()
		require.Equal(t, uint32(i)<<16, math.Float32bits(got))
		if got != got {
			back := tensor.BrainOf(got).Float32()
			require.True(t, back != back, "%#x", i)
			continue
		}
		require.Equal(t, b, tensor.BrainOf(got), "%#x", i)
	}
}

// TestRoundingBetweenNeighbours rounds the midpoint of every pair of neighbours and the floats beside it.
func TestRoundingBetweenNeighbours(t *testing.T) {
	check := func(t *testing.T, low, high float32, round func(float32) float32, even float32) {
		middle := float32((float64(low) + float64(high)) / 2)
		require.Equal(t, even, round(middle), "a tie goes to the even one of %g and %g", low, high)
		require.Equal(t, low, round(math.Nextafter32(middle, low)))
		require.Equal(t, high, round(math.Nextafter32(middle, high)))
		require.Equal(t, -even, round(-middle))
	}
	half := func(f float32) float32 { return tensor.HalfOf(f).Float32() }
	for h := tensor.Half(0); h < 0x7bff; h++ {
		check(t, h.Float32(), (h + 1).Float32(), half, (h + h&1).Float32())
	}
	brain := func(f float32) float32 { return tensor.BrainOf(f).Float32() }
	for b := tensor.Brain(0); b < 0x7f7f; b++ {
		if low, high := b.Float32(), (b + 1).Float32(); high-low > 0 {
			check(t, low, high, brain, (b + b&1).Float32())
		}
	}
}

func TestOverflowToInfinity(t *testing.T) {
	inf := float32(math.Inf(1))
	require.Equal(t, float32(65504), tensor.HalfOf(65519.996).Float32())
	require.Equal(t, inf, tensor.HalfOf(65520).Float32())
	require.Equal(t, -inf, tensor.HalfOf(-math.MaxFloat32).Float32())
	require.Equal(t, inf, tensor.BrainOf(math.MaxFloat32).Float32())
	require.Equal(t, -inf, tensor.BrainOf(-inf).Float32())
}

// TestFloat64RoundsOnce finds the nearest float16 of a float64 by comparing with both neighbours.
func TestFloat64RoundsOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		h := tensor.Half(random.IntN(0x7bff))
		low, high := halfValue(h), halfValue(h+1)
		v := low + (high-low)*random.Float64()
		if random.IntN(2) == 0 { // next to the midpoint, closer than a float32 can be
			v = (low+high)/2 + (high-low)*(random.Float64()-0.5)*1e-9
		}
		want := low
		if v-low > high-v || (v-low == high-v && h&1 == 1) {
			want = high
		}
		got := tensor.Must(tensor.Must(tensor.Of([]float64{v, -v})).Cast(tensor.Float16))
		data, err := tensor.Data[tensor.Half](got)
		require.NoError(t, err)
		require.Equal(t, want, halfValue(data[0]), "%v", v)
		require.Equal(t, -want, halfValue(data[1]), "%v", -v)
	}
}
