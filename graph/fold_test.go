package graph

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// foldCase builds y from x, whose batch is 2, and says which ops remain beside constants, placeholder and Relu.
type foldCase struct {
	name  string
	shape tensor.Shape
	build func(c *caseBuilder, x Ref) Ref
	want  map[string]int
}

// caseBuilder builds with seeded random constants.
type caseBuilder struct {
	*Builder
	r *rand.Rand
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func (c *caseBuilder) random(shape ...int) Ref {
	n, _ := tensor.Shape(shape).Elements()
	v := make([]float32, n)
	for i := range v {
		v[i] = 0.5 + c.r.Float32()
	}
	return c.Const("c", tensor.Must(tensor.Of(v, shape...)))
}

func (c *caseBuilder) op(op string, attrs Attrs, inputs ...Ref) Ref {
	if attrs == nil {
		attrs = Attrs{}
	}
	attrs["T"] = tensor.Float32
	return c.Op(op, op, inputs, attrs)
}

func (c *caseBuilder) conv(op string, x, w Ref, padding string, stride int) Ref {
	return c.op(op, Attrs{"strides": []int{1, stride, stride, 1}, "padding": padding}, x, w)
}

func (c *caseBuilder) padding(x Ref, top, bottom, left, right int32) Ref {
	p := c.Const("paddings", tensor.Must(tensor.Of([]int32{0, 0, top, bottom, left, right, 0, 0}, 4, 2)))
	return c.op("Pad", nil, x, p)
}

func (c *caseBuilder) batchNorm(x Ref, channels int, attrs Attrs) Ref {
	attrs["epsilon"] = float32(0.001)
	return c.op("FusedBatchNormV3", attrs, x, c.random(channels), c.random(channels), c.random(channels), c.random(channels))
}

var foldCases = []foldCase{
	{"convolution, bias, fused batch normalization", tensor.Shape{2, 6, 6, 3}, func(c *caseBuilder, x Ref) Ref {
		return c.batchNorm(c.op("BiasAdd", nil, c.conv("Conv2D", x, c.random(3, 3, 3, 4), "SAME", 2), c.random(4)), 4, Attrs{"is_training": false})
	}, map[string]int{"Conv2D": 1, "BiasAdd": 1}},
	{"depthwise convolution, expanded batch normalization", tensor.Shape{2, 6, 6, 3}, func(c *caseBuilder, x Ref) Ref {
		y := c.conv("DepthwiseConv2dNative", x, c.random(3, 3, 3, 2), "VALID", 1)
		scale := c.op("Mul", nil, c.op("Rsqrt", nil, c.op("AddV2", nil, c.random(6), c.Const("e", tensor.Scalar(float32(0.001))))), c.random(6))
		shift := c.op("Sub", nil, c.random(6), c.op("Mul", nil, c.random(6), scale))
		return c.op("AddV2", nil, c.op("Mul", nil, scale, y), shift)
	}, map[string]int{"DepthwiseConv2dNative": 1, "BiasAdd": 1}},
	{"as Keras 3 writes it, reshaped", tensor.Shape{2, 5, 5, 2}, func(c *caseBuilder, x Ref) Ref {
		four := c.Ints("shape", 1, 1, 1, 3)
		bias := c.op("Squeeze", Attrs{"squeeze_dims": []int{0, 1, 2}}, c.op("Reshape", nil, c.random(3), four))
		y := c.op("BiasAdd", nil, c.conv("Conv2D", x, c.random(1, 1, 2, 3), "VALID", 1), bias)
		return c.op("AddV2", nil, c.op("Mul", nil, y, c.op("Reshape", nil, c.random(3), four)), c.op("Reshape", nil, c.random(3), four))
	}, map[string]int{"Conv2D": 1, "BiasAdd": 1}},
	{"matrix product", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		y := c.op("MatMul", Attrs{"transpose_a": false, "transpose_b": false}, x, c.random(5, 3))
		return c.op("Sub", nil, c.op("Mul", nil, y, c.random(1, 3)), c.random(3))
	}, map[string]int{"MatMul": 1, "BiasAdd": 1}},
	{"transposed matrix, only scaled", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		y := c.op("MatMul", Attrs{"transpose_b": true}, x, c.random(3, 5))
		return c.op("Mul", nil, c.op("Mul", nil, y, c.random(3)), c.Const("half", tensor.Scalar(float32(0.5))))
	}, map[string]int{"MatMul": 1}},
	{"an addition becomes a bias", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		return c.op("Add", nil, c.random(3), c.op("MatMul", nil, x, c.random(5, 3)))
	}, map[string]int{"MatMul": 1, "BiasAdd": 1}},
	{"padding as SAME", tensor.Shape{2, 6, 6, 2}, func(c *caseBuilder, x Ref) Ref {
		return c.conv("DepthwiseConv2dNative", c.padding(x, 0, 1, 0, 1), c.random(3, 3, 2, 1), "VALID", 2)
	}, map[string]int{"DepthwiseConv2dNative": 1}},
	{"padding as EXPLICIT, for two convolutions", tensor.Shape{2, 6, 6, 2}, func(c *caseBuilder, x Ref) Ref {
		p := c.padding(x, 2, 0, 1, 3)
		return c.op("AddV2", nil, c.conv("Conv2D", p, c.random(3, 3, 2, 2), "VALID", 2), c.conv("Conv2D", p, c.random(3, 3, 2, 2), "VALID", 2))
	}, map[string]int{"Conv2D": 2, "AddV2": 1}},
	{"padding and normalization", tensor.Shape{2, 6, 6, 2}, func(c *caseBuilder, x Ref) Ref {
		return c.batchNorm(c.conv("DepthwiseConv2dNative", c.padding(x, 1, 1, 1, 1), c.random(3, 3, 2, 2), "VALID", 1), 4, Attrs{"is_training": false})
	}, map[string]int{"DepthwiseConv2dNative": 1, "BiasAdd": 1}},
	{"padding as SAME, of a size that follows from what is before", tensor.Shape{2, 9, 9, 2}, func(c *caseBuilder, x Ref) Ref {
		y := c.conv("Conv2D", x, c.random(3, 3, 2, 2), "VALID", 1)                        // 7
		z := c.conv("Conv2D", c.op("AddV2", nil, x, x), c.random(3, 3, 2, 2), "VALID", 1) // 7
		y = c.op("Mul", nil, y, c.op("AddV2", nil, y, z))
		y = c.conv("DepthwiseConv2dNative", y, c.random(3, 3, 2, 1), "SAME", 2) // 4
		return c.conv("DepthwiseConv2dNative", c.padding(y, 0, 1, 0, 1), c.random(3, 3, 2, 1), "VALID", 2)
	}, map[string]int{"Conv2D": 2, "DepthwiseConv2dNative": 2, "AddV2": 2, "Mul": 1}},
	{"padding as SAME, behind padding that stays", tensor.Shape{2, 6, 6, 2}, func(c *caseBuilder, x Ref) Ref {
		p := c.padding(x, 2, 1, 1, 2)                                             // 9
		y := c.conv("DepthwiseConv2dNative", p, c.random(2, 2, 2, 1), "VALID", 1) // 8
		return c.conv("DepthwiseConv2dNative", c.padding(y, 0, 1, 0, 1), c.random(3, 3, 2, 1), "VALID", 2)
	}, map[string]int{"DepthwiseConv2dNative": 2, "Pad": 1}},

	// What must stay.
	{"a product that two nodes read", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		y := c.op("MatMul", nil, x, c.random(5, 3))
		return c.op("AddV2", nil, c.op("Mul", nil, y, c.random(3)), y)
	}, map[string]int{"MatMul": 1, "Mul": 1, "AddV2": 1}},
	{"constant minus product", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		return c.op("Sub", nil, c.random(3), c.op("MatMul", nil, x, c.random(5, 3)))
	}, map[string]int{"MatMul": 1, "Sub": 1}},
	{"along the rows", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		return c.op("Mul", nil, c.op("MatMul", nil, x, c.random(5, 3)), c.random(2, 1))
	}, map[string]int{"MatMul": 1, "Mul": 1}},
	{"to a higher rank", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		return c.op("Mul", nil, c.op("MatMul", nil, x, c.random(5, 3)), c.random(1, 1, 3))
	}, map[string]int{"MatMul": 1, "Mul": 1}},
	{"widened by broadcasting", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		return c.op("Mul", nil, c.op("MatMul", nil, x, c.random(5, 1)), c.random(3))
	}, map[string]int{"MatMul": 1, "Mul": 1}},
	{"a plain bias", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		return c.op("BiasAdd", nil, c.op("MatMul", nil, x, c.random(5, 3)), c.random(3))
	}, map[string]int{"MatMul": 1, "BiasAdd": 1}},
	{"padding that something else reads", tensor.Shape{2, 6, 6, 2}, func(c *caseBuilder, x Ref) Ref {
		p := c.padding(x, 1, 1, 1, 1)
		return c.op("AddV2", nil, c.conv("Conv2D", p, c.random(1, 1, 2, 2), "VALID", 1), c.op("Neg", nil, p))
	}, map[string]int{"Conv2D": 1, "AddV2": 1, "Neg": 1, "Pad": 1}},
	{"padding behind what has an odd size", tensor.Shape{2, 7, 7, 2}, func(c *caseBuilder, x Ref) Ref {
		y := c.conv("DepthwiseConv2dNative", x, c.random(3, 3, 2, 1), "VALID", 1) // 5
		return c.conv("DepthwiseConv2dNative", c.padding(y, 0, 1, 0, 1), c.random(3, 3, 2, 1), "VALID", 2)
	}, map[string]int{"DepthwiseConv2dNative": 2, "Pad": 1}},
	{"padding behind a convolution that pads by itself", tensor.Shape{2, 6, 6, 2}, func(c *caseBuilder, x Ref) Ref {
		return c.conv("Conv2D", c.padding(x, 1, 1, 1, 1), c.random(3, 3, 2, 2), "SAME", 1)
	}, map[string]int{"Conv2D": 1, "Pad": 1}},
	{"NaN as a factor", tensor.Shape{2, 5}, func(c *caseBuilder, x Ref) Ref {
		return c.op("Mul", nil, c.op("MatMul", nil, x, c.random(5, 3)), c.op("Sqrt", nil, c.op("Neg", nil, c.random(3))))
	}, map[string]int{"MatMul": 1, "Mul": 1, "Sqrt": 1, "Neg": 1}},
}

