package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Value is a tensor of the graph being built.
type Value struct {
	Ref   graph.Ref
	Shape tensor.Shape // with the batch dimension; -1 for an unknown dimension. The rank is always known.
	DType tensor.DType
	// Mask is the Keras mask that travels with the value, a bool of shape [batch, time]; nil for none.
	Mask *Value
}

// rank returns the number of dimensions.
func (v Value) rank() int { return len(v.Shape) }

// last returns the last dimension, which must be known and positive.
func (v Value) last() int {
	if v.rank() == 0 || v.Shape[v.rank()-1] <= 0 {
		fail(ErrUnsupported, "the last dimension of %v must be known", v.Shape)
	}
	return v.Shape[v.rank()-1]
}

// masked returns v with another mask.
func (v Value) masked(m *Value) Value {
	v.Mask = m
	return v
}

// axis returns a non-negative axis.
func (v Value) axis(a int) int {
	r := v.rank()
	if a < -r || a >= r {
		fail(ErrFormat, "axis %d of a tensor of shape %v", a, v.Shape)
	}
	return (a + r) % r
}

// need checks the rank.
func (v Value) need(rank int) {
	if v.rank() != rank {
		fail(ErrFormat, "the input has shape %v, rank %d is needed", v.Shape, rank)
	}
}

// maxParts bounds into how many pieces a layer's computation may be written out: a configuration of a few bytes must not
// make a graph of millions of nodes.
const maxParts = 1 << 14

// bounded checks a number of pieces.
func bounded(n int, what string) int {
	if n > maxParts {
		fail(ErrUnsupported, "%s is %d, the limit is %d", what, n, maxParts)
	}
	return n
}

// broadcast returns the shape of an elementwise operation.
func broadcast(a, b tensor.Shape) tensor.Shape {
	n := max(len(a), len(b))
	out := make(tensor.Shape, n)
	for i := range n {
		x, y := 1, 1
		if j := i - (n - len(a)); j >= 0 {
			x = a[j]
		}
		if j := i - (n - len(b)); j >= 0 {
			y = b[j]
		}
		switch {
		case x == y:
			out[i] = x
		case x == 1:
			out[i] = y
		case y == 1:
			out[i] = x
		case x == -1:
			out[i] = y
		case y == -1:
			out[i] = x
		default:
			fail(ErrFormat, "shapes %v and %v do not broadcast", a, b)
		}
	}
	return out
}

// product multiplies dimensions; -1 if one is unknown.
func product(dims ...int) int {
	p := 1
	for _, d := range dims {
		if d < 0 {
			return -1
		}
		if d > 0 && p > (1<<40)/d {
			fail(ErrFormat, "%v is too large a shape", dims)
		}
		p *= d
	}
	return p
}

// with returns a copy of a shape with dimension i replaced.
func with(s tensor.Shape, i, d int) tensor.Shape {
	s = slices.Clone(s)
	s[i] = d
	return s
}

// without returns a copy of a shape without the axes.
func without(s tensor.Shape, axes ...int) tensor.Shape {
	out := tensor.Shape{}
	for i, d := range s {
		if !slices.Contains(axes, i) {
			out = append(out, d)
		}
	}
	return out
}
