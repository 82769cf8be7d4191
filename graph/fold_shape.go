package graph

import (
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// shape returns the shape of a tensor as far as the graph notes it, or as it follows from the shapes of the inputs in networks
// of convolutions; nil where it does not. Dimensions that are not known are -1.
func (f *folder) shape(ref string) tensor.Shape {
	node, output, err := ParseTensor(ref)
	n := f.nodes[node]
	if err != nil || n == nil {
		return nil
	}
	if shapes := n.Attr["_output_shapes"].GetList().GetShape(); output < len(shapes) {
		return ShapeOf(shapes[output])
	}
	if output > 0 {
		return nil
	}
	s, known := f.shapes[node]
	if !known {
		f.shapes[node] = nil // for the time being: a graph may run in circles
		s = f.inferred(n)
		f.shapes[node] = s
	}
	return s
}

func (f *folder) inferred(n *tfproto.NodeDef) tensor.Shape {
	data, _ := splitInputs(n.Input)
	switch n.Op {
	case "Placeholder":
		return ShapeOf(n.Attr["shape"].GetShape())
	case "BiasAdd", "Elu", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "Identity", "LeakyRelu", "Relu", "Relu6", "Selu", "Sigmoid", "Tanh":
		if len(data) > 0 {
			return f.shape(data[0])
		}
	case "Add", "AddV2", "Maximum", "Minimum", "Mul", "Sub":
		if len(data) == 2 {
			return elementwise(f.shapeOf(data[0]), f.shapeOf(data[1]))
		}
	case "Conv2D", "DepthwiseConv2dNative":
		return f.convolved(n)
	case "Pad", "PadV2":
		p, ok := f.zeros(n)
		if s := f.shape(n.Input[0]); ok && len(s) == 4 {
			return tensor.Shape{s[0], longer(s[1], p[0]), longer(s[2], p[1]), s[3]}
		}
	}
	return nil
}

// shapeOf is shape for what may also be a constant.
func (f *folder) shapeOf(ref string) tensor.Shape {
	if c := f.consts.value(ref); c != nil {
		return c.Shape()
	}
	return f.shape(ref)
}

// elementwise returns the shape of an elementwise operation on tensors of two shapes; nil where it is not known.
func elementwise(a, b tensor.Shape) tensor.Shape {
	if len(a) < len(b) {
		a, b = b, a
	}
	if a == nil || b == nil {
		return nil
	}
	r := a.Clone()
	for i := range b {
		if at := len(a) - len(b) + i; a[at] == 1 || a[at] < 0 && b[i] > 1 {
			r[at] = b[i]
		}
	}
	return r
}

// convolved returns the shape of a convolution's output.
func (f *folder) convolved(n *tfproto.NodeDef) tensor.Shape {
	_, channels, _ := f.weights(n)
	if channels == 0 {
		return nil
	}
	size, w := f.shape(n.Input[0]), f.window(n)
	if len(size) != 4 || w == nil {
		return nil
	}
	r := tensor.Shape{size[0], -1, -1, channels}
	for i := range 2 {
		switch in := size[1+i]; string(n.Attr["padding"].GetS()) {
		case "SAME":
			r[1+i] = (in + w[i].stride - 1) / w[i].stride
		case "VALID":
			r[1+i] = (in-w[i].kernel)/w[i].stride + 1
		}
		if size[1+i] <= 0 || r[1+i] <= 0 {
			r[1+i] = -1
		}
	}
	return r
}

// window is what a convolution sees of the height or of the width.
type window struct{ stride, kernel int }

// window returns that of the height and that of the width; nil where it is not known.
func (f *folder) window(conv *tfproto.NodeDef) []window {
	weights := f.consts.value(conv.Input[1])
	strides := conv.Attr["strides"].GetList().GetI()
	dilations := attr(conv, f.op(conv.Op), "dilations").GetList().GetI()
	if weights == nil || len(weights.Shape()) != 4 || len(strides) != 4 || len(dilations) != 4 {
		return nil
	}
	r := make([]window, 2)
	for i := range r {
		r[i] = window{stride: int(strides[1+i]), kernel: (weights.Shape()[i]-1)*int(dilations[1+i]) + 1}
		if r[i].stride <= 0 {
			return nil
		}
	}
	return r
}

// longer returns a size with padding; -1 where it is not known.
func longer(size int, by [2]int) int {
	if size < 0 {
		return -1
	}
	return size + by[0] + by[1]
}
