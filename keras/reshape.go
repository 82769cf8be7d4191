package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: callFlatten, keepsTypes: true}, "Flatten")
	register(class{call: callReshape}, "Reshape")
	register(class{call: callPermute}, "Permute")
	register(class{call: callRepeatVector}, "RepeatVector")
	for i, n := range []string{"1D", "2D", "3D"} {
		rank := i + 1
		register(class{call: func(c *Call) []Value { return callZeroPadding(c, rank) }}, "ZeroPadding"+n)
		register(class{call: func(c *Call) []Value { return callCropping(c, rank) }}, "Cropping"+n)
		register(class{call: func(c *Call) []Value { return callUpSampling(c, rank) }}, "UpSampling"+n)
	}
}

// callFlatten joins all axes but the batch. Channels that come first are moved last, as Keras does.
func callFlatten(c *Call) []Value {
	x := c.x()
	if x.rank() < 2 {
		return []Value{c.expand(x, 1)}
	}
	if c.config().channelsFirst() && x.rank() > 2 {
		last, _ := permutations(x.rank())
		x = c.transpose(x, last...)
	}
	n := product(x.Shape[1:]...)
	if n >= 0 {
		return []Value{c.reshape(x, c.dim(x, 0), dim{n: n})}
	}
	return []Value{c.reshape(x, c.dim(x, 0), c.times(c.dims(x)[1:]...))}
}

// callReshape gives each example another shape, in which one -1 is worked out.
func callReshape(c *Call) []Value {
	x, target := c.x(), c.config().ints("target_shape")
	return []Value{c.reshapeTo(x, target)}
}

func (e *emitter) reshapeTo(x Value, target []int) Value {
	dims, free, rest := []dim{e.dim(x, 0)}, -1, 1
	for i, d := range target {
		switch {
		case d >= 0:
			rest = product(rest, d)
		case d == -1 && free < 0:
			free = i
		default:
			fail(ErrFormat, "the shape %v", target)
		}
		dims = append(dims, dim{n: d})
	}
	n := product(x.Shape[1:]...) // of an example; negative if unknown
	if n >= 0 && (free < 0 && n != rest || free >= 0 && rest > 0 && n%rest != 0) {
		fail(ErrFormat, "an example of shape %v cannot be reshaped to %v", x.Shape[1:], target)
	}
	if free >= 0 {
		if n >= 0 && rest > 0 {
			dims[free+1] = dim{n: n / rest}
		} else if dims[0].n < 0 {
			// two sizes are unknown: the batch is taken from the input, the other worked out by TensorFlow
			parts := make([]Value, len(dims))
			shape := make(tensor.Shape, len(dims))
			for i, d := range dims {
				shape[i] = d.n
				if i == 0 {
					parts[i] = d.v
				} else {
					parts[i] = e.int(d.n)
				}
			}
			return e.op("Reshape", []Value{x, e.stack(0, parts...)}, graph.Attrs{"T": x.DType, "Tshape": tensor.Int32}, x.DType, shape)
		}
	}
	return e.reshape(x, dims...)
}

// callPermute permutes the axes after the batch; dims count from 1.
func callPermute(c *Call) []Value {
	return []Value{c.transpose(c.x(), append([]int{0}, c.config().ints("dims")...)...)}
}

// callRepeatVector repeats [batch, features] to [batch, n, features].
func callRepeatVector(c *Call) []Value {
	x := c.x()
	x.need(2)
	return []Value{c.tile(c.expand(x, 1), known(1, c.config().positive("n"), 1)...)}
}

// pairs reads padding or cropping: a number, one for each axis, or a pair for each axis.
func (c *Call) pairs(key string, n, def int) [][2]int {
	out := make([][2]int, n)
	switch v := unwrapList(c.config()[key]).(type) {
	case nil:
		for i := range out {
			out[i] = [2]int{def, def}
		}
	case []any:
		if n == 1 && len(v) == 2 {
			p := c.config().tuple(key, 2, 0)
			out[0] = [2]int{p[0], p[1]}
			break
		}
		if len(v) != n {
			fail(ErrFormat, "%s is %v, %d entries are needed", key, v, n)
		}
		for i := range v {
			p := Config{key: v[i]}.tuple(key, 2, 0)
			out[i] = [2]int{p[0], p[1]}
		}
	default:
		p := c.config().Int(key, 0)
		for i := range out {
			out[i] = [2]int{p, p}
		}
	}
	for _, p := range out {
		if p[0] < 0 || p[1] < 0 {
			fail(ErrFormat, "%s is %v", key, out)
		}
	}
	return out
}

