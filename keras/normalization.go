package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: callBatchNormalization, passesMask: true}, "BatchNormalization")
	register(class{call: callLayerNormalization, passesMask: true, keepsTypes: true}, "LayerNormalization")
	register(class{call: callGroupNormalization, passesMask: true}, "GroupNormalization")
	register(class{call: callUnitNormalization, passesMask: true}, "UnitNormalization")
	register(class{call: callRMSNormalization}, "RMSNormalization")
	register(class{call: callSpectralNormalization}, "SpectralNormalization")
	register(class{call: callNormalization, passesMask: true}, "Normalization")
}

// along returns a vector with the shape that lines it up with an axis of x.
func (e *emitter) lineUp(v, x Value, axes ...int) Value {
	if len(axes) == 1 && axes[0] == x.rank()-1 {
		return v
	}
	shape := slices.Repeat([]int{1}, x.rank())
	for i, a := range axes {
		shape[a] = v.Shape[i]
	}
	return e.reshape(v, known(shape...)...)
}

// atLeastFloat32 converts half floats, in which moments overflow.
func (e *emitter) atLeastFloat32(x Value) Value {
	if x.DType == tensor.Float64 {
		return x
	}
	return e.cast(x, tensor.Float32)
}

// statistic returns a weight of a normalization, which stays in its own type.
func (c *Call) statistic(name string, shape tensor.Shape, d tensor.DType, trainable bool) Value {
	return c.cast(c.variable(name, shape, c.policy.variable, trainable), d)
}

// batchNorm is one call of a BatchNormalization.
type batchNorm struct {
	axis, size     int // of the features
	gamma, beta    Value
	scale, center  bool // there is a gamma, a beta
	mean, variance Value
	epsilon        float64
	batch          bool // normalize by the batch, and move the statistics
}

// callBatchNormalization is gamma·(x - mean)/sqrt(variance + epsilon) + beta with the moving statistics, in a training step
// perhaps with the batch's (Ioffe and Szegedy 2015).
func callBatchNormalization(c *Call) []Value {
	in, cfg := c.x(), c.config()
	x := c.atLeastFloat32(in)
	b := &batchNorm{axis: x.axis(cfg.Int("axis", -1)), scale: cfg.Bool("scale", true), center: cfg.Bool("center", true), epsilon: cfg.Float("epsilon", 1e-3)}
	if b.size = x.Shape[b.axis]; b.size < 1 {
		fail(ErrUnsupported, "axis %d of an input of shape %v must be known", b.axis, x.Shape)
	}
	shape := tensor.Shape{b.size}
	if b.scale {
		b.gamma = c.statistic("gamma", shape, x.DType, true)
	}
	if b.center {
		b.beta = c.statistic("beta", shape, x.DType, true)
	}
	b.mean, b.variance = c.statistic("moving_mean", shape, x.DType, false), c.statistic("moving_variance", shape, x.DType, false)
	renorm := cfg.Bool("renorm", false)
	if renorm { // statistics of batch renormalization, which only training reads
		for _, name := range []string{"moving_stddev", "renorm_mean", "renorm_stddev"} {
			c.statistic(name, shape, x.DType, false)
		}
	}
	b.batch = c.walk.training.normalizesBatch(c.Layer)
	if b.batch && (renorm || c.Kwargs["mask"] != nil || in.Mask != nil) {
		fail(ErrUnsupported, "batch normalization of a training step with renorm or a mask")
	}
	normalize := c.normalizeBatch
	if x.rank() == 4 && b.axis == 3 && x.DType == tensor.Float32 {
		normalize = c.fusedBatchNorm
	}
	return []Value{c.cast(normalize(x, b), c.policy.compute)}
}

// fusedBatchNorm normalizes images, [batch, height, width, features], by the one op that TensorFlow has for it.
func (c *Call) fusedBatchNorm(x Value, b *batchNorm) Value {
	gamma, beta := b.gamma, b.beta
	if !b.scale {
		gamma = c.fill(1, x.DType, dim{n: b.size})
	}
	if !b.center {
		beta = c.fill(0, x.DType, dim{n: b.size})
	}
	mean, variance := b.mean, b.variance
	if b.batch {
		none := c.zeros(x.DType, dim{n: 0})
		mean, variance = none, none
	}
	y := c.op("FusedBatchNormV3", []Value{x, gamma, beta, mean, variance}, graph.Attrs{"T": x.DType, "U": tensor.Float32, "epsilon": float32(b.epsilon),
		"exponential_avg_factor": float32(1), "data_format": "NHWC", "is_training": b.batch}, x.DType, x.Shape)
	if b.batch {
		shape := tensor.Shape{b.size}
		c.moveStatistics(b.mean, y.output(1, x.DType, shape), b.variance, c.biased(y.output(2, x.DType, shape), x), y.Ref)
	}
	return y
}

