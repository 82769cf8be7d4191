package dense

import (
	"fmt"
	"math"

	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// NormOptions are the options of BatchNormalization and LayerNormalization.
type NormOptions struct {
	Momentum float32 // of BatchNormalization's moving statistics; 0 means 0.99
	Epsilon  float32 // 0 means 0.001
	NoCenter bool    // no beta: Keras's center=False
	NoScale  bool    // no gamma: Keras's scale=False
}

type normLayer struct {
	class   string
	options NormOptions
}

// BatchNormalization returns a layer that normalizes each feature (the last axis) over the batch in training and by moving
// statistics in inference, then scales by gamma and adds beta (Ioffe and Szegedy 2015). Weights: gamma, beta, moving_mean,
// moving_variance, each [features].
func BatchNormalization(options ...NormOptions) Layer {
	return normLayer{"BatchNormalization", firstOption(options)}
}

// LayerNormalization returns a layer that normalizes the features (the last axis) of each sample, then scales by gamma and
// adds beta (Ba et al. 2016). Weights: gamma, beta, each [features].
func LayerNormalization(options ...NormOptions) Layer {
	return normLayer{"LayerNormalization", firstOption(options)}
}

func firstOption(options []NormOptions) NormOptions {
	var o NormOptions
	if len(options) > 0 {
		o = options[0]
	}
	if o.Momentum == 0 {
		o.Momentum = 0.99
	}
	if o.Epsilon == 0 {
		o.Epsilon = 1e-3
	}
	return o
}

// Class returns Keras's class name.
func (l normLayer) Class() string { return l.class }

func (l normLayer) build(b *builder) error {
	o := l.options
	if !(o.Momentum >= 0 && o.Momentum <= 1) || !(o.Epsilon > 0) {
		return b.errorf("%w: momentum %v, epsilon %v", train.ErrOption, o.Momentum, o.Epsilon)
	}
	b.lastAxis()
	shape := []int{b.columns}
	var gamma, beta, mean, variance *parameter
	for _, p := range []struct {
		to        **parameter
		name      string
		skip      bool
		trainable bool
		init      Initializer
	}{
		{&gamma, "gamma", o.NoScale, true, Ones},
		{&beta, "beta", o.NoCenter, true, Zeros},
		{&mean, "moving_mean", l.class != "BatchNormalization", false, Zeros},
		{&variance, "moving_variance", l.class != "BatchNormalization", false, Ones},
	} {
		if p.skip {
			continue
		}
		var err error
		if *p.to, err = b.parameter(p.name, shape, p.trainable, p.init); err != nil {
			return err
		}
	}
	v := newVectors(gamma, beta, b.columns)
	if mean != nil {
		b.add(&batchNormNode{vectors: v, mean: mean, variance: variance, momentum: o.Momentum, epsilon: o.Epsilon, frozen: b.frozen})
	} else {
		b.add(&layerNormNode{vectors: v, epsilon: o.Epsilon})
	}
	b.m.entries[len(b.m.entries)-1].learnedParameters = v.learned()
	return nil
}

type rescalingLayer struct{ scale, offset float32 }

// Rescaling returns a layer that computes x·scale + offset: Rescaling(1.0/255, 0) makes bytes 0 to 1.
func Rescaling(scale, offset float32) Layer { return rescalingLayer{scale, offset} }

// Class returns Keras's class name.
func (rescalingLayer) Class() string { return "Rescaling" }

func (l rescalingLayer) build(b *builder) error {
	b.add(&rescalingNode{scale: l.scale, offset: l.offset})
	return nil
}

// rescalingNode computes x·scale + offset.
type rescalingNode struct {
	elementwise
	scale, offset float32
}

func (n *rescalingNode) infer(in, out matrix, b block, _ *scratch) {
	for p := b.p0; p < b.p1; p++ {
		kernel.Scale(out.rows(p, b), in.rows(p, b), n.scale, n.offset)
	}
}

func (n *rescalingNode) train(t *tape, b block, s *scratch) { n.infer(t.in, t.out, b, s) }

func (n *rescalingNode) backward(t *tape, b block, _ *scratch) {
	for p := b.p0; p < b.p1; p++ {
		kernel.Scale(t.dIn.rows(p, b), t.dOut.rows(p, b), n.scale, 0)
	}
}

type normalizationLayer struct{ mean, variance []float32 }

// Normalization returns a layer that subtracts a mean and divides by the square root of a variance, a feature (the last axis)
// at a time; Adapt computes both from data. Without them (nil) it starts with mean 0 and variance 1, to be set as weights.
// Weights, as in Keras: mean [features], variance [features], count [].
func Normalization(mean, variance []float32) Layer { return normalizationLayer{mean, variance} }

// Adapt returns the Normalization layer of a data set: the mean and variance of each feature (the last axis) over x,
// [samples, …, features], summed in float64.
func Adapt(x *tensor.Tensor) (Layer, error) {
	values, err := tensor.Data[float32](x)
	if err != nil {
		return nil, fmt.Errorf("dense: normalization: %w", err)
	}
	if x.Rank() < 2 || len(values) == 0 {
		return nil, fmt.Errorf("dense: normalization: %w: [samples, …, features] is needed, this is %v", train.ErrData, x.Shape())
	}
	width := x.Shape()[x.Rank()-1]
	sums, squares := make([]float64, width), make([]float64, width)
	for i, v := range values {
		sums[i%width] += float64(v)
	}
	n := float64(len(values) / width)
	for i, v := range values {
		d := float64(v) - sums[i%width]/n
		squares[i%width] += d * d
	}
	mean, variance := make([]float32, width), make([]float32, width)
	for c := range mean {
		mean[c], variance[c] = float32(sums[c]/n), float32(squares[c]/n)
	}
	return Normalization(mean, variance), nil
}

// Class returns Keras's class name.
func (normalizationLayer) Class() string { return "Normalization" }

func (l normalizationLayer) build(b *builder) error {
	b.lastAxis()
	width := b.columns
	if (l.mean != nil || l.variance != nil) && (len(l.mean) != width || len(l.variance) != width) {
		return b.errorf("%w: %d means and %d variances for %d features", train.ErrOption, len(l.mean), len(l.variance), width)
	}
	for c := range l.mean {
		if mean, variance := float64(l.mean[c]), float64(l.variance[c]); !(variance >= 0) || math.IsInf(variance, 0) || mean-mean != 0 {
			return b.errorf("%w: mean %v and variance %v of feature %d", train.ErrOption, mean, variance, c)
		}
	}
	var p [3]*parameter
	for i, name := range []string{"mean", "variance", "count"} {
		shape, init := []int{width}, Zeros
		if i == 1 {
			init = Ones
		}
		if i == 2 {
			shape = []int{}
		}
		var err error
		if p[i], err = b.parameter(name, shape, false, init); err != nil {
			return err
		}
	}
	if l.mean != nil {
		p[0].set(l.mean)
		p[1].set(l.variance)
	}
	n := &normalizationNode{affineNode: newAffineNode(width), source: p[0], variance: p[1]}
	n.refresh()
	b.m.refreshers = append(b.m.refreshers, n)
	b.add(n)
	return nil
}

// normalizationNode is an affineNode that follows its weights.
type normalizationNode struct {
	*affineNode
	source, variance *parameter
}

// refresh computes the scale, 1 / max(√variance, 1e-7), after the weights were set.
func (n *normalizationNode) refresh() {
	copy(n.mean, n.source.value)
	for c := range n.variance.columns {
		n.scale[c] = 1 / max(float32(math.Sqrt(float64(n.variance.value[c]))), train.Epsilon)
	}
}
