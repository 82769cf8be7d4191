package keras

import (
	"math"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Operations on each element by itself that TensorFlow does not have as one op.

func opCubeRoot(o *opCall) Value {
	x := o.tensor(0, "x")
	return o.mul(o.unary("Sign", x), o.binary("Pow", o.unary("Abs", x), o.scalar(1.0/3, x.DType)))
}

func opTruncate(o *opCall) Value {
	x := o.tensor(0, "x")
	return o.choose(o.compare("Less", x, o.scalar(0, x.DType)), o.unary("Ceil", x), o.unary("Floor", x))
}

func opNanToNum(o *opCall) Value {
	x := o.tensor(0, "x")
	if !floating(x.DType) {
		return x
	}
	s := o.settings(1, "nan", "posinf", "neginf")
	largest := map[tensor.DType]float64{tensor.Float16: 65504, tensor.BFloat16: 3.3895314e38, tensor.Float32: math.MaxFloat32, tensor.Float64: math.MaxFloat64}[x.DType]
	for _, replaced := range []struct{ what, by float64 }{{math.Inf(1), s.Float("posinf", largest)}, {math.Inf(-1), s.Float("neginf", -largest)}} {
		x = o.choose(o.compare("Equal", x, o.scalar(replaced.what, x.DType)), o.scalar(replaced.by, x.DType), x)
	}
	return o.choose(o.compare("NotEqual", x, x), o.scalar(s.Float("nan", 0), x.DType), x)
}

func opExclusiveOr(o *opCall) Value {
	a, b := o.pair()
	return o.compare("NotEqual", o.cast(a, tensor.Bool), o.cast(b, tensor.Bool))
}

func opIsClose(o *opCall) Value {
	a, b := o.pair()
	s := o.settings(2, "rtol", "atol")
	room := o.shift(o.scale(o.unary("Abs", b), s.Float("rtol", 1e-5)), s.Float("atol", 1e-8))
	return o.compare("LessEqual", o.unary("Abs", o.sub(a, b)), room)
}

func opHypotenuse(o *opCall) Value {
	a, b := o.pair()
	return o.unary("Sqrt", o.add(o.unary("Square", a), o.unary("Square", b)))
}

// opLogAddExp is log(exp(a) + exp(b)).
func opLogAddExp(o *opCall) Value {
	a, b := o.pair()
	return o.add(o.binary("Maximum", a, b), o.unary("Log1p", o.unary("Exp", o.unary("Neg", o.unary("Abs", o.sub(a, b))))))
}

// opShrink moves what is beyond a threshold towards zero (soft), or leaves it (hard); what is within becomes zero.
func opShrink(soft bool) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x")
		limit := o.settings(1, "threshold").Float("threshold", 0.5)
		if soft {
			return o.sub(x, o.clip(x, -limit, limit))
		}
		return o.choose(o.compare("Greater", o.unary("Abs", x), o.scalar(limit, x.DType)), x, o.scalar(0, x.DType))
	}
}

func opThreshold(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "threshold", "default_value")
	above := o.compare("Greater", x, o.scalar(s.Float("threshold", 0), x.DType))
	return o.choose(above, x, o.scalar(s.Float("default_value", 0), x.DType))
}

func opFullLike(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	fill := o.tensor(1, "fill_value")
	d := x.DType
	if name := o.config().String("dtype", ""); name != "" {
		d = dtypeNamed(name)
	}
	return o.broadcastTo(o.cast(fill, d), o.dims(x)...)
}

// opAddN adds a list of tensors.
func opAddN(o *opCall) Value {
	list := o.list("inputs")
	sum := list[0]
	for _, v := range list[1:] {
		sum = o.add(sum, v)
	}
	return sum
}

// opGrayscale weighs the three channels as television does.
func opGrayscale(o *opCall) Value {
	x := o.tensor(0, "images")
	axis := -1
	if o.config().channelsFirst() {
		axis = -3
	}
	weights, shape := []float64{0.2989, 0.587, 0.114}, []int{3}
	for range -1 - axis {
		shape = append(shape, 1)
	}
	return o.reduce("Sum", o.mul(x, o.floats(weights, x.DType, shape...)), true, axis)
}

