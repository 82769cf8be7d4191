package keras

import (
	"math"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func opReshape(o *opCall) Value {
	x := o.tensor(0, "x", "tensor")
	v := o.settings(1, "newshape|shape")["newshape"]
	target, ok := shapeOf(v)
	if !ok {
		return o.reshape(x, o.sizes(v)...)
	}
	n, free, rest := product(x.Shape...), -1, 1
	dims := make([]dim, len(target))
	for i, d := range target {
		dims[i] = dim{n: d}
		if d < 0 {
			free = i
		} else {
			rest = product(rest, d)
		}
	}
	if free >= 0 && n >= 0 && rest > 0 {
		dims[free] = dim{n: n / rest}
	}
	s := make([]int, len(dims))
	for i, d := range dims {
		s[i] = d.n
	}
	// where the batch is unknown, TensorFlow works the -1 out, and it is the batch again if the rest fits
	return o.op("Reshape", []Value{x, o.ints(s...)}, graph.Attrs{"T": x.DType, "Tshape": tensor.Int32}, x.DType, tensor.Shape(s))
}

// sizes reads a shape that holds tensors: a list of numbers and scalars, or a vector.
func (o *opCall) sizes(v any) []dim {
	if vector, ok := v.(Value); ok && vector.rank() == 1 && vector.Shape[0] >= 0 {
		out := make([]dim, bounded(vector.Shape[0], "the rank"))
		for i := range out {
			out[i] = dim{-1, o.index(vector, 0, i)}
		}
		return out
	}
	list, ok := unwrapList(v).([]any)
	if !ok {
		fail(ErrUnsupported, "a shape %v", v)
	}
	out := make([]dim, len(list))
	for i, d := range list {
		switch d := d.(type) {
		case Value:
			if d.rank() != 0 {
				fail(ErrFormat, "a size of shape %v", d.Shape)
			}
			out[i] = dim{-1, o.cast(d, tensor.Int32)}
		default:
			n, ok := number(d)
			if !ok || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
				fail(ErrFormat, "a size %v", d)
			}
			if out[i] = (dim{n: int(n)}); n < 0 {
				out[i].v = o.int(int(n))
			}
		}
	}
	return out
}

func opTranspose(o *opCall) Value {
	x := o.tensor(0, "x", "a")
	perm := o.settings(1, "axes|perm").ints("axes")
	if perm == nil {
		for i := x.rank() - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	for i, a := range perm {
		perm[i] = x.axis(a)
	}
	return o.transpose(x, perm...)
}

func opExpandDims(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	axes := o.settings(1, "axis").ints("axis")
	for _, a := range axes {
		x = o.expand(x, a)
	}
	return x
}

func opSqueeze(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	axes := o.settings(1, "axis").ints("axis")
	if axes == nil {
		for i, d := range x.Shape {
			if d == 1 {
				axes = append(axes, i)
			}
		}
	}
	return o.squeeze(x, axes...)
}

// list reads the first argument, a list of tensors.
func (o *opCall) list(names ...string) []Value {
	v, _ := o.arg(0, names...)
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		fail(ErrFormat, "a list of tensors is needed")
	}
	out := make([]Value, len(items))
	for j, x := range items {
		out[j] = o.operand(x, o.like)
	}
	return out
}

func opConcatenate(o *opCall) Value {
	return o.concat(o.settings(1, "axis").Int("axis", 0), o.list("xs", "values")...)
}

func opStack(o *opCall) Value {
	return o.stack(o.settings(1, "axis").Int("axis", 0), o.list("x", "values")...)
}

func opSplit(o *opCall) []Value {
	x := o.tensor(0, "x", "value")
	s := o.settings(1, "indices_or_sections|num_or_size_splits", "axis")
	axis := x.axis(s.Int("axis", 0))
	if _, ok := number(s["indices_or_sections"]); ok {
		return o.split(x, axis, s.positive("indices_or_sections"))
	}
	var out []Value
	begin := 0
	for _, end := range s.ints("indices_or_sections") {
		out = append(out, o.strided(x, axis, begin, end, 1, false))
		begin = end
	}
	return append(out, o.strided(x, axis, begin, 0, 1, true))
}

func opUnstack(o *opCall) []Value {
	x := o.tensor(0, "x")
	axis := x.axis(o.settings(2, "axis").Int("axis", 0))
	n := x.Shape[axis]
	if n < 1 {
		fail(ErrUnsupported, "axis %d of shape %v must be known", axis, x.Shape)
	}
	out := make([]Value, bounded(n, "the number of tensors"))
	for i := range out {
		out[i] = o.index(x, axis, i)
	}
	return out
}

