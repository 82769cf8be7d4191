package keras

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// dim is one dimension of a shape that is partly known: a number, or a scalar of the graph.
type dim struct {
	n int // -1: see v
	v Value
}

// dim returns dimension i of x.
func (e *emitter) dim(x Value, i int) dim {
	i = x.axis(i)
	if n := x.Shape[i]; n >= 0 {
		return dim{n: n}
	}
	s := e.op("Shape", []Value{x}, graph.Attrs{"T": x.DType, "out_type": tensor.Int32}, tensor.Int32, tensor.Shape{x.rank()})
	return dim{-1, e.index(s, 0, i)}
}

// dims returns every dimension of x.
func (e *emitter) dims(x Value) []dim {
	out := make([]dim, x.rank())
	for i := range out {
		out[i] = e.dim(x, i)
	}
	return out
}

// times multiplies dimensions.
func (e *emitter) times(dims ...dim) dim {
	p := dim{n: 1}
	for _, d := range dims {
		if p.n >= 0 && d.n >= 0 {
			p.n = product(p.n, d.n)
			continue
		}
		p = dim{-1, e.mul(e.scalarOf(p), e.scalarOf(d))}
	}
	return p
}

// scalarOf returns a dimension as an int32 scalar of the graph.
func (e *emitter) scalarOf(d dim) Value {
	if d.n >= 0 {
		return e.int(d.n)
	}
	return d.v
}

// shapeVector returns dimensions as an int32 vector and as a static shape. One unknown dimension is written as -1 where
// infer says that the reader works it out.
func (e *emitter) shapeVector(dims []dim, infer bool) (Value, tensor.Shape) {
	shape, unknown := make(tensor.Shape, len(dims)), 0
	for i, d := range dims {
		if shape[i] = d.n; d.n < 0 {
			unknown++
		}
	}
	if unknown == 0 || unknown == 1 && infer && !slices.Contains(shape, 0) {
		return e.ints(shape...), shape
	}
	parts := make([]Value, len(dims))
	for i, d := range dims {
		parts[i] = e.scalarOf(d)
	}
	return e.stack(0, parts...), shape
}

// reshape gives x another shape.
func (e *emitter) reshape(x Value, dims ...dim) Value {
	s, shape := e.shapeVector(dims, true)
	n, m := product(x.Shape...), product(shape...)
	if n >= 0 && m >= 0 && n != m {
		fail(ErrFormat, "a tensor of shape %v cannot be reshaped to %v", x.Shape, shape)
	}
	return e.op("Reshape", []Value{x, s}, graph.Attrs{"T": x.DType, "Tshape": tensor.Int32}, x.DType, shape)
}

// known makes dimensions of numbers.
func known(n ...int) []dim {
	out := make([]dim, len(n))
	for i, v := range n {
		out[i] = dim{n: v}
	}
	return out
}

// transpose permutes the axes.
func (e *emitter) transpose(x Value, perm ...int) Value {
	shape, identity := make(tensor.Shape, len(perm)), true
	if len(perm) != x.rank() {
		fail(ErrFormat, "a permutation %v of shape %v", perm, x.Shape)
	}
	seen := make([]bool, len(perm))
	for i, p := range perm {
		if p < 0 || p >= len(perm) || seen[p] {
			fail(ErrFormat, "%v is no permutation", perm)
		}
		seen[p] = true
		shape[i] = x.Shape[p]
		identity = identity && p == i
	}
	if identity {
		return x
	}
	return e.op("Transpose", []Value{x, e.ints(perm...)}, graph.Attrs{"T": x.DType, "Tperm": tensor.Int32}, x.DType, shape)
}

// expand inserts a dimension of 1 at axis, which may be the rank.
func (e *emitter) expand(x Value, axis int) Value {
	r := x.rank() + 1
	if axis < -r || axis >= r {
		fail(ErrFormat, "axis %d of a tensor of shape %v", axis, x.Shape)
	}
	axis = (axis + r) % r
	return e.op("ExpandDims", []Value{x, e.int(axis)}, graph.Attrs{"T": x.DType, "Tdim": tensor.Int32}, x.DType,
		slices.Insert(slices.Clone(x.Shape), axis, 1))
}

// squeeze removes dimensions of 1.
func (e *emitter) squeeze(x Value, axes ...int) Value {
	for i, a := range axes {
		axes[i] = x.axis(a)
	}
	return e.op("Squeeze", []Value{x}, graph.Attrs{"T": x.DType, "squeeze_dims": axes}, x.DType, without(x.Shape, axes...))
}

