package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
)

func init() {
	for i, n := range []string{"1D", "2D", "3D"} {
		rank := i + 1
		register(class{call: func(c *Call) []Value { return callPool(c, rank, "MaxPool") }}, "MaxPooling"+n)
		register(class{call: func(c *Call) []Value { return callPool(c, rank, "AvgPool") }}, "AveragePooling"+n)
		register(class{call: func(c *Call) []Value { return callGlobalPool(c, rank, "Max") }}, "GlobalMaxPooling"+n)
		register(class{call: func(c *Call) []Value { return callGlobalPool(c, rank, "Mean") }}, "GlobalAveragePooling"+n)
		register(class{call: func(c *Call) []Value { return callAdaptivePool(c, rank, "Max") }}, "AdaptiveMaxPooling"+n)
		register(class{call: func(c *Call) []Value { return callAdaptivePool(c, rank, "Mean") }}, "AdaptiveAveragePooling"+n)
	}
}

// callPool is MaxPooling and AveragePooling. x: [batch, spatial…, channels].
func callPool(c *Call, n int, op string) []Value {
	in := c.x()
	in.need(n + 2)
	w := c.window(n, "pool_size", false)
	w.dilation = slices.Repeat([]int{1}, n)
	x, back := c.channelsLast(in)
	if n == 1 {
		y := c.pool(op, c.expand(x, 1), w.wider())
		return []Value{back(c.squeeze(y, 1))}
	}
	return []Value{back(c.pool(op, x, w))}
}

func (e *emitter) pool(op string, x Value, w window) Value {
	n := len(w.size)
	shape := slices.Clone(x.Shape)
	for i := range n {
		shape[i+1] = w.output(x.Shape[i+1], i)
	}
	attrs := graph.Attrs{"T": x.DType, "ksize": around(w.size), "strides": around(w.strides), "padding": w.padding, "data_format": "NHWC"}
	switch {
	case n == 3:
		op += "3D"
		attrs["data_format"] = "NDHWC"
	case op == "MaxPool":
		attrs["explicit_paddings"] = []int{}
	}
	return e.op(op, []Value{x}, attrs, x.DType, shape)
}

// callGlobalPool reduces the spatial axes; GlobalAveragePooling1D counts only what its mask lets through.
func callGlobalPool(c *Call, n int, op string) []Value {
	x := c.x()
	x.need(n + 2)
	axes := []int{}
	for i := range n {
		if c.config().channelsFirst() {
			axes = append(axes, i+2)
		} else {
			axes = append(axes, i+1)
		}
	}
	keep := c.config().Bool("keepdims", false)
	if op == "Mean" && n == 1 && x.Mask != nil {
		m := c.cast(*x.Mask, x.DType)
		if c.config().channelsFirst() {
			m = c.expand(m, 1)
		} else {
			m = c.expand(m, 2)
		}
		sum := c.reduce("Sum", c.mul(x, m), keep, axes...)
		return []Value{c.div(sum, c.reduce("Sum", m, keep, axes...))}
	}
	return []Value{c.reduce(op, x, keep, axes...)}
}

// callAdaptivePool reduces windows whose bounds are chosen so that the output has a given size; the axes must be known.
func callAdaptivePool(c *Call, n int, op string) []Value {
	in := c.x()
	in.need(n + 2)
	x, back := c.channelsLast(in)
	for i, size := range c.config().sizes("output_size", n, 1) {
		length := x.Shape[i+1]
		if length < 1 {
			fail(ErrUnsupported, "an input of unknown size %v", x.Shape)
		}
		parts := make([]Value, bounded(size, "output_size"))
		for j := range parts {
			begin, end := j*length/size, ((j+1)*length+size-1)/size
			parts[j] = c.reduce(op, c.strided(x, i+1, begin, end, 1, false), true, i+1)
		}
		x = c.concat(i+1, parts...)
	}
	return []Value{back(x)}
}