func TestFold(t *testing.T) {
	for _, test := range foldCases {
		t.Run(test.name, func(t *testing.T) {
			c := &caseBuilder{NewBuilder(), newRand()}
			x := c.Placeholder("x", tensor.Float32, test.shape)
			y := test.build(c, x)
			g, err := c.Finish(signature("s", []string{"x:0"}, []string{y.Tensor()}))
			require.NoError(t, err)
			unchanged(t, g)
			folded, err := Fold(g)
			require.NoError(t, err)
			require.NoError(t, folded.Check())

			ops := map[string]int{}
			for _, n := range folded.Def.Node {
				if n.Op != "Const" && n.Op != "Placeholder" {
					ops[n.Op]++
				}
			}
			require.Equal(t, test.want, ops)

			n, _ := test.shape.Elements()
			values := make([]float32, n)
			for i := range values {
				values[i] = c.r.Float32() - 0.5
			}
			input := tensor.Must(tensor.Of(values, test.shape...))
			want := evaluate(t, g, map[string]*tensor.Tensor{"x": input}, y.Tensor())
			got := evaluate(t, folded, map[string]*tensor.Tensor{"x": input}, folded.Signatures[0].Outputs[0].Tensor)
			require.Equal(t, want.Shape(), got.Shape())
			for i, w := range floats(want) {
				if w == w {
					require.InDelta(t, w, floats(got)[i], 2e-5, "element %d", i) // products are rounded at other places; elements are below 30
				}
			}
		})
	}
}

