package keras

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

// Operations that combine tensors along whole axes: products, averages, normalizations, attention.

// opCountNonzero counts the elements that are not zero.
func opCountNonzero(o *opCall) Value {
	x := o.tensor(0, "x")
	other := o.compare("NotEqual", x, o.scalar(0, x.DType))
	return o.reduce("Sum", o.cast(other, tensor.Int32), false, o.axes(x)...)
}

// opRange is the largest minus the smallest.
func opRange(o *opCall) Value {
	x := o.tensor(0, "x")
	keep := o.settings(2, "keepdims").Bool("keepdims", false)
	return o.sub(o.reduce("Max", x, keep, o.axes(x)...), o.reduce("Min", x, keep, o.axes(x)...))
}

// opAverage is a mean, weighted where weights are given.
func opAverage(o *opCall) Value {
	x := o.tensor(0, "x")
	axes := o.config().ints("axis")
	if axes == nil {
		axes = identity(x.rank())
	}
	v, ok := o.arg(1, "weights")
	if !ok {
		return o.reduce("Mean", x, false, axes...)
	}
	w := o.cast(o.operand(v, x.DType), x.DType)
	if w.rank() == 1 && x.rank() > 1 { // along the one axis
		axis := x.axis(axes[0])
		for range x.rank() - 1 - axis {
			w = o.expand(w, -1)
		}
	}
	w = o.broadcastTo(w, o.dims(x)...)
	return o.div(o.reduce("Sum", o.mul(x, w), false, slices.Clone(axes)...), o.reduce("Sum", w, false, axes...))
}

// opTensordot sums over the last axes of the first and the first axes of the second tensor, or over axes that are given.
func opTensordot(o *opCall) Value {
	a, b := o.pair()
	v, ok := o.arg(2, "axes")
	if !ok {
		v = 2.0
	}
	var left, right []int
	if n, isNumber := number(v); isNumber {
		for i := range int(n) {
			left, right = append(left, a.rank()-int(n)+i), append(right, i)
		}
	} else if list, isList := unwrapList(v).([]any); isList && len(list) == 2 {
		left, right = Config{"axes": list[0]}.ints("axes"), Config{"axes": list[1]}.ints("axes")
	}
	return o.contract(a, b, left, right)
}

// contract sums the products of two tensors over axes; the other axes follow one another.
func (e *emitter) contract(a, b Value, left, right []int) Value {
	if len(left) != len(right) || a.rank()+b.rank() > len(letters) {
		fail(ErrFormat, "a product of shapes %v and %v over axes %v and %v", a.Shape, b.Shape, left, right)
	}
	x, y := []byte(letters[:a.rank()]), []byte(letters[a.rank():a.rank()+b.rank()])
	for i := range left {
		y[b.axis(right[i])] = x[a.axis(left[i])]
	}
	out, shape := []byte{}, tensor.Shape{}
	for i, l := range x {
		if !slices.Contains(y, l) {
			out, shape = append(out, l), append(shape, a.Shape[i])
		}
	}
	for i, l := range y {
		if !slices.Contains(x, l) {
			out, shape = append(out, l), append(shape, b.Shape[i])
		}
	}
	return e.einsum(string(x)+","+string(y)+"->"+string(out), shape, a, b)
}

// opInner sums over the last axis of both.
func opInner(o *opCall) Value {
	a, b := o.pair()
	if a.rank() == 0 || b.rank() == 0 {
		return o.mul(a, b)
	}
	return o.contract(a, b, []int{-1}, []int{-1})
}

// opOuter multiplies every element of one with every element of the other.
func opOuter(o *opCall) Value {
	a, b := o.pair()
	a, b = o.reshape(a, o.times(o.dims(a)...)), o.reshape(b, o.times(o.dims(b)...))
	return o.mul(o.expand(a, 1), o.expand(b, 0))
}

// opJoin is hstack and vstack.
func opJoin(axis int) func(*opCall) Value {
	return func(o *opCall) Value {
		list := o.list("xs")
		if list[0].rank() == 1 {
			if axis == 1 {
				return o.concat(0, list...)
			}
			return o.stack(0, list...)
		}
		return o.concat(axis, list...)
	}
}

// opMultiHot marks the classes that are among the indices along the axis before the last.
func opMultiHot(o *opCall) Value {
	x := o.tensor(0, "inputs")
	s := o.settings(1, "num_classes", "axis", "dtype")
	if s.Int("axis", -1) != -1 {
		fail(ErrUnsupported, "axis %v", s["axis"])
	}
	if x.DType != tensor.Int32 && x.DType != tensor.Int64 {
		x = o.cast(x, tensor.Int64)
	}
	hot := o.oneHot(x, s.positive("num_classes"), dtypeNamed(s.String("dtype", "float32")))
	if hot.rank() < 3 {
		return o.reduce("Max", hot, false, 0)
	}
	return o.reduce("Max", hot, false, -2)
}