// concat joins along an axis.
func (e *emitter) concat(axis int, in ...Value) Value {
	axis = in[0].axis(axis)
	if len(in) == 1 {
		return in[0]
	}
	shape := slices.Clone(in[0].Shape)
	for _, v := range in[1:] {
		if v.rank() != len(shape) || v.DType != in[0].DType {
			fail(ErrFormat, "%v of shape %v and %v of shape %v cannot be joined", in[0].DType, in[0].Shape, v.DType, v.Shape)
		}
		for i, d := range v.Shape {
			switch {
			case i == axis && (d < 0 || shape[i] < 0):
				shape[i] = -1
			case i == axis:
				shape[i] += d
			case shape[i] < 0:
				shape[i] = d
			case d >= 0 && d != shape[i]:
				fail(ErrFormat, "shapes %v and %v cannot be joined along axis %d", in[0].Shape, v.Shape, axis)
			}
		}
	}
	return e.op("ConcatV2", append(slices.Clone(in), e.int(axis)), graph.Attrs{"T": in[0].DType, "Tidx": tensor.Int32, "N": len(in)},
		in[0].DType, shape)
}

// stack joins along a new axis.
func (e *emitter) stack(axis int, in ...Value) Value {
	shape := in[0].Shape
	for _, v := range in {
		shape = broadcast(shape, v.Shape)
	}
	r := len(shape) + 1
	if axis < -r || axis >= r {
		fail(ErrFormat, "axis %d of a stack of shape %v", axis, shape)
	}
	axis = (axis + r) % r
	return e.op("Pack", in, graph.Attrs{"T": in[0].DType, "N": len(in), "axis": axis}, in[0].DType,
		slices.Insert(slices.Clone(shape), axis, len(in)))
}

// split cuts x into n equal parts.
func (e *emitter) split(x Value, axis, n int) []Value {
	axis = x.axis(axis)
	if n < 1 || x.Shape[axis] < 0 || x.Shape[axis]%n != 0 {
		fail(ErrFormat, "axis %d of shape %v cannot be split into %d parts", axis, x.Shape, n)
	}
	if n == 1 {
		return []Value{x}
	}
	shape := with(x.Shape, axis, x.Shape[axis]/n)
	first := e.op("Split", []Value{e.int(axis), x}, graph.Attrs{"T": x.DType, "num_split": n}, x.DType, shape)
	out := make([]Value, bounded(n, "the number of parts"))
	for i := range out {
		out[i] = first.output(i, x.DType, shape)
	}
	return out
}

// slice cuts [begin, end) out of an axis; end 0 means the end, negative numbers count from it.
func (e *emitter) slice(x Value, axis, begin, end int) Value {
	axis = x.axis(axis)
	return e.strided(x, axis, begin, end, 1, end == 0)
}

// strided is x[begin:end:step] along one axis; toEnd ignores end.
func (e *emitter) strided(x Value, axis, begin, end, step int, toEnd bool) Value {
	n := x.Shape[axis]
	size := -1
	if n >= 0 {
		size = sliceLength(n, begin, end, step, toEnd)
	}
	r := axis + 1
	b, t, s := make([]int, r), make([]int, r), make([]int, r)
	for i := range s {
		s[i] = 1
	}
	b[axis], t[axis], s[axis] = begin, end, step
	mask := 1<<axis - 1
	endMask := mask
	if toEnd {
		endMask |= 1 << axis
	}
	return e.op("StridedSlice", []Value{x, e.ints(b...), e.ints(t...), e.ints(s...)}, graph.Attrs{"T": x.DType, "Index": tensor.Int32,
		"begin_mask": mask, "end_mask": endMask, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}, x.DType, with(x.Shape, axis, size))
}

// sliceLength is len(range(n)[begin:end:step]).
func sliceLength(n, begin, end, step int, toEnd bool) int {
	clamp := func(i, lo, hi int) int {
		if i < 0 {
			i += n
		}
		return min(max(i, lo), hi)
	}
	if step > 0 {
		begin = clamp(begin, 0, n)
		if end = clamp(end, 0, n); toEnd {
			end = n
		}
		return max(0, (end-begin+step-1)/step)
	}
	begin = clamp(begin, -1, n-1)
	if end = clamp(end, -1, n-1); toEnd {
		end = -1
	}
	return max(0, (begin-end-step-1)/-step)
}

// index takes element i of an axis and removes the axis.
func (e *emitter) index(x Value, axis, i int) Value {
	axis = x.axis(axis)
	if n := x.Shape[axis]; n >= 0 && (i < -n || i >= n) {
		fail(ErrFormat, "element %d of axis %d of shape %v", i, axis, x.Shape)
	}
	r := axis + 1
	b, t, s := make([]int, r), make([]int, r), make([]int, r)
	for j := range s {
		s[j] = 1
	}
	b[axis], t[axis] = i, i+1
	mask := 1<<axis - 1
	return e.op("StridedSlice", []Value{x, e.ints(b...), e.ints(t...), e.ints(s...)}, graph.Attrs{"T": x.DType, "Index": tensor.Int32,
		"begin_mask": mask, "end_mask": mask, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 1 << axis}, x.DType, without(x.Shape, axis))
}

