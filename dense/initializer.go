package dense

import (
	"fmt"
	"math"

	"github.com/cambium-go/cambium/train"
)

// Initializer draws the values that a weight starts with, from the distributions of keras.initializers; the numbers
// themselves come from train.Random.
type Initializer struct {
	name string
	draw func(r *train.Random, values []float32, shape []int) error
}

// Name returns Keras's name.
func (i Initializer) Name() string { return i.name }

// Values returns row-major values of a shape.
func (i Initializer) Values(r *train.Random, shape []int) ([]float32, error) {
	values := make([]float32, elements(shape))
	if i.draw == nil {
		return values, nil
	}
	return values, i.draw(r, values, shape)
}

func each(name string, next func(r *train.Random, fanIn, fanOut float64) func() float64) Initializer {
	return Initializer{name, func(r *train.Random, values []float32, shape []int) error {
		fanIn, fanOut := fans(shape)
		f := next(r, fanIn, fanOut)
		for i := range values {
			values[i] = float32(f())
		}
		return nil
	}}
}

// fans returns a weight's numbers of inputs and outputs (keras/src/initializers/random_initializers.py, compute_fans).
func fans(shape []int) (in, out float64) {
	switch len(shape) {
	case 0:
		return 1, 1
	case 1:
		return float64(shape[0]), float64(shape[0])
	}
	return float64(shape[0]), float64(shape[1])
}

// The initializers with Keras's defaults.
var (
	Zeros          = Constant(0)
	Ones           = Constant(1)
	GlorotUniform  = VarianceScaling(1, "fan_avg", "uniform").named("glorot_uniform")         // Glorot and Bengio 2010
	GlorotNormal   = VarianceScaling(1, "fan_avg", "truncated_normal").named("glorot_normal") // the same
	HeUniform      = VarianceScaling(2, "fan_in", "uniform").named("he_uniform")              // He et al. 2015
	HeNormal       = VarianceScaling(2, "fan_in", "truncated_normal").named("he_normal")      // the same
	LecunUniform   = VarianceScaling(1, "fan_in", "uniform").named("lecun_uniform")           // LeCun et al. 1998
	LecunNormal    = VarianceScaling(1, "fan_in", "truncated_normal").named("lecun_normal")   // the same
	standardNormal = func(r *train.Random) float64 { return r.Normal() }
)

func (i Initializer) named(name string) Initializer {
	i.name = name
	return i
}

// Constant sets every element to v.
func Constant(v float32) Initializer {
	name := "constant"
	switch v {
	case 0:
		name = "zeros"
	case 1:
		name = "ones"
	}
	return each(name, func(*train.Random, float64, float64) func() float64 { return func() float64 { return float64(v) } })
}

// RandomUniform draws from [low, high); Keras's defaults are -0.05 and 0.05.
func RandomUniform(low, high float64) Initializer {
	return each("random_uniform", func(r *train.Random, _, _ float64) func() float64 {
		return func() float64 { return low + (high-low)*r.Float64() }
	})
}

// RandomNormal draws from a normal distribution; Keras's defaults are 0 and 0.05.
func RandomNormal(mean, deviation float64) Initializer {
	return each("random_normal", func(r *train.Random, _, _ float64) func() float64 {
		return func() float64 { return mean + deviation*standardNormal(r) }
	})
}

// TruncatedNormal draws from a normal distribution and draws again what lies more than two deviations from the mean; Keras's
// defaults are 0 and 0.05.
func TruncatedNormal(mean, deviation float64) Initializer {
	return each("truncated_normal", func(r *train.Random, _, _ float64) func() float64 {
		return func() float64 { return mean + deviation*truncated(r) }
	})
}

func truncated(r *train.Random) float64 {
	for {
		if x := standardNormal(r); math.Abs(x) <= 2 {
			return x
		}
	}
}

