package dense

import (
	"fmt"

	"github.com/cambium-go/cambium/train"
)

// Layer is one layer of a model, as Keras's layer of the same name. A Layer only describes: the same value may be used in
// several models.
type Layer interface {
	// Class returns Keras's class name: "Dense".
	Class() string
	build(b *builder) error
}

// builder turns layers into nodes.
type builder struct {
	m      *Model
	shape  []int  // of a sample, after the layers built so far
	name   string // of the layer being built
	index  int    // of the layer being built
	frozen bool
	random uint64 // streams of random numbers handed out
	// The view: rows a sample and columns of the matrix that holds it. 0 rows: any view will do so far.
	per, columns int
}

// entry is a node at its place in the model.
type entry struct {
	node              node
	per               int // rows a sample
	in, out           int // columns
	fold              bool
	needsGrad         bool // something up to here learns, so the gradient of the output is needed
	needsInputGrad    bool
	kernel, bias      *parameter
	layer             string
	learnedParameters []*parameter
}

func (b *builder) add(n node) {
	if b.per == 0 {
		b.m.entries = append(b.m.entries, entry{node: n, layer: b.name})
		return
	}
	b.m.entries = append(b.m.entries, entry{node: n, per: b.per, in: b.columns, out: n.columns(b.columns), layer: b.name})
	b.columns = n.columns(b.columns)
}

// view makes the matrix hold per rows a sample.
func (b *builder) view(per int) {
	features := elements(b.shape)
	if b.per == 0 {
		b.per, b.columns = per, features/per
		for i := range b.m.entries {
			e := &b.m.entries[i]
			e.per, e.in, e.out = per, b.columns, b.columns
		}
		b.m.inputPer, b.m.inputColumns = per, b.columns
		return
	}
	if b.per != per {
		n := newFoldNode(features, b.per, per)
		b.m.entries = append(b.m.entries, entry{node: n, per: b.per, in: b.columns, out: n.outCol, fold: true, layer: b.name})
		b.per, b.columns = per, n.outCol
	}
}

// lastAxis makes the columns of the matrix the last axis of the shape.
func (b *builder) lastAxis() {
	b.view(elements(b.shape[:len(b.shape)-1]))
}

// parameter adds a variable of the layer.
func (b *builder) parameter(name string, shape []int, trainable bool, init Initializer) (*parameter, error) {
	p := newParameter(b.m.name+"/"+b.name+"/"+name, shape, trainable && !b.frozen)
	b.random++
	values, err := init.Values(train.NewRandom(b.m.seed, b.random), shape)
	if err != nil {
		return nil, b.errorf("%s: %w", name, err)
	}
	p.pack(p.value, values)
	b.m.parameters = append(b.m.parameters, p)
	return p, nil
}

func (b *builder) errorf(format string, args ...any) error {
	return fmt.Errorf("dense: layer %d, %q: %w", b.index+1, b.name, fmt.Errorf(format, args...))
}

