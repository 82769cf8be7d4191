//go:build cgo

package tfbridge

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// rowBuilder writes graphs of float32 with seeded random constants.
type rowBuilder struct {
	*graph.Builder
	r *rand.Rand
}

func (b rowBuilder) random(shape ...int) graph.Ref {
	x := tensor.Must(tensor.New(tensor.Float32, shape...))
	v, _ := tensor.Data[float32](x)
	for i := range v {
		v[i] = b.r.Float32() - 0.5
	}
	return b.Const("c", x)
}

func (b rowBuilder) op(op string, attrs graph.Attrs, in ...graph.Ref) graph.Ref {
	all := graph.Attrs{"T": tensor.Float32}
	for name, v := range attrs {
		all[name] = v
	}
	return b.Op(op, op, in, all)
}

func (b rowBuilder) reduced(op string, x graph.Ref, axes ...int) graph.Ref {
	return b.op(op, graph.Attrs{"keep_dims": true, "Tidx": tensor.Int32}, x, b.Ints("axes", axes...))
}

func (b rowBuilder) shapeOf(x graph.Ref) graph.Ref {
	return b.op("Shape", graph.Attrs{"out_type": tensor.Int32}, x)
}

// rowCases continue from x [?, 6, 6, 8], and say whether each of its rows gives one of the result's.
var rowCases = []struct {
	name    string
	rowwise bool
	build   func(b rowBuilder, x graph.Ref) graph.Ref
}{
	{"a convolution with what follows", true, func(b rowBuilder, x graph.Ref) graph.Ref {
		strides := graph.Attrs{"strides": []int{1, 2, 2, 1}, "padding": "SAME"}
		y := b.op("Relu6", nil, b.op("BiasAdd", nil, b.op("Conv2D", strides, x, b.random(3, 3, 8, 4)), b.random(4)))
		y = b.op("MaxPool", graph.Attrs{"ksize": []int{1, 2, 2, 1}, "strides": []int{1, 2, 2, 1}, "padding": "VALID"}, y)
		return b.op("Mul", nil, y, b.op("Sigmoid", nil, b.reduced("Mean", y, 1, 2)))
	}},
	{"flattened, and a matrix product", true, func(b rowBuilder, x graph.Ref) graph.Ref {
		flat := b.op("Reshape", nil, x, b.Ints("shape", -1, 288))
		return b.op("Softmax", nil, b.op("MatMul", nil, flat, b.random(288, 5)))
	}},
	{"reshaped by the number of rows", true, func(b rowBuilder, x graph.Ref) graph.Ref {
		rows := b.Op("StridedSlice", "rows", []graph.Ref{b.shapeOf(x), b.Ints("from", 0), b.Ints("to", 1), b.Ints("by", 1)},
			graph.Attrs{"T": tensor.Int32, "Index": tensor.Int32, "shrink_axis_mask": 1})
		shape := b.Op("Pack", "shape", []graph.Ref{rows, b.Int("d", 36), b.Int("d", 8)}, graph.Attrs{"T": tensor.Int32, "N": 3, "axis": 0})
		return b.op("Reshape", nil, x, shape)
	}},
	{"joined along the channels", true, func(b rowBuilder, x graph.Ref) graph.Ref {
		return b.op("ConcatV2", graph.Attrs{"N": 2, "Tidx": tensor.Int32}, x, b.op("Neg", nil, x), b.Int("axis", -1))
	}},
	{"squeezed and padded", true, func(b rowBuilder, x graph.Ref) graph.Ref {
		padded := b.op("Pad", graph.Attrs{"Tpaddings": tensor.Int32}, x, b.Const("p", tensor.Must(tensor.Of([]int32{0, 0, 1, 0, 0, 1, 0, 0}, 4, 2))))
		return b.op("Squeeze", graph.Attrs{"squeeze_dims": []int{1, 2}}, b.reduced("Max", padded, 1, 2))
	}},

	{"the mean of all rows", false, func(b rowBuilder, x graph.Ref) graph.Ref { return b.op("Sub", nil, x, b.reduced("Mean", x, 0)) }},
	{"the mean of all rows, counted from behind", false, func(b rowBuilder, x graph.Ref) graph.Ref {
		return b.op("Sub", nil, x, b.reduced("Sum", x, -4, 1))
	}},
	{"statistics of the batch", false, func(b rowBuilder, x graph.Ref) graph.Ref {
		return b.op("FusedBatchNormV3", graph.Attrs{"U": tensor.Float32, "is_training": true, "epsilon": float32(0.001)}, x, b.random(8), b.random(8), b.random(0), b.random(0))
	}},
	{"rows of another length", false, func(b rowBuilder, x graph.Ref) graph.Ref {
		return b.reduced("Mean", b.op("Reshape", nil, x, b.Ints("shape", -1, 144)), 1)
	}},
	{"divided by the number of rows", false, func(b rowBuilder, x graph.Ref) graph.Ref {
		sizes := b.Op("Cast", "float", []graph.Ref{b.shapeOf(x)}, graph.Attrs{"SrcT": tensor.Int32, "DstT": tensor.Float32})
		return b.op("RealDiv", nil, x, b.op("Max", graph.Attrs{"Tidx": tensor.Int32}, sizes, b.Int("axis", 0)))
	}},
	{"broadcast to a higher rank", false, func(b rowBuilder, x graph.Ref) graph.Ref { return b.op("Mul", nil, x, b.random(2, 1, 1, 1, 1)) }},
	{"another number for each row", false, func(b rowBuilder, x graph.Ref) graph.Ref { return b.op("Mul", nil, x, b.random(40, 1, 1, 1)) }},
	{"joined one behind the other", false, func(b rowBuilder, x graph.Ref) graph.Ref {
		return b.op("ConcatV2", graph.Attrs{"N": 2, "Tidx": tensor.Int32}, x, x, b.Int("axis", 0))
	}},
	{"an op that is not known", false, func(b rowBuilder, x graph.Ref) graph.Ref { return b.op("Cumsum", nil, x, b.Int("axis", 0)) }},
	{"the same in every call", false, func(b rowBuilder, _ graph.Ref) graph.Ref { return b.op("Neg", nil, b.random(40, 2)) }},
}

