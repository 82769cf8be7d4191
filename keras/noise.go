package keras

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: noisy(callDropout), passesMask: true}, "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
	register(class{call: noisy(callAlphaDropout), passesMask: true}, "AlphaDropout")
	register(class{call: noisy(callGaussianDropout), passesMask: true}, "GaussianDropout")
	register(class{call: noisy(callGaussianNoise), passesMask: true}, "GaussianNoise")
}

// noisy does nothing but in a training step.
func noisy(f func(c *Call, x Value) Value) buildFunc {
	return func(c *Call) []Value {
		if c.walk.training == nil {
			return []Value{c.x()}
		}
		return []Value{f(c, c.x())}
	}
}

// rate is the share that is dropped.
func (c *Call) rate() float64 {
	r := c.config().Float("rate", 0)
	if !(r >= 0 && r <= 1) {
		fail(ErrFormat, "rate %v is not in [0, 1]", r)
	}
	return r
}

// callDropout zeroes a share of the elements and scales the others (Srivastava et al. 2014).
func callDropout(c *Call, x Value) Value {
	rate := c.rate()
	switch rate {
	case 0:
		return x
	case 1:
		return c.unary("ZerosLike", x)
	}
	return c.mul(x, c.scale(c.kept(x, rate), 1/(1-rate)))
}

// kept is 1 for the elements that stay, 0 for those that are dropped, over the shape that Keras calls noise_shape.
func (c *Call) kept(x Value, rate float64) Value {
	uniform := c.randomNumbers("StatelessRandomUniform", x.DType, c.noiseShape(x)...)
	return c.cast(c.compare("GreaterEqual", uniform, c.scalar(rate, x.DType)), x.DType)
}

// noiseShape returns the dimensions of x, 1 for those along which all elements are dropped together.
func (c *Call) noiseShape(x Value) []dim {
	dims := c.dims(x)
	switch spatial := c.Layer.Class; spatial {
	case "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D":
		first, last := 1, x.rank()-1 // of the spatial axes, and after them
		if c.config().channelsFirst() {
			first, last = 2, x.rank()
		}
		for i := first; i < last; i++ {
			dims[i] = dim{n: 1}
		}
	}
	list, _ := c.config()["noise_shape"].([]any)
	if list != nil && len(list) != x.rank() {
		fail(ErrFormat, "noise_shape has %d dimensions, the input %d", len(list), x.rank())
	}
	for i, v := range list {
		if n, ok := number(v); ok && n >= 1 {
			dims[i] = dim{n: int(n)}
		}
	}
	return dims
}

// randomNumbers draws numbers that depend on the step's seed and on how many layers have drawn before. The first number of the
// seed counts them from 2³² on: heads count from 0.
func (c *Call) randomNumbers(op string, d tensor.DType, dims ...dim) Value {
	p := c.walk.training
	p.random++
	own := c.constant(tensor.Must(tensor.Of([]int64{int64(p.random) << 32, 0})))
	shape, known := c.shapeVector(slices.Clone(dims), false)
	return c.op(op, []Value{shape, c.add(p.seed, own)}, graph.Attrs{"dtype": d, "T": tensor.Int32, "Tseed": tensor.Int64}, d, known)
}

// callAlphaDropout drops to the value at which a SELU saturates, and keeps mean and variance (Klambauer et al. 2017).
func callAlphaDropout(c *Call, x Value) Value {
	rate := c.rate()
	if rate == 0 {
		return x
	}
	const saturated = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946
	a := 1 / math.Sqrt((1-rate)*(1+rate*saturated*saturated))
	kept := c.kept(x, rate)
	y := c.add(c.mul(x, kept), c.scale(c.sub(c.scalar(1, x.DType), kept), saturated))
	return c.shift(c.scale(y, a), -a*saturated*rate)
}

// callGaussianDropout multiplies with numbers around 1.
func callGaussianDropout(c *Call, x Value) Value {
	rate := c.rate()
	if rate == 0 {
		return x
	}
	noise := c.randomNumbers("StatelessRandomNormal", x.DType, c.dims(x)...)
	return c.mul(x, c.shift(c.scale(noise, math.Sqrt(rate/(1-rate))), 1))
}

// callGaussianNoise adds numbers around 0.
func callGaussianNoise(c *Call, x Value) Value {
	deviation := c.config().Float("stddev", 0)
	if deviation == 0 {
		return x
	}
	return c.add(x, c.scale(c.randomNumbers("StatelessRandomNormal", x.DType, c.dims(x)...), deviation))
}