// normalizeBatch normalizes inputs of any rank along any axis.
func (c *Call) normalizeBatch(x Value, b *batchNorm) Value {
	mean, variance := b.mean, b.variance
	if b.batch {
		var axes []int
		for i := range x.rank() {
			if i != b.axis {
				axes = append(axes, i)
			}
		}
		mean, variance = c.moments(x, axes...)
		mean, variance = c.reshape(mean, dim{n: b.size}), c.reshape(variance, dim{n: b.size})
		c.moveStatistics(b.mean, mean, b.variance, variance, variance.Ref)
	}
	inverse := c.unary("Rsqrt", c.shift(variance, b.epsilon))
	if b.scale {
		inverse = c.mul(inverse, b.gamma)
	}
	offset := c.unary("Neg", c.mul(mean, inverse))
	if b.center {
		offset = c.sub(b.beta, c.mul(mean, inverse))
	}
	return c.add(c.mul(x, c.lineUp(inverse, x, b.axis)), c.lineUp(offset, x, b.axis))
}

// biased undoes Bessel's correction, which FusedBatchNormV3 applies to the variance of a batch and Keras 3 does not: ·(n-1)/n, n
// being the number of elements that the variance is of.
func (c *Call) biased(variance, x Value) Value {
	count := c.scalarOf(c.times(c.dims(x)[:3]...))
	n := c.cast(count, tensor.Float32)
	rest := c.cast(c.binary("Maximum", c.sub(count, c.int(1)), c.int(1)), tensor.Float32)
	return c.mul(variance, c.div(rest, n))
}

// moveStatistics moves the layer's averages towards the batch's.
func (c *Call) moveStatistics(mean, batchMean, variance, batchVariance Value, by graph.Ref) {
	momentum := c.config().Float("momentum", 0.99)
	c.move("moving_mean", mean, batchMean, momentum, by)
	c.move("moving_variance", variance, batchVariance, momentum, by)
}

// moments returns mean and variance over axes, which stay with length 1.
func (e *emitter) moments(x Value, axes ...int) (mean, variance Value) {
	mean = e.reduce("Mean", x, true, slices.Clone(axes)...)
	return mean, e.reduce("Mean", e.op("SquaredDifference", []Value{x, mean}, graph.Attrs{"T": x.DType}, x.DType, x.Shape), true, slices.Clone(axes)...)
}

// axesOf reads one axis or a list of axes, sorted and not negative.
func (c *Call) axesOf(x Value) []int {
	axes := c.config().ints("axis")
	if axes == nil {
		axes = []int{-1}
	}
	for i, a := range axes {
		axes[i] = x.axis(a)
	}
	slices.Sort(axes)
	return axes
}

// callLayerNormalization normalizes each example over its own axes (Ba et al. 2016).
func callLayerNormalization(c *Call) []Value {
	in, cfg := c.x(), c.config()
	x := c.atLeastFloat32(in)
	axes := c.axesOf(x)
	shape := tensor.Shape{}
	for _, a := range axes {
		shape = append(shape, x.Shape[a])
	}
	epsilon, rms := cfg.Float("epsilon", 1e-3), cfg.Bool("rms_scaling", false)
	mean, variance := c.moments(x, axes...)
	inverse := c.unary("Rsqrt", c.shift(variance, epsilon))
	if cfg.Bool("scale", true) || rms {
		inverse = c.mul(inverse, c.lineUp(c.statistic("gamma", shape, x.DType, true), x, axes...))
	}
	if rms {
		return []Value{c.cast(c.mul(x, inverse), c.policy.compute)}
	}
	y := c.mul(c.sub(x, mean), inverse)
	if cfg.Bool("center", true) {
		y = c.add(y, c.lineUp(c.statistic("beta", shape, x.DType, true), x, axes...))
	}
	return []Value{c.cast(y, c.policy.compute)}
}