// opBlocks is SpaceToDepth and DepthToSpace.
func opBlocks(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x", "input")
		s := o.settings(1, "block_size", "data_format")
		x.need(4)
		n := s.positive("block_size")
		first := s["data_format"] == "channels_first" || s["data_format"] == "NCHW"
		if first {
			x = o.transpose(x, 0, 2, 3, 1)
		}
		shape := x.Shape.Clone()
		for i := range shape[1:] {
			grows := i == 2 == (op == "SpaceToDepth")
			by := n
			if i == 2 {
				by = n * n
			}
			switch {
			case shape[i+1] < 0:
			case grows:
				shape[i+1] = product(shape[i+1], by)
			case shape[i+1]%by != 0:
				fail(ErrFormat, "blocks of %d in a tensor of shape %v", n, x.Shape)
			default:
				shape[i+1] /= by
			}
		}
		y := o.op(op, []Value{x}, graph.Attrs{"T": x.DType, "block_size": n, "data_format": "NHWC"}, x.DType, shape)
		if first {
			y = o.transpose(y, 0, 3, 1, 2)
		}
		return y
	}
}

// opShape gives the sizes of the axes as a vector.
func opShape(o *opCall) Value {
	x := o.tensor(0, "input", "x")
	return o.op("Shape", []Value{x}, graph.Attrs{"T": x.DType, "out_type": tensor.Int32}, tensor.Int32, tensor.Shape{x.rank()})
}

// opConvert is convert_to_tensor: what it is given, perhaps as another type.
func opConvert(o *opCall) Value {
	x := o.tensor(0, "x")
	if name := o.config().String("dtype", ""); name != "" {
		return o.cast(x, dtypeNamed(name))
	}
	return o.unary("Identity", x).masked(x.Mask)
}

// opSaturate casts; what the type cannot hold becomes the nearest number that it can.
func opSaturate(o *opCall) Value {
	x := o.tensor(0, "x")
	d := dtypeNamed(o.settings(1, "dtype").String("dtype", ""))
	if bits := 8 * d.Size(); !floating(d) && bits < 32 {
		low, high := -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)-1
		if d == tensor.Uint8 || d == tensor.Uint16 {
			low, high = 0, math.Ldexp(1, bits)-1
		}
		return o.cast(o.clip(x, low, high), d)
	}
	if x.DType != d && !(floating(x.DType) && floating(d)) {
		fail(ErrUnsupported, "a saturating cast of %v to %v", x.DType, d)
	}
	return o.cast(x, d)
}

// opPresent is the maximum or minimum of the two that is a number.
func opPresent(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		a, b := o.pair()
		y := o.binary(op, a, b)
		if !floating(a.DType) {
			return y
		}
		return o.choose(o.compare("NotEqual", a, a), b, o.choose(o.compare("NotEqual", b, b), a, y))
	}
}

// opHeaviside is 0 below zero, 1 above, and the second argument at zero.
func opHeaviside(o *opCall) Value {
	a, b := o.pair()
	if !floating(a.DType) {
		a, b = o.cast(a, tensor.Float32), o.cast(b, tensor.Float32)
	}
	zero := o.scalar(0, a.DType)
	return o.choose(o.compare("Less", a, zero), zero, o.choose(o.compare("Greater", a, zero), o.scalar(1, a.DType), b))
}

// opLogAddExp2 is log2(2^a + 2^b).
func opLogAddExp2(o *opCall) Value {
	a, b := o.pair()
	gap := o.unary("Exp", o.scale(o.unary("Abs", o.sub(a, b)), -math.Ln2))
	return o.add(o.binary("Maximum", a, b), o.scale(o.unary("Log1p", gap), 1/math.Ln2))
}

// opSinc is sin(πx)/(πx), and 1 at zero.
func opSinc(o *opCall) Value {
	x := o.tensor(0, "x")
	at := o.scale(x, math.Pi)
	one := o.scalar(1, x.DType)
	zero := o.compare("Equal", x, o.scalar(0, x.DType))
	return o.choose(zero, one, o.div(o.unary("Sin", at), o.choose(zero, one, at)))
}

// opDivideNoNan gives 0 where the divisor is 0.
func opDivideNoNan(o *opCall) Value {
	a, b := o.pair()
	if !floating(a.DType) {
		a, b = o.cast(a, tensor.Float32), o.cast(b, tensor.Float32)
	}
	return o.binary("DivNoNan", a, b)
}

func opIsInfinite(sign int) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x")
		if !floating(x.DType) {
			x = o.cast(x, tensor.Float32)
		}
		return o.compare("Equal", x, o.scalar(math.Inf(sign), x.DType))
	}
}

// opColors converts between RGB and HSV.
func opColors(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "images")
		if !o.config().channelsFirst() {
			return o.unary(op, x)
		}
		y, back := o.lastAxis(x, -3)
		return back(o.unary(op, y))
	}
}
