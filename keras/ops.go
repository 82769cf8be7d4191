package keras

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// emitter adds TensorFlow ops to a graph under a name scope and keeps track of shapes and element types.
type emitter struct {
	b     *graph.Builder
	scope string
}

// op adds a node with one output that matters.
func (e *emitter) op(op string, in []Value, attrs graph.Attrs, d tensor.DType, shape tensor.Shape) Value {
	refs := make([]graph.Ref, len(in))
	for i, v := range in {
		refs[i] = v.Ref
	}
	name := op
	if e.scope != "" {
		name = e.scope + "/" + op
	}
	r := e.b.Op(op, name, refs, attrs)
	check(e.b.Err())
	return Value{Ref: r, Shape: shape, DType: d}
}

// output returns output i of the node that made v.
func (v Value) output(i int, d tensor.DType, shape tensor.Shape) Value {
	return Value{Ref: v.Ref.Output(i), DType: d, Shape: shape}
}

// constant adds a tensor.
func (e *emitter) constant(t *tensor.Tensor) Value {
	name := "Const"
	if e.scope != "" {
		name = e.scope + "/Const"
	}
	r := e.b.Const(name, t)
	check(e.b.Err())
	return Value{Ref: r, DType: t.DType(), Shape: slices.Clone(t.Shape())}
}

// ints adds a vector of int32.
func (e *emitter) ints(v ...int) Value {
	w := make([]int32, len(v))
	for i, x := range v {
		if x > math.MaxInt32 || x < math.MinInt32 {
			fail(ErrFormat, "%d does not fit an int32", x)
		}
		w[i] = int32(x)
	}
	return e.constant(tensor.Must(tensor.Of(w, len(w))))
}

// int adds an int32 scalar.
func (e *emitter) int(v int) Value {
	if v > math.MaxInt32 || v < math.MinInt32 {
		fail(ErrFormat, "%d does not fit an int32", v)
	}
	return e.constant(tensor.Scalar(int32(v)))
}

// scalar adds a number as a scalar of type d.
func (e *emitter) scalar(v float64, d tensor.DType) Value {
	t, err := tensor.Scalar(v).Cast(d)
	check(err)
	return e.constant(t)
}

// floats adds an array of numbers as type d.
func (e *emitter) floats(v []float64, d tensor.DType, shape ...int) Value {
	t, err := tensor.Of(v, shape...)
	check(err)
	t, err = t.Cast(d)
	check(err)
	return e.constant(t)
}

// cast converts the element type; the mask stays.
func (e *emitter) cast(x Value, d tensor.DType) Value {
	if x.DType == d {
		return x
	}
	return e.op("Cast", []Value{x}, graph.Attrs{"SrcT": x.DType, "DstT": d}, d, x.Shape).masked(x.Mask)
}

// unary adds an op of one input whose output has the same type and shape.
func (e *emitter) unary(op string, x Value) Value {
	return e.op(op, []Value{x}, graph.Attrs{"T": x.DType}, x.DType, x.Shape)
}

// binary adds a broadcasting op of two inputs of one type.
func (e *emitter) binary(op string, a, b Value) Value {
	if a.DType != b.DType {
		fail(ErrFormat, "%s of %v and %v", op, a.DType, b.DType)
	}
	return e.op(op, []Value{a, b}, graph.Attrs{"T": a.DType}, a.DType, broadcast(a.Shape, b.Shape))
}

func (e *emitter) add(a, b Value) Value { return e.binary("AddV2", a, b) }
func (e *emitter) sub(a, b Value) Value { return e.binary("Sub", a, b) }
func (e *emitter) mul(a, b Value) Value { return e.binary("Mul", a, b) }
func (e *emitter) div(a, b Value) Value { return e.binary("RealDiv", a, b) }

// scale multiplies with a number.
func (e *emitter) scale(x Value, by float64) Value { return e.mul(x, e.scalar(by, x.DType)) }

