package graph

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// evaluator runs small graphs by the definition of each op, to see that folding keeps what they compute.
type evaluator struct {
	t     testing.TB
	defs  definitions
	nodes nodeIndex
	known map[string]*tensor.Tensor
}

func evaluate(t testing.TB, g *Graph, feeds map[string]*tensor.Tensor, fetch string) *tensor.Tensor {
	t.Helper()
	nodes, err := index(g.Def)
	require.NoError(t, err)
	e := evaluator{t, g.definitions(), nodes, feeds}
	return e.value(fetch)
}

func (e evaluator) value(ref string) *tensor.Tensor {
	name := inputNode(ref)
	if v := e.known[name]; v != nil {
		return v
	}
	n := e.nodes[name]
	var args []*tensor.Tensor
	data, _ := splitInputs(n.Input)
	for _, in := range data {
		args = append(args, e.value(in))
	}
	v := e.run(n, args)
	require.NotNil(e.t, v, "%s (%s)", name, n.Op)
	e.known[name] = v
	return v
}

func (e evaluator) run(n *tfproto.NodeDef, args []*tensor.Tensor) *tensor.Tensor {
	c := &constants{}
	switch n.Op {
	case "Const":
		v, err := Value(n)
		require.NoError(e.t, err)
		return v
	case "Identity":
		return args[0]
	case "BiasAdd":
		return c.elementwise(args[0], args[1], ofTwo["Add"])
	case "Reshape":
		return reshape(args[0], args[1])
	case "Squeeze":
		return squeeze(args[0], n.Attr["squeeze_dims"].GetList().GetI())
	case "Pad", "PadV2":
		return e.pad(args[0], args[1])
	case "MatMul":
		return e.matMul(args[0], args[1], n.Attr["transpose_b"].GetB())
	case "Conv2D", "DepthwiseConv2dNative":
		return e.convolve(n, args[0], args[1])
	case "FusedBatchNormV3":
		variance := c.elementwise(args[4], tensor.Scalar(n.Attr["epsilon"].GetF()), ofTwo["Add"])
		scale := c.elementwise(args[1], variance, func(a, v float32) float32 { return a / float32(math.Sqrt(float64(v))) })
		return c.elementwise(c.elementwise(c.elementwise(args[0], args[3], ofTwo["Sub"]), scale, ofTwo["Mul"]), args[2], ofTwo["Add"])
	}
	if f := ofOne[n.Op]; f != nil {
		return c.elementwise(args[0], tensor.Scalar(float32(0)), func(a, _ float32) float32 { return f(a) })
	}
	return c.elementwise(args[0], args[1], ofTwo[n.Op])
}

func floats(t *tensor.Tensor) []float32 {
	v, err := tensor.Data[float32](t)
	if err != nil {
		panic(err)
	}
	return v
}

func (e evaluator) pad(x, paddings *tensor.Tensor) *tensor.Tensor {
	p, err := tensor.Data[int32](paddings)
	require.NoError(e.t, err)
	s := x.Shape()
	h, w := s[1]+int(p[2]+p[3]), s[2]+int(p[4]+p[5])
	y := make([]float32, s[0]*h*w*s[3])
	for i, v := range floats(x) {
		c, j, r, b := i%s[3], i/s[3]%s[2], i/s[3]/s[2]%s[1], i/s[3]/s[2]/s[1]
		y[((b*h+r+int(p[2]))*w+j+int(p[4]))*s[3]+c] = v
	}
	return tensor.Must(tensor.Of(y, s[0], h, w, s[3]))
}

func (e evaluator) matMul(x, w *tensor.Tensor, transposed bool) *tensor.Tensor {
	rows, inner, columns := x.Shape()[0], x.Shape()[1], w.Shape()[1]
	if transposed {
		columns = w.Shape()[0]
	}
	y := make([]float32, rows*columns)
	for r := range rows {
		for c := range columns {
			for k := range inner {
				at := k*columns + c
				if transposed {
					at = c*inner + k
				}
				y[r*columns+c] += floats(x)[r*inner+k] * floats(w)[at]
			}
		}
	}
	return tensor.Must(tensor.Of(y, rows, columns))
}

// convolve is a convolution of NHWC images, padded as the node says.
func (e evaluator) convolve(n *tfproto.NodeDef, x, w *tensor.Tensor) *tensor.Tensor {
	in, k, strides := x.Shape(), w.Shape(), n.Attr["strides"].GetList().I
	dilations := attr(n, e.defs.op(n.Op), "dilations").GetList().I
	var before, size, out [2]int
	for i := range 2 {
		size[i] = (k[i]-1)*int(dilations[1+i]) + 1
		stride := int(strides[1+i])
		switch string(n.Attr["padding"].GetS()) {
		case "VALID":
			out[i] = (in[1+i]-size[i])/stride + 1
		case "SAME":
			out[i] = (in[1+i] + stride - 1) / stride
			before[i] = max((out[i]-1)*stride+size[i]-in[1+i], 0) / 2
		case "EXPLICIT":
			p := n.Attr["explicit_paddings"].GetList().I
			before[i] = int(p[2+2*i])
			out[i] = (in[1+i]+int(p[2+2*i]+p[3+2*i])-size[i])/stride + 1
		}
	}
	channels := k[3]
	if n.Op == "DepthwiseConv2dNative" {
		channels = k[2] * k[3]
	}
	y := make([]float32, in[0]*out[0]*out[1]*channels)
	for i := range y {
		c, col, row, b := i%channels, i/channels%out[1], i/channels/out[1]%out[0], i/channels/out[1]/out[0]
		for a := range k[0] {
			for d := range k[1] {
				r, s := row*int(strides[1])+a*int(dilations[1])-before[0], col*int(strides[2])+d*int(dilations[2])-before[1]
				if r < 0 || s < 0 || r >= in[1] || s >= in[2] {
					continue
				}
				pixel := floats(x)[((b*in[1]+r)*in[2]+s)*in[3]:]
				if n.Op == "Conv2D" {
					for m := range k[2] {
						y[i] += pixel[m] * floats(w)[((a*k[1]+d)*k[2]+m)*k[3]+c]
					}
				} else {
					y[i] += pixel[c/k[3]] * floats(w)[(a*k[1]+d)*channels+c]
				}
			}
		}
	}
	return tensor.Must(tensor.Of(y, in[0], out[0], out[1], channels))
}
