package keras

import (
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

// cell is one step of a recurrent layer. Its weights are passed to it, since a step can stand in a function of its own.
type cell struct {
	// project computes what depends on the inputs alone, for all steps at once. x: [batch, time, features…].
	project func(e *emitter, x Value, weights []Value) Value
	// step computes the output and the next states from a projected input and the states.
	step    func(e *emitter, x Value, states, weights []Value) (Value, []Value)
	weights []Value
	states  []tensor.Shape // without the batch
	output  tensor.Shape   // without the batch
}

// cellOf makes the cell of a recurrent layer; in is the shape of its input [batch, time, features…].
func (c *Call) cellOf(l *Layer, in tensor.Shape) *cell {
	sub := &Call{emitter: emitter{c.b, c.scope}, Layer: l, policy: l.Config.policy(), walk: c.walk}
	if l.Config["dtype"] == nil || l.attribute == "cell" && l.Config["units"] != nil {
		sub.policy = c.policy
	}
	if l.OutputShapes == nil {
		l.OutputShapes = []tensor.Shape{}
	}
	switch l.Class {
	case "SimpleRNNCell":
		return sub.simpleCell(in)
	case "LSTMCell":
		return sub.lstmCell(in)
	case "GRUCell":
		return sub.gruCell(in)
	case "ConvLSTMCell":
		return sub.convLSTMCell(in)
	case "StackedRNNCells":
		return c.stackedCell(l, in)
	}
	fail(ErrCustomObject, "the cell %s (%s) is not one of Keras's", l.Name, l.Class)
	return nil
}

// gateWeights makes kernel, recurrent kernel and bias of n gates.
func (c *Call) gateWeights(in tensor.Shape, n int, bias tensor.Shape) (weights []Value) {
	units := c.config().positive("units")
	features := in[len(in)-1]
	if features < 1 || len(in) != 3 {
		fail(ErrUnsupported, "an input of shape %v: [batch, time, features] with known features is needed", in)
	}
	weights = []Value{c.Weight("kernel", tensor.Shape{features, n * units}, true), c.Weight("recurrent_kernel", tensor.Shape{units, n * units}, true)}
	if c.config().Bool("use_bias", true) {
		weights = append(weights, c.Weight("bias", bias, true))
	}
	return weights
}

// affine multiplies the inputs of all steps by the kernel and adds the bias.
func affine(e *emitter, x Value, weights []Value) Value {
	y := e.lastProduct(x, weights[0])
	if len(weights) > 2 {
		y = e.biasAdd(y, weights[2])
	}
	return y
}

// simpleCell: h' = activation(x·W + b + h·U).
func (c *Call) simpleCell(in tensor.Shape) *cell {
	n := c.config().positive("units")
	weights := c.gateWeights(in, 1, tensor.Shape{n})
	f := c.withDefault("activation", "tanh")
	return &cell{project: affine, weights: weights, states: []tensor.Shape{{n}}, output: tensor.Shape{n},
		step: func(e *emitter, x Value, s, w []Value) (Value, []Value) {
			h := f(e, e.add(x, e.matmul(s[0], w[1], false, false)))
			return h, []Value{h}
		}}
}

// withDefault reads an activation, or the default of the class where the configuration leaves it out.
func (c *Call) withDefault(key, def string) activationFunc {
	if _, there := c.config()[key]; !there {
		return activationOf(c.Layer, def)
	}
	return c.activation(key)
}

// lstmCell: gates i, f, c, o; c' = f·c + i·activation(z_c), h' = o·activation(c') (Hochreiter and Schmidhuber 1997).
func (c *Call) lstmCell(in tensor.Shape) *cell {
	units := c.config().positive("units")
	weights := c.gateWeights(in, 4, tensor.Shape{4 * units})
	f, g := c.withDefault("activation", "tanh"), c.gateActivation()
	return &cell{project: affine, weights: weights, states: []tensor.Shape{{units}, {units}}, output: tensor.Shape{units},
		step: func(e *emitter, x Value, s, w []Value) (Value, []Value) {
			z := e.split(e.add(x, e.matmul(s[0], w[1], false, false)), -1, 4)
			i, forget, o := g(e, z[0]), g(e, z[1]), g(e, z[3])
			carry := e.add(e.mul(forget, s[1]), e.mul(i, f(e, z[2])))
			h := e.mul(o, f(e, carry))
			return h, []Value{h, carry}
		}}
}

// gateActivation is recurrent_activation: sigmoid since Keras 2.3, hard_sigmoid before.
func (c *Call) gateActivation() activationFunc {
	if c.Layer.age == keras3 {
		return c.withDefault("recurrent_activation", "sigmoid")
	}
	return c.withDefault("recurrent_activation", "hard_sigmoid")
}

// gruCell: gates z, r and the candidate; h' = z·h + (1 - z)·candidate (Cho et al. 2014). With reset_after the reset gate
// comes after the product with the recurrent kernel, which has a bias of its own, as in cuDNN.
func (c *Call) gruCell(in tensor.Shape) *cell {
	units := c.config().positive("units")
	after := c.config().Bool("reset_after", c.Layer.age == keras3)
	bias := tensor.Shape{3 * units}
	if after {
		bias = tensor.Shape{2, 3 * units}
	}
	weights := c.gateWeights(in, 3, bias)
	f, g := c.withDefault("activation", "tanh"), c.gateActivation()
	project := affine
	if after {
		project = func(e *emitter, x Value, w []Value) Value {
			y := e.lastProduct(x, w[0])
			if len(w) > 2 {
				y = e.biasAdd(y, e.index(w[2], 0, 0))
			}
			return y
		}
	}
	return &cell{project: project, weights: weights, states: []tensor.Shape{{units}}, output: tensor.Shape{units},
		step: func(e *emitter, x Value, s, w []Value) (Value, []Value) {
			h := s[0]
			var z, candidate Value
			if after {
				r := e.matmul(h, w[1], false, false)
				if len(w) > 2 {
					r = e.biasAdd(r, e.index(w[2], 0, 1))
				}
				xs, rs := e.split(x, -1, 3), e.split(r, -1, 3)
				z = g(e, e.add(xs[0], rs[0]))
				reset := g(e, e.add(xs[1], rs[1]))
				candidate = f(e, e.add(xs[2], e.mul(reset, rs[2])))
			} else {
				xs, u := e.split(x, -1, 3), e.split(w[1], -1, 3)
				z = g(e, e.add(xs[0], e.matmul(h, u[0], false, false)))
				reset := g(e, e.add(xs[1], e.matmul(h, u[1], false, false)))
				candidate = f(e, e.add(xs[2], e.matmul(e.mul(reset, h), u[2], false, false)))
			}
			h = e.add(e.mul(z, h), e.mul(e.sub(e.scalar(1, z.DType), z), candidate))
			return h, []Value{h}
		}}
}

// convLSTMCell is an LSTM whose products are convolutions (Shi et al. 2015). x: [batch, time, spatial…, channels].
func (c *Call) convLSTMCell(in tensor.Shape) *cell {
	n := len(in) - 3
	if n < 1 || n > 3 || c.config().channelsFirst() {
		fail(ErrUnsupported, "an input of shape %v with data_format %s", in, c.config().String("data_format", "channels_last"))
	}
	w, filters := c.window(n, "kernel_size", true), c.config().positive("filters")
	channels := in[len(in)-1]
	size := slices.Clone(tensor.Shape(w.size))
	weights := []Value{c.Weight("kernel", append(slices.Clone(size), channels, 4*filters), true),
		c.Weight("recurrent_kernel", append(slices.Clone(size), filters, 4*filters), true)}
	if c.config().Bool("use_bias", true) {
		weights = append(weights, c.Weight("bias", tensor.Shape{4 * filters}, true))
	}
	state := tensor.Shape{}
	for i := range n {
		d := w.output(in[i+2], i)
		if d < 0 {
			fail(ErrUnsupported, "an input of unknown size %v", in)
		}
		state = append(state, d)
	}
	state = append(state, filters)
	ones := slices.Repeat([]int{1}, n)
	inner := window{size: w.size, strides: ones, dilation: ones, padding: "SAME"}
	f, g := c.withDefault("activation", "tanh"), c.withDefault("recurrent_activation", "hard_sigmoid")
	return &cell{weights: weights, states: []tensor.Shape{state, state}, output: state,
		project: func(e *emitter, x Value, weights []Value) Value {
			dims := e.dims(x)
			flat := e.reshape(x, append([]dim{e.times(dims[0], dims[1])}, dims[2:]...)...)
			y := e.convolution(flat, weights[0], w, 1)
			if len(weights) > 2 {
				y = e.biasAdd(y, weights[2])
			}
			return e.reshape(y, append(dims[:2:2], known(y.Shape[1:]...)...)...)
		},
		step: func(e *emitter, x Value, s, weights []Value) (Value, []Value) {
			z := e.split(e.add(x, e.convolution(s[0], weights[1], inner, 1)), -1, 4)
			i, forget, o := g(e, z[0]), g(e, z[1]), g(e, z[3])
			carry := e.add(e.mul(forget, s[1]), e.mul(i, f(e, z[2])))
			h := e.mul(o, f(e, carry))
			return h, []Value{h, carry}
		}}
}

// stackedCell runs cells one after the other in each step.
func (c *Call) stackedCell(l *Layer, in tensor.Shape) *cell {
	var cells []*cell
	out := &cell{}
	for _, s := range l.sublayers {
		k := c.cellOf(s, in)
		in = slices.Concat(in[:2], k.output)
		cells = append(cells, k)
		out.weights = append(out.weights, k.weights...)
		out.states = append(out.states, k.states...)
		out.output = k.output
	}
	if len(cells) == 0 {
		fail(ErrFormat, "%s has no cells", l.path)
	}
	out.project = func(e *emitter, x Value, w []Value) Value { return cells[0].project(e, x, w[:len(cells[0].weights)]) }
	out.step = func(e *emitter, x Value, states, w []Value) (Value, []Value) {
		var next []Value
		for i, k := range cells {
			own, rest := w[:len(k.weights)], w[len(k.weights):]
			if i > 0 {
				x = e.squeeze(k.project(e, e.expand(x, 1), own), 1)
			}
			var s []Value
			x, s = k.step(e, x, states[:len(k.states)], own)
			next = append(next, s...)
			states, w = states[len(k.states):], rest
		}
		return x, next
	}
	return out
}