// shift adds a number.
func (e *emitter) shift(x Value, by float64) Value { return e.add(x, e.scalar(by, x.DType)) }

// clip bounds x on both sides.
func (e *emitter) clip(x Value, lo, hi float64) Value {
	return e.binary("Maximum", e.binary("Minimum", x, e.scalar(hi, x.DType)), e.scalar(lo, x.DType))
}

// compare adds an op that gives bool.
func (e *emitter) compare(op string, a, b Value) Value {
	return e.op(op, []Value{a, b}, graph.Attrs{"T": a.DType}, tensor.Bool, broadcast(a.Shape, b.Shape))
}

// logical adds And, Or.
func (e *emitter) logical(op string, a, b Value) Value {
	return e.op(op, []Value{a, b}, nil, tensor.Bool, broadcast(a.Shape, b.Shape))
}

// not negates a bool.
func (e *emitter) not(a Value) Value {
	return e.op("LogicalNot", []Value{a}, nil, tensor.Bool, a.Shape)
}

// choose is where(cond, a, b), broadcasting.
func (e *emitter) choose(cond, a, b Value) Value {
	s := broadcast(broadcast(cond.Shape, a.Shape), b.Shape)
	return e.op("SelectV2", []Value{cond, a, b}, graph.Attrs{"T": a.DType}, a.DType, s)
}

// matmul multiplies the last two dimensions; the leading ones broadcast.
func (e *emitter) matmul(a, b Value, transposeA, transposeB bool) Value {
	if a.rank() < 2 || b.rank() < 2 {
		fail(ErrFormat, "a product of shapes %v and %v", a.Shape, b.Shape)
	}
	rows, k := a.Shape[a.rank()-2], a.Shape[a.rank()-1]
	if transposeA {
		rows, k = k, rows
	}
	l, columns := b.Shape[b.rank()-2], b.Shape[b.rank()-1]
	if transposeB {
		l, columns = columns, l
	}
	if k != l && k >= 0 && l >= 0 {
		fail(ErrFormat, "a product of shapes %v and %v", a.Shape, b.Shape)
	}
	if a.rank() == 2 && b.rank() == 2 {
		return e.op("MatMul", []Value{a, b}, graph.Attrs{"T": a.DType, "transpose_a": transposeA, "transpose_b": transposeB},
			a.DType, tensor.Shape{rows, columns})
	}
	lead := broadcast(a.Shape[:a.rank()-2], b.Shape[:b.rank()-2])
	return e.op("BatchMatMulV2", []Value{a, b}, graph.Attrs{"T": a.DType, "adj_x": transposeA, "adj_y": transposeB},
		a.DType, append(lead, rows, columns))
}

// reduce adds Mean, Sum, Max, Min, Prod over axes; All and Any for bool.
func (e *emitter) reduce(op string, x Value, keep bool, axes ...int) Value {
	shape := slices.Clone(x.Shape)
	for i, a := range axes {
		axes[i] = x.axis(a)
		shape[axes[i]] = 1
	}
	if !keep {
		shape = without(shape, axes...)
	}
	attrs := graph.Attrs{"Tidx": tensor.Int32, "keep_dims": keep}
	if op != "All" && op != "Any" {
		attrs["T"] = x.DType
	}
	return e.op(op, []Value{x, e.ints(axes...)}, attrs, x.DType, shape)
}

// softmax normalizes along an axis.
func (e *emitter) softmax(x Value, axis int) Value {
	return e.along("Softmax", x, axis)
}

// along applies an op that works on the last axis to another axis.
func (e *emitter) along(op string, x Value, axis int) Value {
	axis = x.axis(axis)
	if axis == x.rank()-1 {
		return e.unary(op, x)
	}
	perm := make([]int, x.rank())
	for i := range perm {
		perm[i] = i
	}
	perm[axis], perm[x.rank()-1] = perm[x.rank()-1], perm[axis]
	return e.transpose(e.unary(op, e.transpose(x, perm...)), perm...)
}