func elements(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// inputLayer states the shape of a sample.
type inputLayer struct{ shape []int }

// Input states the shape of a sample and is the first layer of every model: Input(784), Input(28, 28).
func Input(shape ...int) Layer { return inputLayer{shape} }

// Class returns Keras's class name.
func (inputLayer) Class() string { return "InputLayer" }

func (l inputLayer) build(b *builder) error {
	if b.index != 0 {
		return b.errorf("%w: Input must be the first layer", train.ErrOption)
	}
	if len(l.shape) == 0 {
		return b.errorf("%w: Input needs the shape of a sample", train.ErrOption)
	}
	const most = 1 << 28 // elements
	n := 1
	for _, s := range l.shape {
		if s < 1 || s > most/n {
			return b.errorf("%w: the shape of a sample is %v", train.ErrOption, l.shape)
		}
		n *= s
	}
	b.shape = append([]int{}, l.shape...)
	return nil
}

// denseLayer is fully connected.
type denseLayer struct {
	units                           int
	activation                      ActivationFunction
	noBias                          bool
	kernelInitializer, biasInit     Initializer
	kernelReg, biasReg, activityReg Regularizer
}

// DenseOption is an option of Dense: an ActivationFunction, NoBias, or one of the With functions.
type DenseOption interface{ applyDense(l *denseLayer) }

type denseOption func(*denseLayer)

func (f denseOption) applyDense(l *denseLayer) { f(l) }

// NoBias is Keras's use_bias=False.
var NoBias DenseOption = denseOption(func(l *denseLayer) { l.noBias = true })

// WithKernelInitializer sets how kernel [inputs, units] starts; GlorotUniform without it.
func WithKernelInitializer(i Initializer) DenseOption {
	return denseOption(func(l *denseLayer) { l.kernelInitializer = i })
}

// WithBiasInitializer sets how bias [units] starts; Zeros without it.
func WithBiasInitializer(i Initializer) DenseOption {
	return denseOption(func(l *denseLayer) { l.biasInit = i })
}

// WithKernelRegularizer adds a penalty on the kernel to the loss.
func WithKernelRegularizer(r Regularizer) DenseOption {
	return denseOption(func(l *denseLayer) { l.kernelReg = r })
}

// WithBiasRegularizer adds a penalty on the bias to the loss.
func WithBiasRegularizer(r Regularizer) DenseOption {
	return denseOption(func(l *denseLayer) { l.biasReg = r })
}

// WithActivityRegularizer adds a penalty on the outputs, after the activation, to the loss, divided by the batch size.
func WithActivityRegularizer(r Regularizer) DenseOption {
	return denseOption(func(l *denseLayer) { l.activityReg = r })
}

// Dense returns a fully connected layer: activation(x·kernel + bias). On inputs of several axes it acts on the last one.
//
//	x: [batch, …, inputs]  kernel: [inputs, units]  bias: [units]  output: [batch, …, units]
func Dense(units int, options ...DenseOption) Layer {
	l := denseLayer{units: units, kernelInitializer: GlorotUniform, biasInit: Zeros}
	for _, o := range options {
		if o != nil {
			o.applyDense(&l)
		}
	}
	return l
}

// Class returns Keras's class name.
func (denseLayer) Class() string { return "Dense" }

func (l denseLayer) build(b *builder) error {
	inputs := b.shape[len(b.shape)-1]
	const most = 1 << 30 // weights
	if l.units < 1 || l.units > most/inputs {
		return b.errorf("%w: %d units on %d inputs", train.ErrOption, l.units, inputs)
	}
	b.lastAxis()
	k, err := b.parameter("kernel", []int{inputs, l.units}, true, l.kernelInitializer)
	if err != nil {
		return err
	}
	k.regularizer = l.kernelReg
	var bias *parameter
	if !l.noBias {
		if bias, err = b.parameter("bias", []int{l.units}, true, l.biasInit); err != nil {
			return err
		}
		bias.regularizer = l.biasReg
	}
	n := newDenseNode(k, bias)
	b.add(n)
	e := &b.m.entries[len(b.m.entries)-1]
	e.kernel, e.bias = k, bias
	b.shape[len(b.shape)-1] = l.units
	if a := l.activation.node(); a != nil {
		b.add(a)
	}
	if !l.activityReg.zero() {
		b.add(&activityNode{regularizer: l.activityReg, per: b.per})
	}
	return nil
}

// activationLayer applies an activation.
type activationLayer struct{ function ActivationFunction }

// Activation returns a layer that applies an activation function.
func Activation(f ActivationFunction) Layer { return activationLayer{f} }

// Class returns Keras's class name.
func (activationLayer) Class() string { return "Activation" }

func (l activationLayer) build(b *builder) error {
	n := l.function.node()
	if n == nil {
		return nil
	}
	if l.function.kind == softmaxActivation {
		b.lastAxis()
	}
	b.add(n)
	return nil
}

// reshapeLayer gives a sample another shape.
type reshapeLayer struct {
	class string
	shape []int
}

// Flatten returns a layer that makes a sample a vector.
func Flatten() Layer { return reshapeLayer{"Flatten", []int{-1}} }

// Reshape returns a layer that gives a sample another shape with as many elements; one dimension may be -1.
func Reshape(shape ...int) Layer { return reshapeLayer{"Reshape", shape} }

// Class returns Keras's class name.
func (l reshapeLayer) Class() string { return l.class }

func (l reshapeLayer) build(b *builder) error {
	shape, have, known, open := append([]int{}, l.shape...), elements(b.shape), 1, -1
	for i, s := range shape {
		switch {
		case s == -1 && open < 0:
			open = i
		case s < 1 || s > have:
			return b.errorf("%w: reshape to %v", train.ErrOption, l.shape)
		default:
			known *= s
		}
	}
	if open >= 0 {
		shape[open] = have / known
		known *= shape[open]
	}
	if known != have || len(shape) == 0 {
		return b.errorf("%w: %v has %d elements, %v cannot hold them", train.ErrOption, b.shape, have, l.shape)
	}
	b.shape = shape
	return nil
}

// dropoutLayer drops elements at random.
type dropoutLayer struct{ rate float64 }

// Dropout returns a layer that, in training, sets a fraction rate of its inputs to zero and scales the others by 1/(1-rate).
func Dropout(rate float64) Layer { return dropoutLayer{rate} }

// Class returns Keras's class name.
func (dropoutLayer) Class() string { return "Dropout" }

func (l dropoutLayer) build(b *builder) error {
	if !(l.rate >= 0 && l.rate < 1) {
		return b.errorf("%w: the rate %v is not in [0, 1)", train.ErrOption, l.rate)
	}
	if l.rate > 0 {
		b.add(&dropoutNode{rate: l.rate, stream: uint64(b.index)})
	}
	return nil
}

// frozenLayer does not learn.
type frozenLayer struct{ Layer }

// Frozen returns the layer with Keras's trainable=False: its weights stay as they are, and BatchNormalization uses its moving
// statistics in training too.
func Frozen(l Layer) Layer { return frozenLayer{l} }

// isNil reports whether there is no layer, frozen or not.
func isNil(l Layer) bool {
	f, frozen := l.(frozenLayer)
	return l == nil || frozen && isNil(f.Layer)
}

func (l frozenLayer) build(b *builder) error {
	b.frozen = true
	defer func() { b.frozen = false }()
	return l.Layer.build(b)
}