// VarianceScaling draws with variance scale / n, where n is the weight's inputs ("fan_in"), outputs ("fan_out") or their mean
// ("fan_avg"), from the distribution "uniform", "untruncated_normal" or "truncated_normal".
func VarianceScaling(scale float64, mode, distribution string) Initializer {
	draw := func(r *train.Random, values []float32, shape []int) error {
		in, out := fans(shape)
		n, ok := map[string]float64{"fan_in": in, "fan_out": out, "fan_avg": (in + out) / 2}[mode]
		if !ok || !(scale > 0) {
			return fmt.Errorf("%w: variance scaling by %v with mode %q", train.ErrOption, scale, mode)
		}
		variance := scale / max(1, n)
		var next func() float64
		switch distribution {
		case "uniform":
			limit := math.Sqrt(3 * variance)
			next = func() float64 { return limit * (2*r.Float64() - 1) }
		case "untruncated_normal":
			next = func() float64 { return math.Sqrt(variance) * standardNormal(r) }
		case "truncated_normal", "normal":
			const shrink = 0.87962566103423978 // deviation of the standard normal cut at ±2
			next = func() float64 { return math.Sqrt(variance) / shrink * truncated(r) }
		default:
			return fmt.Errorf("%w: variance scaling has no distribution %q", train.ErrOption, distribution)
		}
		for i := range values {
			values[i] = float32(next())
		}
		return nil
	}
	return Initializer{"variance_scaling", draw}
}

// Orthogonal draws a matrix with orthonormal rows or columns, whichever are fewer, times gain (Saxe et al. 2013): the Q of the
// QR decomposition of a normal matrix, signs made unique.
func Orthogonal(gain float64) Initializer {
	return Initializer{"orthogonal", func(r *train.Random, values []float32, shape []int) error {
		if len(shape) < 2 {
			return fmt.Errorf("%w: orthogonal needs a matrix, not %v", train.ErrOption, shape)
		}
		rows, columns := elements(shape[:len(shape)-1]), shape[len(shape)-1]
		long, short := max(rows, columns), min(rows, columns)
		q := orthonormal(r, long, short)
		for i := range values {
			row, column := i/columns, i%columns
			if rows < columns {
				row, column = column, row
			}
			values[i] = float32(gain * q[column][row])
		}
		return nil
	}}
}

// orthonormal returns short orthonormal vectors of length long (Gram-Schmidt, twice, in float64).
func orthonormal(r *train.Random, long, short int) [][]float64 {
	q := make([][]float64, short)
	for j := range q {
		v := make([]float64, long)
		for i := range v {
			v[i] = standardNormal(r)
		}
		for range 2 {
			for _, u := range q[:j] {
				d := dot(u, v)
				for i := range v {
					v[i] -= d * u[i]
				}
			}
		}
		norm := math.Sqrt(dot(v, v))
		for i := range v {
			v[i] /= norm
		}
		q[j] = v
	}
	return q
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// Identity sets a square matrix to gain times the identity.
func Identity(gain float32) Initializer {
	return Initializer{"identity", func(_ *train.Random, values []float32, shape []int) error {
		if len(shape) != 2 {
			return fmt.Errorf("%w: identity needs a matrix, not %v", train.ErrOption, shape)
		}
		for i := range min(shape[0], shape[1]) {
			values[i*shape[1]+i] = gain
		}
		return nil
	}}
}

// ParseInitializer returns the initializer that Keras knows by a name, with its defaults.
func ParseInitializer(name string) (Initializer, error) {
	for _, i := range []Initializer{Zeros, Ones, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal,
		RandomUniform(-0.05, 0.05), RandomNormal(0, 0.05), TruncatedNormal(0, 0.05), Orthogonal(1), Identity(1),
		VarianceScaling(1, "fan_in", "truncated_normal")} {
		if i.name == name {
			return i, nil
		}
	}
	return Initializer{}, fmt.Errorf("%w: unknown initializer %q", train.ErrOption, name)
}