// opLayerNorm normalizes over axes, then scales and shifts.
func opLayerNorm(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.config()
	axes := s.ints("axis")
	if axes == nil {
		axes = []int{-1}
	}
	mean, variance := o.moments(x, slices.Clone(axes)...)
	y := o.mul(o.sub(x, mean), o.unary("Rsqrt", o.shift(variance, s.Float("epsilon", 1e-7))))
	if s.Bool("rms_scaling", false) {
		y = o.mul(x, o.unary("Rsqrt", o.shift(variance, s.Float("epsilon", 1e-7))))
	}
	for i, f := range []func(a, b Value) Value{o.mul, o.add} {
		if v, ok := o.arg(1+i, []string{"gamma", "beta"}[i]); ok {
			y = f(y, o.operand(v, x.DType))
		}
	}
	return y
}

// opRMSNorm divides by the root of the mean square over axes.
func opRMSNorm(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.config()
	axes := s.ints("axis")
	if axes == nil {
		axes = []int{-1}
	}
	square := o.reduce("Mean", o.unary("Square", x), true, axes...)
	y := o.mul(x, o.unary("Rsqrt", o.shift(square, s.Float("epsilon", 1e-7))))
	if v, ok := o.arg(1, "scale"); ok {
		y = o.mul(y, o.operand(v, x.DType))
	}
	return y
}

// opDotProductAttention attends with each head. query, key, value: [batch, time, heads, size].
func opDotProductAttention(o *opCall) Value {
	q, k, v := o.tensor(0, "query"), o.tensor(1, "key"), o.tensor(2, "value")
	q.need(4)
	k.need(4)
	v.need(4)
	if o.config().has("attn_logits_soft_cap") {
		fail(ErrUnsupported, "attn_logits_soft_cap")
	}
	scale := 1 / math.Sqrt(float64(q.last()))
	if s, ok := o.arg(5, "scale"); ok {
		scale, _ = number(s)
	}
	scores := o.einsum("btnh,bsnh->bnts", tensor.Shape{q.Shape[0], q.Shape[2], q.Shape[1], k.Shape[1]}, o.scale(q, scale), k)
	if bias, ok := o.arg(3, "bias"); ok {
		scores = o.add(scores, o.operand(bias, q.DType))
	}
	var mask *Value
	if m, ok := o.arg(4, "mask"); ok {
		allowed := o.cast(o.operand(m, tensor.Bool), tensor.Bool)
		mask = &allowed
	}
	if o.config().Bool("is_causal", false) {
		m := o.causal(o.dim(q, 1), o.dim(k, 1))
		mask = o.both(mask, &m)
	}
	if mask != nil {
		scores = o.choose(*mask, scores, o.scalar(largeNegative(scores.DType), scores.DType))
	}
	return o.einsum("bnts,bsnh->btnh", with(q.Shape, 3, v.last()), o.softmax(scores, -1), v)
}

func opSparsemax(o *opCall) Value {
	y, back := o.lastAxis(o.tensor(0, "x"), o.settings(1, "axis").Int("axis", -1))
	return back(o.sparsemax(y))
}

// present replaces what is no number, and tells where it was.
func (o *opCall) present(x Value, by float64) (y, missing Value) {
	missing = o.compare("NotEqual", x, x)
	return o.choose(missing, o.scalar(by, x.DType), x), missing
}

// opNumbers reduces over axes what is a number; the largest and smallest of none is NaN.
func opNumbers(op string, neutral float64) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x")
		axes, keep := o.axes(x), o.config().Bool("keepdims", false)
		if !floating(x.DType) {
			return o.reduce(op, x, keep, axes...)
		}
		x, missing := o.present(x, neutral)
		y := o.reduce(op, x, keep, slices.Clone(axes)...)
		if op == "Sum" || op == "Prod" {
			return y
		}
		none := o.reduce("All", missing, keep, axes...)
		return o.choose(none, o.scalar(math.NaN(), x.DType), y)
	}
}

// opNumbersMean is the mean of what is a number.
func opNumbersMean(o *opCall) Value {
	x := o.tensor(0, "x")
	if !floating(x.DType) {
		x = o.cast(x, tensor.Float32)
	}
	axes, keep := o.axes(x), o.config().Bool("keepdims", false)
	y, missing := o.present(x, 0)
	count := o.reduce("Sum", o.cast(o.not(missing), x.DType), keep, slices.Clone(axes)...)
	return o.div(o.reduce("Sum", y, keep, axes...), count)
}

// opMoments gives mean and variance over axes.
func opMoments(o *opCall) []Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "axes", "keepdims")
	axes := s.ints("axes")
	mean, variance := o.moments(x, slices.Clone(axes)...)
	if !s.Bool("keepdims", false) {
		mean, variance = o.squeeze(mean, slices.Clone(axes)...), o.squeeze(variance, axes...)
	}
	return []Value{mean, variance}
}
