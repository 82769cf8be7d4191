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

// opEinsum is the product of tensors along axes that have letters; "..." stands for leading axes that broadcast.
func opEinsum(o *opCall) Value {
	equation := o.config().String("subscripts", o.config().String("equation", ""))
	args := o.Args
	if text, ok := o.firstText(); ok {
		equation, args = text, args[1:]
	} else if text, ok := o.Kwargs["equation"].(string); ok {
		equation = text
	}
	if len(args) == 0 {
		args, _ = o.Kwargs["inputs"].([]any)
	}
	equation = strings.ReplaceAll(equation, " ", "")
	left, out, ok := strings.Cut(equation, "->")
	in := strings.Split(left, ",")
	if !ok || len(in) != len(args) {
		fail(ErrUnsupported, "the equation %q", equation)
	}
	size, operands, lead := map[rune]int{}, []Value{}, tensor.Shape{}
	for i, term := range in {
		v := o.operand(args[i], o.like)
		before, after, dots := strings.Cut(term, "...")
		n := v.rank() - len(before) - len(after)
		if n < 0 || n > 0 && !dots {
			fail(ErrFormat, "the equation %q for a tensor of shape %v", equation, v.Shape)
		}
		lead = broadcast(lead, v.Shape[len(before):len(before)+n])
		rest := slices.Concat(v.Shape[:len(before)], v.Shape[len(before)+n:])
		for j, a := range before + after {
			if d, ok := size[a]; !ok || d < 0 {
				size[a] = rest[j]
			}
		}
		operands = append(operands, v)
	}
	shape := tensor.Shape{}
	before, after, dots := strings.Cut(out, "...")
	for _, a := range before {
		shape = append(shape, size[a])
	}
	if dots {
		shape = append(shape, lead...)
	}
	for _, a := range after {
		shape = append(shape, size[a])
	}
	return o.einsum(equation, shape, operands...)
}

// firstText returns the first argument if it is a text.
func (o *opCall) firstText() (string, bool) {
	if len(o.Args) == 0 {
		return "", false
	}
	s, ok := o.Args[0].(string)
	return s, ok
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

// opNormalize divides by a norm, which is at least epsilon. TensorFlow's l2_normalize bounds the square of the norm, and takes
// all axes where none is given.
func opNormalize(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "axis|dim", "order", "epsilon")
	axes, epsilon := s.ints("axis"), s.Float("epsilon", 1e-7)
	if o.Layer.age < keras3 {
		s = o.settings(1, "axis|dim", "epsilon")
		axes, epsilon = s.ints("axis"), math.Sqrt(s.Float("epsilon", 1e-12))
		delete(s, "order")
	}
	if axes == nil {
		if axes = []int{-1}; o.Layer.age < keras3 {
			axes = identity(x.rank())
		}
	}
	if order := s.Float("order", 2); order != 2 {
		return o.div(x, o.binary("Maximum", o.norm(x, order, true, axes...), o.scalar(epsilon, x.DType)))
	}
	sum := o.reduce("Sum", o.unary("Square", x), true, axes...)
	return o.mul(x, o.binary("Minimum", o.unary("Rsqrt", sum), o.scalar(1/epsilon, x.DType)))
}

func opNorm(o *opCall) Value {
	x := o.tensor(0, "x", "tensor")
	s := o.settings(1, "ord", "axis", "keepdims")
	axes := s.ints("axis")
	if axes == nil {
		axes = identity(x.rank())
	}
	order, ok := number(s["ord"])
	switch {
	case !s.has("ord") || s["ord"] == "fro" || s["ord"] == "euclidean":
		order = 2
	case !ok || len(axes) > 1:
		fail(ErrUnsupported, "the norm %v over axes %v", s["ord"], s["axis"])
	}
	return o.norm(x, order, s.Bool("keepdims", false), axes...)
}

// norm is the vector norm of an order, which can be infinite.
func (e *emitter) norm(x Value, order float64, keep bool, axes ...int) Value {
	switch {
	case order == 2:
		return e.unary("Sqrt", e.reduce("Sum", e.unary("Square", x), keep, axes...))
	case order == 1:
		return e.reduce("Sum", e.unary("Abs", x), keep, axes...)
	case math.IsInf(order, 1):
		return e.reduce("Max", e.unary("Abs", x), keep, axes...)
	case math.IsInf(order, -1):
		return e.reduce("Min", e.unary("Abs", x), keep, axes...)
	case order > 0:
		sum := e.reduce("Sum", e.binary("Pow", e.unary("Abs", x), e.scalar(order, x.DType)), keep, axes...)
		return e.binary("Pow", sum, e.scalar(1/order, x.DType))
	}
	fail(ErrUnsupported, "the norm of order %v", order)
	return Value{}
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
	s := o.settings(1, "size", "interpolation|method", "antialias")
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
