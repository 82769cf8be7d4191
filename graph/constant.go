package graph

import (
	"math"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// The bounds of constants that are computed here, in elements.
const (
	maxConstant  = 1 << 24
	maxConstants = 1 << 26 // all together
)

// constants computes the tensors of a graph that depend on constants alone, as far as they are float32 and made of the few
// ops that exporters leave around weights.
type constants struct {
	nodes nodeIndex
	known map[string]*tensor.Tensor // by node; nil for one that cannot be computed, or is being computed
	size  int                       // elements that were made so far
}

// value returns a tensor's value; nil if it is not constant.
func (c *constants) value(ref string) *tensor.Tensor {
	node, output, err := ParseTensor(ref)
	if err != nil || output != 0 {
		return nil
	}
	if t, ok := c.known[node]; ok {
		return t
	}
	c.known[node] = nil
	t := c.compute(node)
	c.known[node] = t
	return t
}

// literal returns the value of a constant node. One whose bytes stand in the message costs nothing.
func (c *constants) literal(n *tfproto.NodeDef) *tensor.Tensor {
	p := n.Attr["value"].GetTensor()
	if len(p.GetTensorContent()) == 0 {
		size := elements(ShapeOf(p.GetTensorShape()))
		if size > maxConstant || c.size > maxConstants {
			return nil
		}
		c.size += int(size)
	}
	t, err := Value(n)
	if err != nil {
		return nil
	}
	return t
}

func (c *constants) compute(node string) *tensor.Tensor {
	n := c.nodes[node]
	if n == nil || c.size > maxConstants {
		return nil
	}
	if n.Op == "Const" {
		return c.literal(n)
	}
	data, _ := splitInputs(n.Input)
	args := make([]*tensor.Tensor, len(data))
	for i, in := range data {
		if args[i] = c.value(in); args[i] == nil {
			return nil
		}
	}
	switch f, g := ofOne[n.Op], ofTwo[n.Op]; {
	case len(args) == 1 && n.Op == "Identity":
		return args[0]
	case len(args) == 2 && n.Op == "Reshape":
		return reshape(args[0], args[1])
	case len(args) == 1 && n.Op == "Squeeze":
		return squeeze(args[0], n.Attr["squeeze_dims"].GetList().GetI())
	case len(args) == 1 && f != nil:
		return c.elementwise(args[0], tensor.Scalar(float32(0)), func(a, _ float32) float32 { return f(a) })
	case len(args) == 2 && g != nil:
		return c.elementwise(args[0], args[1], g)
	default:
		return nil
	}
}

var ofOne = map[string]func(float32) float32{
	"Neg":        func(a float32) float32 { return -a },
	"Square":     func(a float32) float32 { return a * a },
	"Sqrt":       func(a float32) float32 { return float32(math.Sqrt(float64(a))) },
	"Rsqrt":      func(a float32) float32 { return float32(1 / math.Sqrt(float64(a))) },
	"Reciprocal": func(a float32) float32 { return 1 / a },
}

var ofTwo = map[string]func(a, b float32) float32{
	"Add":     func(a, b float32) float32 { return a + b },
	"AddV2":   func(a, b float32) float32 { return a + b },
	"Sub":     func(a, b float32) float32 { return a - b },
	"Mul":     func(a, b float32) float32 { return a * b },
	"RealDiv": func(a, b float32) float32 { return a / b },
}

func reshape(t, shape *tensor.Tensor) *tensor.Tensor {
	s, err := shape.Convert(tensor.Int64)
	if err != nil {
		return nil
	}
	dims, err := tensor.Data[int64](s)
	if err != nil {
		return nil
	}
	to := make(tensor.Shape, len(dims))
	for i, d := range dims {
		to[i] = int(d)
	}
	r, err := t.Reshape(to...)
	if err != nil {
		return nil
	}
	return r
}

// squeeze drops the given dimensions, or all, that are 1.
func squeeze(t *tensor.Tensor, dims []int64) *tensor.Tensor {
	rank := len(t.Shape())
	drop := make([]bool, rank)
	for _, d := range dims {
		if d < 0 {
			d += int64(rank)
		}
		if d < 0 || d >= int64(rank) || t.Shape()[d] != 1 {
			return nil
		}
		drop[d] = true
	}
	to := tensor.Shape{}
	for i, d := range t.Shape() {
		if !drop[i] && (len(dims) > 0 || d != 1) {
			to = append(to, d)
		}
	}
	r, err := t.Reshape(to...)
	if err != nil {
		return nil
	}
	return r
}

// elementwise applies f to two float32 tensors, which are broadcast as NumPy does.
func (c *constants) elementwise(a, b *tensor.Tensor, f func(a, b float32) float32) *tensor.Tensor {
	x, err := tensor.Data[float32](a)
	y, err2 := tensor.Data[float32](b)
	if err != nil || err2 != nil {
		return nil
	}
	shape := broadcast(a.Shape(), b.Shape())
	n, err := shape.Elements()
	if shape == nil || err != nil || n > maxConstant {
		return nil
	}
	c.size += n
	z := make([]float32, n)
	strideX, strideY := strides(a.Shape(), shape), strides(b.Shape(), shape)
	for k := range z {
		i, j, rest := 0, 0, k
		for d := len(shape) - 1; d >= 0; d-- {
			at := rest % shape[d]
			rest /= shape[d]
			i += at * strideX[d]
			j += at * strideY[d]
		}
		z[k] = f(x[i], y[j])
	}
	return tensor.Must(tensor.Of(z, shape...)) // n is the number of elements
}

// broadcast returns the shape that two shapes are broadcast to; nil if they do not fit.
func broadcast(a, b tensor.Shape) tensor.Shape {
	r := make(tensor.Shape, max(len(a), len(b)))
	for i := range r {
		x, y := 1, 1
		if k := i - len(r) + len(a); k >= 0 {
			x = a[k]
		}
		if k := i - len(r) + len(b); k >= 0 {
			y = b[k]
		}
		switch {
		case x == y || y == 1:
			r[i] = x
		case x == 1:
			r[i] = y
		default:
			return nil
		}
	}
	return r
}

// strides returns how many elements of a tensor of shape s lie between neighbours along each dimension of the shape that it
// is broadcast to; 0 where it has the same element for all.
func strides(s, to tensor.Shape) []int {
	r := make([]int, len(to))
	step := 1
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] != 1 {
			r[i+len(to)-len(s)] = step
		}
		step *= s[i]
	}
	return r
}