// opGetItem is x[key], where the key is a number, a slice, null for a new axis, an ellipsis, or a list of those.
func opGetItem(o *opCall) Value {
	x := o.tensor(0, "x")
	key, _ := o.arg(1, "key")
	list, ok := key.([]any)
	if !ok {
		list = []any{key}
	}
	taken := 0
	for _, k := range list {
		if class, _, _ := objectOf(k); k != nil && class != "__ellipsis__" {
			taken++
		}
	}
	if taken > x.rank() {
		fail(ErrFormat, "%d indices of shape %v", taken, x.Shape)
	}
	axis := 0
	for _, k := range list {
		class, c, _ := objectOf(k)
		switch {
		case k == nil:
			x = o.expand(x, axis)
			axis++
		case class == "__ellipsis__":
			axis += x.rank() - axis - remaining(list, taken)
		case class == "__slice__":
			x = o.sliceOf(x, axis, c)
			axis++
			taken--
		default:
			n, ok := number(k)
			if !ok || n != math.Trunc(n) {
				fail(ErrUnsupported, "an index %v", k)
			}
			x = o.index(x, axis, int(n))
			taken--
		}
	}
	return x
}

// remaining is how many axes the rest of a key needs.
func remaining(_ []any, taken int) int { return taken }

func (o *opCall) sliceOf(x Value, axis int, c Config) Value {
	if !c.has("start") && !c.has("stop") && !c.has("step") {
		return x
	}
	step := c.Int("step", 1)
	if step == 0 {
		fail(ErrFormat, "a slice with step 0")
	}
	begin := 0
	if step < 0 {
		begin = -1
	}
	return o.strided(x, axis, c.Int("start", begin), c.Int("stop", 0), step, !c.has("stop"))
}

func opTake(o *opCall) Value {
	x := o.tensor(0, "x", "params")
	v, _ := o.arg(1, "indices")
	ids := o.operand(v, tensor.Int32)
	if ids.DType != tensor.Int32 && ids.DType != tensor.Int64 {
		ids = o.cast(ids, tensor.Int32)
	}
	s := o.settings(2, "axis")
	if n, _ := number(o.Kwargs["batch_dims"]); n != 0 {
		fail(ErrUnsupported, "batch_dims %v", n)
	}
	if !s.has("axis") && o.Layer.age == keras3 {
		x = o.reshape(x, o.times(o.dims(x)...))
	}
	return o.gatherAxis(x, ids, s.Int("axis", 0))
}

func opTile(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	n := o.settings(1, "repeats|multiples").ints("repeats")
	for len(n) < x.rank() {
		n = append([]int{1}, n...)
	}
	for x.rank() < len(n) {
		x = o.expand(x, 0)
	}
	return o.tile(x, known(n...)...)
}

func opRepeat(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	s := o.settings(1, "repeats", "axis")
	if !s.has("axis") {
		x = o.reshape(x, o.times(o.dims(x)...))
	}
	return o.repeat(x, s.Int("axis", 0), s.positive("repeats"))
}

func opPad(o *opCall) Value {
	x := o.tensor(0, "x", "tensor")
	s := o.settings(1, "pad_width|paddings", "mode", "constant_values")
	n, shape := s.numbers("pad_width")
	padding := make([][2]int, x.rank())
	for i := range padding {
		switch {
		case len(shape) == 2 && len(n) == 2*x.rank():
			padding[i] = [2]int{int(n[2*i]), int(n[2*i+1])}
		case len(n) == 1:
			padding[i] = [2]int{int(n[0]), int(n[0])}
		case len(n) == 2:
			padding[i] = [2]int{int(n[0]), int(n[1])}
		default:
			fail(ErrFormat, "pad_width %v", s["pad_width"])
		}
	}
	switch mode := strings.ToLower(s.String("mode", "constant")); mode {
	case "constant":
		return o.pad(x, "", s.Float("constant_values", 0), padding...)
	case "reflect", "symmetric":
		return o.pad(x, strings.ToUpper(mode), 0, padding...)
	default:
		fail(ErrUnsupported, "mode %q", mode)
		return Value{}
	}
}

func opFlip(o *opCall) Value {
	x := o.tensor(0, "x")
	for _, a := range o.axes(x) {
		x = o.reverse(x, a)
	}
	return x
}

func opSwapAxes(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "axis1", "axis2")
	perm := identity(x.rank())
	i, j := x.axis(s.Int("axis1", 0)), x.axis(s.Int("axis2", 1))
	perm[i], perm[j] = j, i
	return o.transpose(x, perm...)
}

func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