// callGroupNormalization normalizes groups of channels of each example (Wu and He 2018).
func callGroupNormalization(c *Call) []Value {
	in, cfg := c.x(), c.config()
	axis := in.axis(cfg.Int("axis", -1))
	n, groups := in.Shape[axis], cfg.Int("groups", 32)
	if groups == -1 {
		groups = n
	}
	if n < 1 || groups < 1 || n%groups != 0 {
		fail(ErrFormat, "%d groups of an input of shape %v", groups, in.Shape)
	}
	dims := c.dims(in)
	grouped := slices.Clone(dims)
	grouped[axis] = dim{n: n / groups}
	grouped = slices.Insert(grouped, axis, dim{n: groups})
	x := c.atLeastFloat32(c.reshape(in, grouped...))
	axes := []int{}
	for i := 1; i < x.rank(); i++ {
		if i != axis {
			axes = append(axes, i)
		}
	}
	mean, variance := c.moments(x, axes...)
	inverse := c.unary("Rsqrt", c.shift(variance, cfg.Float("epsilon", 1e-3)))
	channels := slices.Repeat([]int{1}, x.rank())
	channels[axis], channels[axis+1] = groups, n/groups
	if cfg.Bool("scale", true) {
		inverse = c.mul(inverse, c.reshape(c.statistic("gamma", tensor.Shape{n}, x.DType, true), known(channels...)...))
	}
	y := c.mul(c.sub(x, mean), inverse)
	if cfg.Bool("center", true) {
		y = c.add(y, c.reshape(c.statistic("beta", tensor.Shape{n}, x.DType, true), known(channels...)...))
	}
	return []Value{c.cast(c.reshape(y, dims...), c.policy.compute)}
}

// callUnitNormalization divides by the Euclidean norm over its axes.
func callUnitNormalization(c *Call) []Value {
	x := c.x()
	sum := c.reduce("Sum", c.unary("Square", x), true, c.axesOf(x)...)
	if c.Layer.age == keras3 {
		return []Value{c.mul(x, c.binary("Minimum", c.unary("Rsqrt", sum), c.scalar(1e7, x.DType)))}
	}
	return []Value{c.mul(x, c.unary("Rsqrt", c.binary("Maximum", sum, c.scalar(1e-12, x.DType))))}
}

// callRMSNormalization divides by the root of the mean square (Zhang and Sennrich 2019).
func callRMSNormalization(c *Call) []Value {
	in := c.x()
	x := c.atLeastFloat32(in)
	axes := c.axesOf(x)
	shape := tensor.Shape{}
	for _, a := range axes {
		shape = append(shape, x.Shape[a])
	}
	square := c.reduce("Mean", c.unary("Square", x), true, slices.Clone(axes)...)
	y := c.mul(x, c.unary("Rsqrt", c.shift(square, c.config().Float("epsilon", 1e-6))))
	y = c.mul(y, c.lineUp(c.statistic("scale", shape, x.DType, true), x, axes...))
	return []Value{c.cast(y, c.policy.compute)}
}

// callSpectralNormalization calls the layer it holds: when nothing is trained, its kernel is the normalized one already.
func callSpectralNormalization(c *Call) []Value {
	s := c.Layer.sublayers[0]
	out := c.inner(s, nil, c.x())
	for _, v := range s.variables {
		if v.Name == "kernel" || v.Name == "embeddings" {
			last := v.Shape[len(v.Shape)-1]
			c.Weight("vector_u", tensor.Shape{1, last}, false)
			if c.Layer.age < keras3 {
				c.Weight("sn_u", tensor.Shape{1, last}, false)
			}
		}
	}
	return out
}

// callNormalization is (x - mean)/sqrt(variance), with statistics that are in the configuration or among the weights.
func callNormalization(c *Call) []Value {
	x, cfg := c.x(), c.config()
	axes := []int{}
	if v, given := cfg["axis"]; !given || v != nil {
		axes = c.axesOf(x)
	}
	shape := tensor.Shape{}
	for _, a := range axes {
		shape = append(shape, x.Shape[a])
	}
	var mean, variance Value
	line := func(v Value) Value {
		if len(axes) == 0 {
			return v
		}
		return c.lineUp(v, x, axes...)
	}
	if cfg.has("mean") {
		given := func(key string) Value {
			v, s := cfg.numbers(key)
			t := c.floats(v, x.DType, s...)
			if t.rank() > 1 || len(axes) == 0 || t.rank() == 0 {
				return t
			}
			return c.lineUp(t, x, axes[len(axes)-1])
		}
		mean, variance = given("mean"), given("variance")
	} else {
		mean = line(c.Weight("mean", shape, false))
		variance = line(c.Weight("variance", shape, false))
		c.variable("count", tensor.Shape{}, countType(c), false)
	}
	deviation := c.binary("Maximum", c.unary("Sqrt", variance), c.scalar(1e-7, x.DType))
	if cfg.Bool("invert", false) {
		return []Value{c.add(mean, c.mul(x, deviation))}
	}
	return []Value{c.div(c.sub(x, mean), deviation)}
}

// countType is the type of Normalization's count.
func countType(c *Call) tensor.DType {
	if c.Layer.age == keras3 {
		return tensor.Int32
	}
	return tensor.Int64
}
