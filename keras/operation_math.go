package keras

import (
	"math"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func opDivide(o *opCall) Value {
	a, b := o.pair()
	if !floating(a.DType) {
		a, b = o.cast(a, tensor.Float32), o.cast(b, tensor.Float32)
	}
	return o.div(a, b)
}

func opPower(o *opCall) Value {
	a, b := o.pair()
	if v, ok := o.arg(1, "x2", "y"); ok {
		if n, ok := number(v); ok && n == 2 {
			return o.unary("Square", a)
		}
	}
	return o.binary("Pow", a, b)
}

func opMatmul(o *opCall) Value {
	a, b := o.pair()
	s := o.settings(2, "transpose_a", "transpose_b")
	if a.rank() > 2 && b.rank() == 2 && !s.Bool("transpose_a", false) && !s.Bool("transpose_b", false) {
		return o.lastProduct(a, b)
	}
	return o.matmul(a, b, s.Bool("transpose_a", false), s.Bool("transpose_b", false))
}

func opEinsum(o *opCall) Value {
	equation := strings.ReplaceAll(o.config().String("subscripts", o.config().String("equation", "")), " ", "")
	left, out, ok := strings.Cut(equation, "->")
	in := strings.Split(left, ",")
	if !ok || len(in) != len(o.Args) || strings.Contains(equation, ".") {
		fail(ErrUnsupported, "the equation %q", equation)
	}
	size, operands := map[rune]int{}, []Value{}
	for i, term := range in {
		v := o.tensor(i)
		if len(term) != v.rank() {
			fail(ErrFormat, "the equation %q for a tensor of shape %v", equation, v.Shape)
		}
		for j, a := range term {
			if d, ok := size[a]; !ok || d < 0 {
				size[a] = v.Shape[j]
			}
		}
		operands = append(operands, v)
	}
	shape := tensor.Shape{}
	for _, a := range out {
		shape = append(shape, size[a])
	}
	return o.einsum(equation, shape, operands...)
}

func opVariance(o *opCall) Value {
	x := o.tensor(0, "x", "input_tensor")
	axes, keep := o.axes(x), o.settings(2, "keepdims").Bool("keepdims", false)
	_, v := o.moments(x, axes...)
	if !keep {
		v = o.squeeze(v, axes...)
	}
	return v
}

func opAllAny(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.cast(o.tensor(0, "x", "input_tensor"), tensor.Bool)
		return o.reduce(op, x, o.settings(2, "keepdims").Bool("keepdims", false), o.axes(x)...)
	}
}

func opArg(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x", "input")
		s := o.settings(1, "axis", "keepdims")
		if !s.has("axis") {
			x = o.reshape(x, o.times(o.dims(x)...))
		}
		axis := x.axis(s.Int("axis", 0))
		y := o.op(op, []Value{x, o.int(axis)}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32, "output_type": tensor.Int32}, tensor.Int32, without(x.Shape, axis))
		if s.Bool("keepdims", false) {
			y = o.expand(y, axis)
		}
		return y
	}
}

func opWhere(o *opCall) Value {
	condition := o.tensor(0, "condition")
	if condition.DType != tensor.Bool {
		condition = o.cast(condition, tensor.Bool)
	}
	for _, a := range o.Args[1:] {
		if v, ok := a.(Value); ok {
			o.like = v.DType
			break
		}
	}
	if o.like == tensor.Bool {
		o.like = tensor.Float32
	}
	return o.choose(condition, o.tensor(1, "x1", "x"), o.tensor(2, "x2", "y"))
}

func opClip(o *opCall) Value {
	x := o.tensor(0, "x", "t")
	s := o.settings(1, "x_min|clip_value_min", "x_max|clip_value_max")
	return o.clip(x, s.Float("x_min", math.Inf(-1)), s.Float("x_max", math.Inf(1)))
}

func opCast(o *opCall) Value {
	return o.cast(o.tensor(0, "x"), dtypeNamed(o.settings(1, "dtype").String("dtype", "float32")))
}

func opSoftmax(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		return o.along(op, o.tensor(0, "x", "logits"), o.settings(1, "axis").Int("axis", -1))
	}
}

func opOneHot(o *opCall) Value {
	x := o.tensor(0, "x", "indices")
	s := o.settings(1, "num_classes|depth", "axis", "dtype")
	d := dtypeNamed(s.String("dtype", "float32"))
	n := s.positive("num_classes")
	axis := s.Int("axis", -1)
	at := axis
	if at < 0 {
		at += x.rank() + 1
	}
	if at < 0 || at > x.rank() {
		fail(ErrFormat, "axis %d", axis)
	}
	if x.DType != tensor.Int32 && x.DType != tensor.Int64 {
		x = o.cast(x, tensor.Int64)
	}
	return o.op("OneHot", []Value{x, o.int(n), o.scalar(1, d), o.scalar(0, d)}, graph.Attrs{"T": d, "TI": x.DType, "axis": axis}, d,
		slices.Insert(slices.Clone(x.Shape), at, n))
}