// spatial is the first spatial axis.
func (c *Call) spatial() int {
	if c.config().channelsFirst() {
		return 2
	}
	return 1
}

func callZeroPadding(c *Call, n int) []Value {
	x := c.x()
	x.need(n + 2)
	padding := make([][2]int, x.rank())
	copy(padding[c.spatial():], c.pairs("padding", n, 1))
	return []Value{c.pad(x, "", 0, padding...)}
}

func callCropping(c *Call, n int) []Value {
	x := c.x()
	x.need(n + 2)
	for i, p := range c.pairs("cropping", n, 1) {
		axis := c.spatial() + i
		if size := x.Shape[axis]; size >= 0 && p[0]+p[1] >= size {
			fail(ErrFormat, "cropping %v leaves nothing of %v", p, x.Shape)
		}
		if p[0]+p[1] > 0 {
			x = c.slice(x, axis, p[0], -p[1])
		}
	}
	return []Value{x}
}

// callUpSampling repeats rows and columns, or interpolates between them.
func callUpSampling(c *Call, n int) []Value {
	in := c.x()
	in.need(n + 2)
	size := c.config().sizes("size", n, 2)
	if mode := c.config().String("interpolation", "nearest"); n == 2 && mode != "nearest" {
		x, back := c.channelsLast(in)
		height := c.times(c.dim(x, 1), dim{n: size[0]})
		width := c.times(c.dim(x, 2), dim{n: size[1]})
		return []Value{back(c.cast(c.resize(x, mode, false, height, width), in.DType))}
	}
	x := in
	for i, s := range size {
		x = c.repeat(x, c.spatial()+i, s)
	}
	return []Value{x}
}

// resize scales images [batch, height, width, channels] as tf.image.resize does (pixel centres at one half).
func (e *emitter) resize(x Value, mode string, antialias bool, height, width dim) Value {
	size, out := e.shapeVector([]dim{height, width}, false)
	shape := tensor.Shape{x.Shape[0], out[0], out[1], x.Shape[3]}
	if slices.Equal(shape[1:3], x.Shape[1:3]) && !slices.Contains(shape[1:3], -1) {
		return x
	}
	centers := graph.Attrs{"T": x.DType, "align_corners": false, "half_pixel_centers": true}
	switch mode {
	case "nearest":
		return e.op("ResizeNearestNeighbor", []Value{x, size}, centers, x.DType, shape)
	case "bilinear":
		if !antialias {
			return e.op("ResizeBilinear", []Value{x, size}, centers, tensor.Float32, shape)
		}
		return e.scaleAndTranslate(x, "triangle", antialias, size, shape)
	case "bicubic":
		if !antialias {
			return e.op("ResizeBicubic", []Value{x, size}, centers, tensor.Float32, shape)
		}
		return e.scaleAndTranslate(x, "keyscubic", antialias, size, shape)
	case "area":
		return e.op("ResizeArea", []Value{x, size}, graph.Attrs{"T": x.DType, "align_corners": false}, tensor.Float32, shape)
	case "lanczos3", "lanczos5", "gaussian":
		return e.scaleAndTranslate(x, mode, antialias, size, shape)
	}
	fail(ErrUnsupported, "interpolation %q", mode)
	return Value{}
}

func (e *emitter) scaleAndTranslate(x Value, kernel string, antialias bool, size Value, shape tensor.Shape) Value {
	in, _ := e.shapeVector([]dim{e.dim(x, 1), e.dim(x, 2)}, false)
	scale := e.div(e.cast(size, tensor.Float32), e.cast(in, tensor.Float32))
	return e.op("ScaleAndTranslate", []Value{x, size, scale, e.fill(0, tensor.Float32, dim{n: 2})},
		graph.Attrs{"T": x.DType, "kernel_type": kernel, "antialias": antialias}, tensor.Float32, shape)
}
