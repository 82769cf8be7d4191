package keras

import (
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

func init() {
	fold := func(op string, names ...string) {
		register(class{ownMask: true, call: func(c *Call) []Value { return []Value{c.mergeMasks(c.fold(op))} }}, names...)
	}
	fold("AddV2", "keras.layers>Add")
	fold("Mul", "keras.layers>Multiply")
	fold("Maximum", "keras.layers>Maximum")
	fold("Minimum", "keras.layers>Minimum")
	register(class{ownMask: true, call: func(c *Call) []Value {
		c.several(2)
		return []Value{c.mergeMasks(c.fold("Sub"))}
	}}, "keras.layers>Subtract")
	register(class{ownMask: true, call: func(c *Call) []Value {
		sum := c.fold("AddV2")
		return []Value{c.mergeMasks(c.div(sum, c.scalar(float64(len(c.Inputs)), sum.DType)))}
	}}, "keras.layers>Average")
	register(class{ownMask: true, call: func(c *Call) []Value {
		return []Value{c.concatMasks(c.config().Int("axis", -1))}
	}}, "Concatenate", "TFDConcat")
	register(class{call: func(c *Call) []Value {
		c.several(2)
		return []Value{c.dot(c.Inputs[0], c.Inputs[1])}
	}}, "keras.layers>Dot")
	register(class{ownMask: true, call: callMerge}, "Merge")
}

// several checks the number of inputs; 0 means at least one.
func (c *Call) several(n int) {
	if len(c.Inputs) == 0 || n > 0 && len(c.Inputs) != n {
		fail(ErrFormat, "called with %d inputs, %d are needed", len(c.Inputs), max(n, 1))
	}
}

// fold combines the inputs from the first to the last. Where their ranks differ, axes of 1 are inserted after the batch.
func (c *Call) fold(op string) Value {
	c.several(0)
	rank := 0
	for _, v := range c.Inputs {
		rank = max(rank, v.rank())
	}
	y := Value{}
	for i, v := range c.Inputs {
		for v.rank() < rank {
			v = c.expand(v, 1)
		}
		if i == 0 {
			y = v
		} else {
			y = c.binary(op, y, v)
		}
	}
	return y
}

// mergeMasks gives y the mask of elementwise layers. Keras 2 takes the intersection of the masks that there are, Keras 3 the
// union of the masks of all inputs, and none where an input has none (base_merge.py).
func (c *Call) mergeMasks(y Value) Value {
	op, strict := "LogicalAnd", false
	if c.Layer.age == keras3 {
		op, strict = "LogicalOr", true
	}
	var mask *Value
	for _, v := range c.Inputs {
		switch {
		case v.Mask == nil && strict:
			return y.masked(nil)
		case v.Mask == nil:
		case mask == nil:
			mask = v.Mask
		default:
			m := c.logical(op, *mask, *v.Mask)
			mask = &m
		}
	}
	return y.masked(mask)
}

// concatMasks joins the inputs and, where one has a mask, their masks; an input without counts everywhere.
func (c *Call) concatMasks(axis int) Value {
	c.several(0)
	y := c.concat(axis, c.Inputs...)
	y.Mask = nil
	if !slices.ContainsFunc(c.Inputs, func(v Value) bool { return v.Mask != nil }) {
		return y
	}
	axis = y.axis(axis)
	masks := make([]Value, len(c.Inputs))
	for i, v := range c.Inputs {
		if v.Mask == nil {
			masks[i] = c.fill(1, tensor.Bool, c.dims(v)...)
			continue
		}
		m := *v.Mask
		for m.rank() < v.rank() {
			m = c.expand(m, -1)
		}
		masks[i] = c.broadcastTo(m, c.dims(v)...)
	}
	op := "All"
	if c.Layer.age == keras3 {
		op = "Any"
	}
	m := c.reduce(op, c.concat(axis, masks...), false, -1)
	return y.masked(&m)
}

// dot is keras.layers.Dot: a batched product over one axis of each input.
func (c *Call) dot(a, b Value) Value {
	axes := c.config().tuple("axes", 2, -1)
	if k := c.config().ints("dot_axes"); k != nil {
		axes = c.config().tuple("dot_axes", 2, -1)
	}
	i, j := a.axis(axes[0]), b.axis(axes[1])
	if c.config().Bool("normalize", false) {
		a, b = c.unit(a, i), c.unit(b, j)
	}
	return c.batchDot(a, b, i, j)
}

// unit divides by the Euclidean norm along an axis.
func (c *Call) unit(x Value, axis int) Value {
	sum := c.reduce("Sum", c.unary("Square", x), true, axis)
	if c.Layer.age == keras3 {
		return c.mul(x, c.binary("Minimum", c.unary("Rsqrt", sum), c.scalar(1e7, x.DType)))
	}
	return c.mul(x, c.unary("Rsqrt", c.binary("Maximum", sum, c.scalar(1e-12, x.DType))))
}

// batchDot contracts axis i of a with axis j of b for each example; the other axes follow one another.
func (e *emitter) batchDot(a, b Value, i, j int) Value {
	if i == 0 || j == 0 || a.rank() < 2 || b.rank() < 2 {
		fail(ErrFormat, "a product of shapes %v and %v over axes %d and %d", a.Shape, b.Shape, i, j)
	}
	const letters = "cdefghijklmnopqrstuvwxyz"
	left, right, out, shape, next := []byte{'a'}, []byte{'a'}, []byte{'a'}, tensor.Shape{a.Shape[0]}, 0
	add := func(dst *[]byte, v Value, contracted int) {
		for k := 1; k < v.rank(); k++ {
			if k == contracted {
				*dst = append(*dst, 'b')
				continue
			}
			*dst = append(*dst, letters[next])
			out = append(out, letters[next])
			shape = append(shape, v.Shape[k])
			next++
		}
	}
	add(&left, a, i)
	add(&right, b, j)
	y := e.einsum(string(left)+","+string(right)+"->"+string(out), shape, a, b)
	if y.rank() == 1 {
		y = e.expand(y, 1)
	}
	return y
}

// callMerge is the Merge layer of Keras 1.
func callMerge(c *Call) []Value {
	switch mode := c.config().String("mode", "sum"); mode {
	case "sum":
		return []Value{c.mergeMasks(c.fold("AddV2"))}
	case "mul":
		return []Value{c.mergeMasks(c.fold("Mul"))}
	case "max":
		return []Value{c.mergeMasks(c.fold("Maximum"))}
	case "ave":
		sum := c.fold("AddV2")
		return []Value{c.mergeMasks(c.div(sum, c.scalar(float64(len(c.Inputs)), sum.DType)))}
	case "concat":
		return []Value{c.concatMasks(c.config().Int("concat_axis", -1))}
	case "dot", "cos":
		c.several(2)
		if mode == "cos" {
			c.Inputs[0], c.Inputs[1] = c.unit(c.Inputs[0], -1), c.unit(c.Inputs[1], -1)
		}
		return []Value{c.dot(c.Inputs[0], c.Inputs[1])}
	default:
		fail(ErrUnsupported, "mode %q", mode)
		return nil
	}
}

// masking is keras.layers.Masking.
func callMasking(c *Call) []Value {
	x := c.x()
	value := c.scalar(c.config().Float("mask_value", 0), x.DType)
	differs := c.compare("NotEqual", x, value)
	mask := c.reduce("Any", differs, false, -1)
	kept := c.mul(x, c.cast(c.expand(mask, -1), x.DType))
	return []Value{kept.masked(&mask)}
}

func init() {
	register(class{call: callMasking, ownMask: true}, "Masking")
	same := func(c *Call) []Value { return []Value{c.x()} }
	register(class{call: same, passesMask: true}, "ActivityRegularization")
	register(class{call: same, passesMask: true, keepsTypes: true}, "Identity", "TFDIdentity") // TFD…: of a FeatureSpace
}
