//go:build cgo

package tfbridge

import (
	"fmt"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// ops writes float32 arithmetic into a graph.
type ops struct{ *graph.Builder }

// f adds an op whose attribute T is the type of its operands.
func (o ops) f(op string, in ...graph.Ref) graph.Ref {
	return o.Op(op, op, in, graph.Attrs{"T": tensor.Float32})
}

func (o ops) scalar(v float64) graph.Ref { return o.Const("constant", tensor.Scalar(float32(v))) }

func (o ops) add(a, b graph.Ref) graph.Ref { return o.f("AddV2", a, b) }
func (o ops) sub(a, b graph.Ref) graph.Ref { return o.f("Sub", a, b) }
func (o ops) mul(a, b graph.Ref) graph.Ref { return o.f("Mul", a, b) }
func (o ops) div(a, b graph.Ref) graph.Ref { return o.f("RealDiv", a, b) }

// scale multiplies by a number.
func (o ops) scale(a graph.Ref, by float64) graph.Ref { return o.mul(a, o.scalar(by)) }

// sum and mean go over axes; over the last one with -1.
func (o ops) sum(a graph.Ref, keep bool, axes ...int) graph.Ref {
	return o.reduce("Sum", a, keep, axes)
}
func (o ops) mean(a graph.Ref, axes ...int) graph.Ref { return o.reduce("Mean", a, false, axes) }

func (o ops) reduce(op string, a graph.Ref, keep bool, axes []int) graph.Ref {
	return o.Op(op, op, []graph.Ref{a, o.Ints("axes", axes...)}, graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32, "keep_dims": keep})
}

// clip limits each element to [low, high]; the derivative outside is 0.
func (o ops) clip(a graph.Ref, low, high float64) graph.Ref {
	return o.f("ClipByValue", a, o.scalar(low), o.scalar(high))
}

// activate applies an activation by Keras's name, with Keras's defaults (keras/src/activations/activations.py).
func (o ops) activate(name string, x graph.Ref) (graph.Ref, error) {
	switch name {
	case "", "linear":
		return x, nil
	case "leaky_relu":
		return o.Op("LeakyRelu", "LeakyRelu", []graph.Ref{x}, graph.Attrs{"T": tensor.Float32, "alpha": float32(0.2)}), nil
	case "hard_sigmoid":
		return o.scale(o.f("Relu6", o.add(x, o.scalar(3))), 1.0/6), nil
	case "silu", "swish":
		return o.mul(x, o.f("Sigmoid", x)), nil
	case "mish":
		return o.mul(x, o.f("Tanh", o.f("Softplus", x))), nil
	case "gelu":
		return o.mul(o.scale(x, 0.5), o.add(o.f("Erf", o.scale(x, 0.7071067811865476)), o.scalar(1))), nil
	}
	op, ok := map[string]string{"relu": "Relu", "relu6": "Relu6", "sigmoid": "Sigmoid", "tanh": "Tanh", "softmax": "Softmax", "elu": "Elu",
		"selu": "Selu", "softplus": "Softplus", "softsign": "Softsign", "exponential": "Exp"}[name]
	if !ok {
		return "", fmt.Errorf("%w: the TensorFlow engine has no activation %q", train.ErrOption, name)
	}
	return o.f(op, x), nil
}

// sampleLoss is a batch's losses, one a sample. Their sum is differentiated through its ops, or, where there is slope, from a
// tensor in the middle on, at which slope is the derivative of each sample's loss.
type sampleLoss struct {
	each      graph.Ref // [batch]
	at, slope graph.Ref // [batch, width]; "" where there are none
}

// losses writes train.SampleLoss: y is [batch, width] float32, or [batch] int32 for the sparse loss; p is [batch, width].
func (o ops) losses(l train.Loss, y, p graph.Ref, width int) sampleLoss {
	switch l.Name {
	case train.SparseCategoricalCrossentropy, train.CategoricalCrossentropy:
		return o.categorical(l, y, p, width)
	case train.BinaryCrossentropy:
		return sampleLoss{each: o.mean(o.binary(l, y, p), -1)}
	}
	e := o.sub(p, y)
	switch l.Name {
	case train.MeanSquaredError:
		e = o.f("Square", e)
	case train.MeanAbsoluteError:
		e = o.f("Abs", e)
	case train.Huber: // with m = min(|e|, delta): m·(|e| - m/2)
		delta := l.Delta
		if delta == 0 {
			delta = 1
		}
		a := o.f("Abs", e)
		m := o.f("Minimum", a, o.scalar(delta))
		e = o.mul(m, o.sub(a, o.scale(m, 0.5)))
	case train.LogCosh: // e + log(1 + exp(-2e)) - log 2
		e = o.sub(o.add(e, o.f("Softplus", o.scale(e, -2))), o.scalar(0.6931471805599453))
	}
	return sampleLoss{each: o.mean(e, -1)}
}

// binary is the loss of each element.
func (o ops) binary(l train.Loss, y, p graph.Ref) graph.Ref {
	if l.LabelSmoothing > 0 {
		y = o.add(o.scale(y, 1-l.LabelSmoothing), o.scalar(l.LabelSmoothing/2))
	}
	if l.FromLogits { // log(1 + exp(p)) - p·y
		return o.sub(o.f("Softplus", p), o.mul(p, y))
	}
	q, one := o.probability(p), o.scalar(1)
	return o.f("Neg", o.add(o.mul(y, o.f("Log", q)), o.mul(o.sub(one, y), o.f("Log", o.sub(one, q)))))
}

func (o ops) probability(p graph.Ref) graph.Ref { return o.clip(p, train.Epsilon, 1-train.Epsilon) }

// categorical has TensorFlow's own kernel for class indices; one-hot targets need not sum to 1, which no kernel allows.
func (o ops) categorical(l train.Loss, y, p graph.Ref, width int) sampleLoss {
	if l.Name == train.CategoricalCrossentropy && !l.FromLogits {
		q := o.probability(o.div(p, o.sum(p, true, -1)))
		return sampleLoss{each: o.f("Neg", o.sum(o.mul(o.smooth(l, y, width), o.f("Log", q)), false, -1))}
	}
	z := p
	if !l.FromLogits {
		z = o.f("Log", o.probability(p))
	}
	if l.Sparse() && l.LabelSmoothing == 0 {
		each := o.Op("SparseSoftmaxCrossEntropyWithLogits", "cross_entropy", []graph.Ref{z, y}, graph.Attrs{"T": tensor.Float32, "Tlabels": tensor.Int32})
		return sampleLoss{each: each, at: z, slope: each.Output(1)}
	}
	if l.Sparse() {
		y = o.Op("OneHot", "one_hot", []graph.Ref{y, o.Int("classes", width), o.scalar(1), o.scalar(0)}, graph.Attrs{"T": tensor.Float32, "TI": tensor.Int32, "axis": -1})
	}
	return sampleLoss{each: o.f("Neg", o.sum(o.mul(o.smooth(l, y, width), o.f("LogSoftmax", z)), false, -1))}
}

func (o ops) smooth(l train.Loss, y graph.Ref, width int) graph.Ref {
	if l.LabelSmoothing == 0 {
		return y
	}
	return o.add(o.scale(y, 1-l.LabelSmoothing), o.scalar(l.LabelSmoothing/float64(width)))
}