// Padding is SAME only where that pads the same.
func TestFoldPadding(t *testing.T) {
	for _, test := range []struct {
		size, kernel, stride int
		padding              [2]int32
		want                 string
	}{
		{6, 3, 2, [2]int32{0, 1}, "SAME"},
		{6, 3, 2, [2]int32{1, 0}, "EXPLICIT"},
		{6, 3, 2, [2]int32{1, 1}, "EXPLICIT"},
		{7, 3, 2, [2]int32{1, 1}, "SAME"},
		{5, 5, 1, [2]int32{2, 2}, "SAME"},
		{6, 1, 1, [2]int32{0, 0}, "SAME"},
		{-1, 3, 2, [2]int32{0, 1}, "EXPLICIT"},
	} {
		c := &caseBuilder{NewBuilder(), newRand()}
		x := c.Placeholder("x", tensor.Float32, tensor.Shape{-1, test.size, test.size, 1})
		y := c.conv("Conv2D", c.padding(x, test.padding[0], test.padding[1], test.padding[0], test.padding[1]), c.random(test.kernel, test.kernel, 1, 1), "VALID", test.stride)
		g, err := c.Finish(signature("s", []string{"x:0"}, []string{y.Tensor()}))
		require.NoError(t, err)
		folded, err := Fold(g)
		require.NoError(t, err)
		require.Equal(t, test.want, string(node(t, folded, "Conv2D").Attr["padding"].GetS()), "%+v", test)
	}
}

// Statistics that are computed, or that something reads, cannot go into the weights.
func TestFoldBatchNormStays(t *testing.T) {
	for name, change := range map[string]func(n *tfproto.NodeDef){
		"training": func(n *tfproto.NodeDef) { n.Attr["is_training"].Value = &tfproto.AttrValue_B{B: true} },
		"layout": func(n *tfproto.NodeDef) {
			n.Attr["data_format"] = &tfproto.AttrValue{Value: &tfproto.AttrValue_S{S: []byte("NCHW")}}
		},
		"waiting": func(n *tfproto.NodeDef) { n.Input = append(n.Input, "^x") },
	} {
		c := &caseBuilder{NewBuilder(), newRand()}
		x := c.Placeholder("x", tensor.Float32, tensor.Shape{2, 4, 4, 1})
		y := c.batchNorm(c.conv("Conv2D", x, c.random(1, 1, 1, 2), "SAME", 1), 2, Attrs{"is_training": false})
		g, err := c.Finish(signature("s", []string{"x:0"}, []string{y.Tensor()}))
		require.NoError(t, err)
		change(node(t, g, "FusedBatchNormV3"))
		folded, err := Fold(g)
		require.NoError(t, err)
		require.Equal(t, "FusedBatchNormV3", node(t, folded, "FusedBatchNormV3").Op, name)
	}
}