// A call that is shared out gives what a run on all rows gives; what is not a matter of single rows is not shared out.
func TestRows(t *testing.T) {
	for _, c := range rowCases {
		t.Run(c.name, func(t *testing.T) {
			b := rowBuilder{graph.NewBuilder(), rand.New(rand.NewPCG(1, 2))}
			image := b.Placeholder("image", tensor.Float32, tensor.Shape{-1, 6, 6, 512})
			y := c.build(b, b.op("Conv2D", graph.Attrs{"strides": []int{1, 1, 1, 1}, "padding": "SAME"}, image, b.random(9, 9, 512, 8))) // enough work to be shared out
			g, err := b.Finish(graph.Signature{
				Name:    graph.DefaultSignature,
				Inputs:  []graph.Port{{Name: "image", DType: tensor.Float32, Shape: tensor.Shape{-1, 6, 6, 512}, Tensor: image.Tensor()}},
				Outputs: []graph.Port{{Name: "y", DType: tensor.Float32, Tensor: y.Tensor()}},
			})
			require.NoError(t, err)
			s, err := importGraph(g.Def, nil, device{})
			require.NoError(t, err)
			if largest := rowBytes(g, s); c.rowwise {
				require.Equal(t, 4*6*6*512, largest)
			} else {
				require.Zero(t, largest)
			}
			require.NoError(t, s.close())

			x := tensor.Must(tensor.New(tensor.Float32, 40, 6, 6, 512))
			v, _ := tensor.Data[float32](x)
			for i := range v {
				v[i] = b.r.Float32() - 0.5
			}
			var results [2][]float32
			for i, opts := range []Options{{NoRewrite: true}, {}} {
				m, err := New(t.Context(), g, opts)
				require.NoError(t, err)
				y, err := m.Predict(t.Context(), x)
				require.NoError(t, err)
				results[i], err = tensor.Data[float32](y)
				require.NoError(t, err)
				require.NoError(t, m.Close())
			}
			require.InDeltaSlice(t, results[0], results[1], 1e-3) // sums of 41,472 products, up to 50
		})
	}
}

func TestParts(t *testing.T) {
	for _, c := range []struct {
		parameters, cores, rows int
		rowBytes                int
		want                    string
	}{
		{3 << 20, 2, 32, 1000, "[8 8 8 8]"},
		{3 << 20, 2, 33, 1000, "[5 6 5 6 5 6]"},
		{3 << 20, 2, 8, 1000, "[4 4]"},
		{3 << 20, 4, 3, 1000, "[1 1 1]"},
		{3 << 20, 2, 2, 1000, "[]"}, // small
		{25 << 20, 2, 1, 1000, "[]"},
		{100_000, 2, 200, 1000, "[50 50 50 50]"},
		{100_000, 2, 80, 1000, "[]"},
		{3 << 20, 1, 32, 1000, "[8 8 8 8]"},
		{3 << 20, 1, 8, 1000, "[]"},
		{3 << 20, 0, 32, 1000, "[]"},
		{3 << 20, 2, 32, 2 << 20, "[5 5 6 5 5 6]"},
		{3 << 20, 1, 8, 3 << 20, "[4 4]"},
		{3 << 20, 1, 4, 100 << 20, "[2 2]"},
		{3 << 20, 2, 32, 0, "[]"},
	} {
		f := &fast{parameters: c.parameters, cores: c.cores, rowBytes: c.rowBytes, config: &tfproto.ConfigProto{}}
		require.Equal(t, c.want, fmt.Sprint(f.parts(c.rows)), "%+v", c)
	}
}