func opMoveAxis(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "source", "destination")
	from, to := s.ints("source"), s.ints("destination")
	if len(from) != len(to) {
		fail(ErrFormat, "%d sources and %d destinations", len(from), len(to))
	}
	perm := slices.Repeat([]int{-1}, x.rank())
	used := map[int]bool{}
	for i := range from {
		perm[x.axis(to[i])] = x.axis(from[i])
		used[x.axis(from[i])] = true
	}
	next := 0
	for i, p := range perm {
		if p < 0 {
			for used[next] {
				next++
			}
			perm[i] = next
			next++
		}
	}
	return o.transpose(x, perm...)
}

func opBroadcastTo(o *opCall) Value {
	x := o.tensor(0, "x")
	v := o.settings(1, "shape")["shape"]
	target, ok := shapeOf(v)
	if !ok {
		return o.broadcastTo(x, o.sizes(v)...)
	}
	if slices.Contains(target, -1) {
		fail(ErrUnsupported, "a shape %v that is not known", target)
	}
	return o.broadcastTo(x, known(target...)...)
}

func opRavel(o *opCall) Value {
	x := o.tensor(0, "x")
	return o.reshape(x, o.times(o.dims(x)...))
}

func opRoll(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "shift", "axis")
	shift, axis := o.ints(s.ints("shift")...), s.ints("axis")
	for i, a := range axis {
		axis[i] = x.axis(a)
	}
	return o.op("Roll", []Value{x, shift, o.ints(axis...)}, graph.Attrs{"T": x.DType, "Tshift": tensor.Int32, "Taxis": tensor.Int32}, x.DType, x.Shape)
}

// opAppend joins two tensors along an axis, or all their elements.
func opAppend(o *opCall) Value {
	a, b := o.pair()
	if n, ok := number(o.settings(2, "axis")["axis"]); ok {
		return o.concat(int(n), a, b)
	}
	return o.concat(0, o.reshape(a, o.times(o.dims(a)...)), o.reshape(b, o.times(o.dims(b)...)))
}

// opDepthStack joins along the third axis.
func opDepthStack(o *opCall) Value {
	list := o.list("xs")
	for i, x := range list {
		if x.rank() == 1 {
			x = o.expand(x, 0)
		}
		if x.rank() == 2 {
			x = o.expand(x, 2)
		}
		list[i] = x
	}
	return o.concat(2, list...)
}

func opFlipAxis(axis int) func(*opCall) Value {
	return func(o *opCall) Value { return o.reverse(o.tensor(0, "x"), axis) }
}

// opSlice cuts a block of a shape out of a tensor; -1 means the rest of an axis.
func opSlice(o *opCall) Value {
	x := o.tensor(0, "inputs", "x")
	v, _ := o.arg(1, "start_indices")
	begins, sizes := o.sizes(v), o.settings(2, "shape").ints("shape")
	if len(begins) != x.rank() || len(sizes) != x.rank() {
		fail(ErrFormat, "a block of shape %v at %d places in a tensor of shape %v", sizes, len(begins), x.Shape)
	}
	shape := x.Shape.Clone()
	for i, n := range sizes {
		switch {
		case n >= 0:
			shape[i] = n
		case begins[i].n >= 0 && shape[i] >= 0:
			shape[i] -= begins[i].n
		default:
			shape[i] = -1
		}
	}
	begin, _ := o.shapeVector(begins, false)
	return o.op("Slice", []Value{x, begin, o.ints(sizes...)}, graph.Attrs{"T": x.DType, "Index": tensor.Int32}, x.DType, shape)
}

// opArraySplit cuts an axis into parts whose sizes differ by 1 at most, or at places; axis -1 is the argument.
func opArraySplit(axis int) operation {
	return func(o *opCall) []Value {
		x := o.tensor(0, "x")
		s := o.settings(1, "indices_or_sections", "axis")
		at := axis
		if at < 0 {
			at = s.Int("axis", 0)
		}
		at = x.axis(at)
		n, equal := number(s["indices_or_sections"])
		places := s.ints("indices_or_sections")
		if equal {
			places = nil
			length, parts := x.Shape[at], int(n)
			if length < 0 || parts < 1 {
				fail(ErrUnsupported, "axis %d of shape %v in %v parts", at, x.Shape, n)
			}
			for i := 1; i < bounded(parts, "the number of parts"); i++ {
				places = append(places, i*(length/parts)+min(i, length%parts))
			}
		}
		var out []Value
		begin := 0
		for _, end := range places {
			out = append(out, o.strided(x, at, begin, end, 1, false))
			begin = end
		}
		return append(out, o.strided(x, at, begin, 0, 1, true))
	}
}