// reverse turns an axis around.
func (e *emitter) reverse(x Value, axis int) Value {
	return e.op("ReverseV2", []Value{x, e.ints(x.axis(axis))}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32}, x.DType, x.Shape)
}

// gather takes rows of table along its first axis.
func (e *emitter) gather(table, ids Value) Value {
	return e.gatherAxis(table, ids, 0)
}

// gatherAxis takes elements of x along an axis.
func (e *emitter) gatherAxis(x, ids Value, axis int) Value {
	axis = x.axis(axis)
	shape := slices.Concat(x.Shape[:axis], ids.Shape, x.Shape[axis+1:])
	return e.op("GatherV2", []Value{x, ids, e.int(axis)}, graph.Attrs{"Tparams": x.DType, "Tindices": ids.DType, "Taxis": tensor.Int32, "batch_dims": 0},
		x.DType, shape)
}

// tile repeats x along each axis.
func (e *emitter) tile(x Value, multiples ...dim) Value {
	m, static := e.shapeVector(multiples, false)
	shape := make(tensor.Shape, x.rank())
	for i := range shape {
		shape[i] = product(x.Shape[i], static[i])
	}
	return e.op("Tile", []Value{x, m}, graph.Attrs{"T": x.DType, "Tmultiples": tensor.Int32}, x.DType, shape)
}

// repeat is numpy.repeat with one count: each element n times along an axis.
func (e *emitter) repeat(x Value, axis, n int) Value {
	axis = x.axis(axis)
	if n == 1 {
		return x
	}
	dims := e.dims(x)
	y := e.expand(x, axis+1)
	m := known(make([]int, y.rank())...)
	for i := range m {
		m[i].n = 1
	}
	m[axis+1].n = n
	dims[axis] = e.times(dims[axis], dim{n: n})
	return e.reshape(e.tile(y, m...), dims...)
}

// pad adds before and after each axis: constant with zeros, or "REFLECT", "SYMMETRIC".
func (e *emitter) pad(x Value, mode string, value float64, padding ...[2]int) Value {
	shape, flat, pads := slices.Clone(x.Shape), make([]int32, 0, 2*len(padding)), false
	for i, p := range padding {
		if p[0] < 0 || p[1] < 0 || p[0] > math.MaxInt32 || p[1] > math.MaxInt32 {
			fail(ErrFormat, "padding %v", padding)
		}
		flat = append(flat, int32(p[0]), int32(p[1]))
		pads = pads || p[0]+p[1] > 0
		if shape[i] >= 0 {
			shape[i] += p[0] + p[1]
		}
	}
	if !pads {
		return x
	}
	paddings := e.constant(tensor.Must(tensor.Of(flat, len(padding), 2)))
	attrs := graph.Attrs{"T": x.DType, "Tpaddings": tensor.Int32}
	switch {
	case mode != "":
		attrs["mode"] = mode
		return e.op("MirrorPad", []Value{x, paddings}, attrs, x.DType, shape)
	case value != 0:
		return e.op("PadV2", []Value{x, paddings, e.scalar(value, x.DType)}, attrs, x.DType, shape)
	}
	return e.op("Pad", []Value{x, paddings}, attrs, x.DType, shape)
}

// zeros makes a tensor of a partly known shape.
func (e *emitter) zeros(d tensor.DType, dims ...dim) Value { return e.fill(0, d, dims...) }

// fill makes a tensor of one number of a partly known shape.
func (e *emitter) fill(v float64, d tensor.DType, dims ...dim) Value {
	s, shape := e.shapeVector(dims, false)
	return e.op("Fill", []Value{s, e.scalar(v, d)}, graph.Attrs{"T": d, "index_type": tensor.Int32}, d, shape)
}

// broadcastTo gives x the dimensions.
func (e *emitter) broadcastTo(x Value, dims ...dim) Value {
	s, shape := e.shapeVector(dims, false)
	return e.op("BroadcastTo", []Value{x, s}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32}, x.DType, shape)
}

// rows returns integers 0 … n-1.
func (e *emitter) iota(n dim) Value {
	return e.op("Range", []Value{e.int(0), e.scalarOf(n), e.int(1)}, graph.Attrs{"Tidx": tensor.Int32}, tensor.Int32, tensor.Shape{n.n})
}
