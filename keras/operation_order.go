package keras

import (
	"math"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Operations that depend on the order of elements: sorting, order statistics, running products and differences.

// sorted returns the elements of the last axis in ascending order, and where they were.
func (e *emitter) sorted(x Value) (values, places Value) {
	k := bounded(x.last(), "the number of elements to sort")
	top := e.op("TopKV2", []Value{e.unary("Neg", x), e.int(k)}, graph.Attrs{"T": x.DType, "sorted": true}, x.DType, x.Shape)
	return e.unary("Neg", top), top.output(1, tensor.Int32, x.Shape)
}

// lastAxis moves an axis to the end, and back.
func (e *emitter) lastAxis(x Value, axis int) (y Value, back func(Value) Value) {
	perm := identity(x.rank())
	axis = x.axis(axis)
	perm[axis], perm[len(perm)-1] = perm[len(perm)-1], perm[axis]
	return e.transpose(x, perm...), func(v Value) Value { return e.transpose(v, perm...) }
}

// opSort gives the sorted elements, or, with places, where they were.
func opSort(places bool) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x")
		y, back := o.lastAxis(x, o.settings(1, "axis").Int("axis", -1))
		sorted, at := o.sorted(y)
		if places {
			return back(at)
		}
		return back(sorted)
	}
}

// opQuantile interpolates between the sorted elements along one axis.
func opQuantile(o *opCall) Value {
	v, _ := o.arg(1, "q")
	q, ok := number(v)
	if !ok || q < 0 || q > 1 || o.config().String("method", "linear") != "linear" {
		fail(ErrUnsupported, "the quantile %v by the method %v", v, o.config()["method"])
	}
	return o.quantile(q)
}

func opMedian(o *opCall) Value { return o.quantile(0.5) }

func (o *opCall) quantile(q float64) Value {
	x := o.tensor(0, "x")
	s := o.config()
	axes := s.ints("axis")
	if len(axes) != 1 {
		fail(ErrUnsupported, "a quantile over axes %v", s["axis"])
	}
	y, back := o.lastAxis(x, axes[0])
	y, _ = o.sorted(y)
	n := y.last()
	at := q * float64(n-1)
	low := int(math.Floor(at))
	y1, y2 := o.strided(y, y.rank()-1, low, low+1, 1, false), o.strided(y, y.rank()-1, min(low+1, n-1), min(low+1, n-1)+1, 1, false)
	share := at - float64(low)
	y = back(o.add(o.scale(y1, 1-share), o.scale(y2, share)))
	if s.Bool("keepdims", false) {
		return y
	}
	return o.squeeze(y, axes...)
}

// opTakeAlongAxis takes, at each place, the element of which the index stands there; the other axes agree.
func opTakeAlongAxis(o *opCall) Value {
	x := o.tensor(0, "x")
	ids := o.tensor(1, "indices")
	axis := o.settings(2, "axis").Int("axis", -1)
	a := x.axis(axis)
	if ids.rank() != x.rank() {
		fail(ErrFormat, "indices of shape %v for %v", ids.Shape, x.Shape)
	}
	y, back := o.lastAxis(x, a)
	at, _ := o.lastAxis(ids, a)
	n := o.cast(o.scalarOf(o.dim(y, -1)), at.DType)
	at = o.binary("FloorMod", at, n) // negative ones count from the end
	shape := with(y.Shape, y.rank()-1, at.Shape[at.rank()-1])
	return back(o.op("GatherV2", []Value{y, at, o.int(y.rank() - 1)}, graph.Attrs{"Tparams": y.DType, "Tindices": at.DType, "Taxis": tensor.Int32,
		"batch_dims": y.rank() - 1}, y.DType, shape))
}

// opRunning is Cumsum or Cumprod.
func opRunning(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x", "input_tensor")
		s := o.settings(1, "axis", "exclusive", "reverse")
		if !s.has("axis") && o.Layer.age == keras3 {
			x = o.reshape(x, o.times(o.dims(x)...))
		}
		axis := x.axis(s.Int("axis", 0))
		return o.op(op, []Value{x, o.int(axis)}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32, "exclusive": s.Bool("exclusive", false),
			"reverse": s.Bool("reverse", false)}, x.DType, x.Shape)
	}
}

// opDiff gives the differences of neighbors, n times.
func opDiff(o *opCall) Value {
	x := o.tensor(0, "a", "x")
	s := o.settings(1, "n", "axis")
	axis := x.axis(s.Int("axis", -1))
	for range bounded(s.Int("n", 1), "n") {
		x = o.sub(o.strided(x, axis, 1, 0, 1, true), o.strided(x, axis, 0, -1, 1, false))
	}
	return x
}

// opRotate turns the plane of two axes by k quarters.
func opRotate(o *opCall) Value {
	x := o.tensor(0, "array", "x")
	s := o.settings(1, "k", "axes")
	axes := s.ints("axes")
	if axes == nil {
		axes = []int{0, 1}
	}
	if len(axes) != 2 {
		fail(ErrFormat, "axes %v", axes)
	}
	a, b := x.axis(axes[0]), x.axis(axes[1])
	perm := identity(x.rank())
	perm[a], perm[b] = perm[b], perm[a]
	switch ((s.Int("k", 1) % 4) + 4) % 4 {
	case 1:
		return o.transpose(o.reverse(x, b), perm...)
	case 2:
		return o.reverse(o.reverse(x, a), b)
	case 3:
		return o.reverse(o.transpose(x, perm...), b)
	}
	return x
}

// opTriangle keeps the elements on and below (lower) or on and above the k-th diagonal.
func opTriangle(lower bool) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x")
		k := o.settings(1, "k").Int("k", 0)
		if x.rank() < 2 {
			fail(ErrFormat, "an input of shape %v", x.Shape)
		}
		rows, columns := o.expand(o.iota(o.dim(x, -2)), 1), o.expand(o.iota(o.dim(x, -1)), 0)
		op := "LessEqual"
		if !lower {
			op = "GreaterEqual"
		}
		kept := o.compare(op, o.sub(columns, rows), o.int(k))
		return o.choose(kept, x, o.scalar(0, x.DType))
	}
}

// opDiagonal gives the elements whose indices of two axes agree, along a new last axis.
func opDiagonal(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "offset", "axis1", "axis2")
	if s.Int("offset", 0) != 0 {
		fail(ErrUnsupported, "offset %v", s["offset"])
	}
	a, b := x.axis(s.Int("axis1", 0)), x.axis(s.Int("axis2", 1))
	if a == b {
		fail(ErrFormat, "axis %d twice", a)
	}
	perm := slices.DeleteFunc(identity(x.rank()), func(i int) bool { return i == a || i == b })
	y := o.transpose(x, append(perm, a, b)...)
	n := min(y.Shape[y.rank()-2], y.last())
	if n < 1 {
		fail(ErrUnsupported, "the diagonal of a shape %v that is not known", x.Shape)
	}
	low, high := o.int(0), o.scalar(0, y.DType)
	return o.op("MatrixDiagPartV3", []Value{y, low, high}, graph.Attrs{"T": y.DType, "align": "RIGHT_LEFT"}, y.DType, append(slices.Clone(y.Shape[:y.rank()-2]), n))
}

func opTrace(o *opCall) Value { return o.reduce("Sum", opDiagonal(o), false, -1) }