func opGelu(o *opCall) Value {
	return o.gelu(o.tensor(0, "x", "features"), o.settings(1, "approximate").Bool("approximate", o.Layer.age == keras3))
}

func opLeaky(o *opCall) Value {
	return o.leakyReLU(o.tensor(0, "x", "features"), o.settings(1, "negative_slope|alpha").Float("negative_slope", 0.2))
}

func opElu(o *opCall) Value {
	return o.emitter.elu(o.tensor(0, "x", "features"), o.settings(1, "alpha").Float("alpha", 1))
}

func opCelu(o *opCall) Value {
	return o.celu(o.tensor(0, "x"), o.settings(1, "alpha").Float("alpha", 1))
}

func opGlu(o *opCall) Value { return o.glu(o.tensor(0, "x"), o.settings(1, "axis").Int("axis", -1)) }

func opNormalize(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "axis", "order", "epsilon")
	if s.Int("order", 2) != 2 {
		fail(ErrUnsupported, "order %v", s["order"])
	}
	sum := o.reduce("Sum", o.unary("Square", x), true, s.Int("axis", -1))
	return o.mul(x, o.binary("Minimum", o.unary("Rsqrt", sum), o.scalar(1/s.Float("epsilon", 1e-7), x.DType)))
}

func opNorm(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "ord", "axis", "keepdims")
	axes := s.ints("axis")
	if len(axes) != 1 || s.has("ord") && s["ord"] != 2.0 {
		fail(ErrUnsupported, "the norm %v over axes %v", s["ord"], s["axis"])
	}
	return o.unary("Sqrt", o.reduce("Sum", o.unary("Square", x), s.Bool("keepdims", false), axes...))
}

func opLogSumExp(o *opCall) Value {
	x := o.tensor(0, "x", "input_tensor")
	axes, keep := o.axes(x), o.settings(2, "keepdims").Bool("keepdims", false)
	largest := o.reduce("Max", x, true, slices.Clone(axes)...)
	y := o.add(o.unary("Log", o.reduce("Sum", o.unary("Exp", o.sub(x, largest)), true, slices.Clone(axes)...)), largest)
	if !keep {
		y = o.squeeze(y, axes...)
	}
	return y
}

func opPool(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "inputs")
		n := x.rank() - 2
		c := *o.Call
		l := *o.Layer
		l.Config = o.settings(1, "pool_size", "strides", "padding", "data_format")
		if !l.Config.has("strides") {
			delete(l.Config, "strides")
		}
		c.Layer, c.Inputs = &l, []Value{x}
		if n < 1 || n > 3 {
			fail(ErrFormat, "an input of shape %v", x.Shape)
		}
		return callPool(&c, n, op)[0]
	}
}

func opResize(o *opCall) Value {
	x := o.tensor(0, "images", "inputs")
	s := o.settings(1, "size", "interpolation", "antialias")
	if o.config().Bool("crop_to_aspect_ratio", false) || o.config().Bool("pad_to_aspect_ratio", false) {
		fail(ErrUnsupported, "an aspect ratio that is kept")
	}
	x.need(4)
	size := s.sizes("size", 2, 1)
	if o.config().channelsFirst() {
		y := o.resize(o.transpose(x, 0, 2, 3, 1), s.String("interpolation", "bilinear"), s.Bool("antialias", false), dim{n: size[0]}, dim{n: size[1]})
		return o.transpose(o.cast(y, x.DType), 0, 3, 1, 2)
	}
	y := o.resize(x, s.String("interpolation", "bilinear"), s.Bool("antialias", false), dim{n: size[0]}, dim{n: size[1]})
	return o.cast(y, x.DType)
}

func opTopK(o *opCall) []Value {
	x := o.tensor(0, "x", "input")
	s := o.settings(1, "k", "sorted")
	k := s.positive("k")
	x.last()
	shape := with(x.Shape, x.rank()-1, k)
	y := o.op("TopKV2", []Value{x, o.int(k)}, graph.Attrs{"T": x.DType, "sorted": s.Bool("sorted", true)}, x.DType, shape)
	return []Value{y, y.output(1, tensor.Int32, shape)}
}

func opCumsum(o *opCall) Value {
	x := o.tensor(0, "x")
	return o.op("Cumsum", []Value{x, o.int(x.axis(o.settings(1, "axis").Int("axis", 0)))}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32}, x.DType, x.Shape)
}
