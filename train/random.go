package train

import "math"

// Random is a seeded generator of our own: the same seed and stream give the same numbers on every machine, in every version
// of Go. Number i of a stream is a hash of (seed, stream, i) (SplitMix64's finalizer, Steele et al. 2014), so that parts of a
// stream can be drawn in any order and by any number of goroutines.
type Random struct {
	key, next uint64
}

// NewRandom returns the generator of one stream of a seed. Different uses (shuffling, each layer's dropout, each
// initializer) take different streams.
func NewRandom(seed, stream uint64) *Random {
	return &Random{key: mix(mix(seed+goldenRatio) + goldenRatio*(stream+1))}
}

const goldenRatio = 0x9e3779b97f4a7c15

// mix is SplitMix64's finalizer: a bijection whose every output bit depends on every input bit.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// At returns number i of the stream; it does not move the generator.
func (r *Random) At(i uint64) uint64 { return mix(r.key + goldenRatio*(i+1)) }

// Uint64 returns the next number.
func (r *Random) Uint64() uint64 {
	r.next++
	return r.At(r.next - 1)
}

// Float64 returns a number in [0, 1), uniform, of 53 bits.
func (r *Random) Float64() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// Float32 returns a number in [0, 1), uniform, of 24 bits.
func (r *Random) Float32() float32 { return float32(r.Uint64()>>40) / (1 << 24) }

// Normal returns a number of the standard normal distribution (Box-Muller, one of the pair).
func (r *Random) Normal() float64 {
	u := 1 - r.Float64() // (0, 1]
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*r.Float64())
}

// IntN returns a number in [0, n), uniform; n must be positive and at most 2³².
func (r *Random) IntN(n int) int {
	// Multiply and shift; the few numbers that would favour some results are drawn again (Lemire 2019).
	limit := (1 << 32) % uint64(n)
	for {
		product := (r.Uint64() >> 32) * uint64(n)
		if product&(1<<32-1) >= limit {
			return int(product >> 32)
		}
	}
}

// Shuffle permutes order at random (Fisher-Yates).
func (r *Random) Shuffle(order []int32) {
	for i := len(order) - 1; i > 0; i-- {
		j := r.IntN(i + 1)
		order[i], order[j] = order[j], order[i]
	}
}
