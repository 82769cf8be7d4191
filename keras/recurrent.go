package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// maxUnroll is how many steps are written out one after the other; longer or unknown sequences become a loop. What is
// written out can be trained through: While has no gradient in TensorFlow's C library.
const maxUnroll = 32

func init() {
	register(class{call: callRecurrent, ownMask: true}, "SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
	register(class{call: callBidirectional, ownMask: true}, "Bidirectional")
	register(class{call: callTimeDistributed, passesMask: true}, "TimeDistributed")
}

// callRecurrent runs a cell over [batch, time, features…].
func callRecurrent(c *Call) []Value {
	cfg := c.config()
	x := c.Inputs[0]
	mask := x.Mask
	if m, ok := c.Kwargs["mask"].(Value); ok {
		mask = &m
	}
	if x.rank() < 3 {
		fail(ErrFormat, "the input has shape %v, [batch, time, features] is needed", x.Shape)
	}
	if mask != nil {
		mask.need(2)
	}
	timeMajor := cfg.Bool("time_major", false)
	if timeMajor {
		x = c.swapTime(x)
	}
	if cfg.Bool("go_backwards", false) {
		x = c.reverse(x, 1)
		if mask != nil {
			m := c.reverse(*mask, 1)
			mask = &m
		}
	}
	k := c.cellOf(c.Layer.sublayers[0], x.Shape)
	states := c.initialStates(k, x)
	r := &recurrence{c: c, cell: k, zeroMasked: cfg.Bool("zero_output_for_mask", false), all: cfg.Bool("return_sequences", false)}
	output, states := r.run(k.project(&c.emitter, x, k.weights), states, mask)
	if timeMajor && r.all {
		output = c.swapTime(output)
	}
	if r.all {
		output.Mask = c.Inputs[0].Mask
	}
	out := []Value{output}
	if cfg.Bool("return_state", false) {
		out = append(out, states...)
	}
	return out
}

// swapTime exchanges batch and time.
func (e *emitter) swapTime(x Value) Value {
	perm := identity(x.rank())
	perm[0], perm[1] = 1, 0
	return e.transpose(x, perm...)
}

// initialStates are given as initial_state or as further inputs, else zeros.
func (c *Call) initialStates(k *cell, x Value) []Value {
	given := values(c.Kwargs["initial_state"])
	if len(given) == 0 && len(c.Inputs) > 1 {
		given = c.Inputs[1:]
	}
	if len(given) == 0 && len(c.Args) > 1 {
		given = values(c.Args[1:])
	}
	if len(given) > 0 {
		if len(given) != len(k.states) {
			fail(ErrFormat, "%d initial states, %d are needed", len(given), len(k.states))
		}
		out := make([]Value, len(given))
		for i, s := range given {
			out[i] = c.cast(s, x.DType).masked(nil)
		}
		return out
	}
	var out []Value
	for _, s := range k.states {
		out = append(out, c.zeros(x.DType, append([]dim{c.dim(x, 0)}, known(s...)...)...))
	}
	return out
}

// recurrence runs the steps of a recurrent layer.
type recurrence struct {
	c          *Call
	cell       *cell
	zeroMasked bool // masked steps give zeros instead of the output before them
	all        bool // every output is wanted, not only the last
}

// run returns the outputs [batch, time, …] or the last one [batch, …], and the last states.
func (r *recurrence) run(x Value, states []Value, mask *Value) (Value, []Value) {
	c := r.c
	steps := x.Shape[1]
	if steps == 0 {
		fail(ErrFormat, "a sequence without steps")
	}
	if steps < 0 || steps > maxUnroll && !c.config().Bool("unroll", false) {
		return r.loop(x, states, mask)
	}
	bounded(steps, "the number of steps to unroll")
	previous := c.zeros(x.DType, append([]dim{c.dim(x, 0)}, known(r.cell.output...)...)...)
	outputs := make([]Value, steps)
	for t := range steps {
		var m *Value
		if mask != nil {
			v := c.index(*mask, 1, t)
			m = &v
		}
		outputs[t], previous, states = r.step(&c.emitter, c.index(x, 1, t), m, previous, states, r.cell.weights)
	}
	if r.all {
		return c.stack(1, outputs...), states
	}
	return previous, states
}

// step makes one step. A masked example keeps its states, and its output is the one before or zero.
func (r *recurrence) step(e *emitter, x Value, mask *Value, previous Value, states, weights []Value) (output, last Value, next []Value) {
	output, next = r.cell.step(e, x, states, weights)
	if mask == nil {
		return output, output, next
	}
	keep := func(now, before Value) Value {
		m := *mask
		for m.rank() < now.rank() {
			m = e.expand(m, -1)
		}
		return e.choose(m, now, before)
	}
	for i := range next {
		next[i] = keep(next[i], states[i])
	}
	last = keep(output, previous)
	if r.zeroMasked {
		return keep(output, e.scalar(0, output.DType)), last, next
	}
	return last, last, next
}

// loop runs the steps in a While loop; the outputs are kept in a TensorList. The variables of the loop are
//
//	step, steps, x [time, batch, …], list of outputs, previous output, states, mask [time, batch], weights
func (r *recurrence) loop(x Value, states []Value, mask *Value) (Value, []Value) {
	c := r.c
	steps := c.scalarOf(c.dim(x, 1))
	time := c.swapTime(x)
	batch := c.dim(x, 0)
	element, _ := c.shapeVector(append([]dim{{n: -1, v: c.int(-1)}}, known(r.cell.output...)...), false)
	vars := []Value{c.int(0), steps, time}
	vars = append(vars, c.op("TensorListReserve", []Value{element, steps},
		graph.Attrs{"element_dtype": x.DType, "shape_type": tensor.Int32}, variant, tensor.Shape{}))
	vars = append(vars, c.zeros(x.DType, append([]dim{batch}, known(r.cell.output...)...)...))
	vars = append(vars, states...)
	firstWeight := len(vars)
	if mask != nil {
		vars = append(vars, c.swapTime(*mask))
		firstWeight++
	}
	vars = append(vars, r.cell.weights...)
	n := len(states)
	out := c.walk.whileLoop(&c.emitter, vars,
		func(e *emitter, v []Value) Value { return e.compare("Less", v[0], v[1]) },
		func(e *emitter, v []Value) []Value {
			next := slices.Clone(v)
			var m *Value
			if mask != nil {
				row := e.gather(v[firstWeight-1], v[0])
				m = &row
			}
			output, last, s := r.step(e, e.gather(v[2], v[0]), m, v[4], v[5:5+n], v[firstWeight:])
			if r.all {
				next[3] = e.op("TensorListSetItem", []Value{v[3], v[0], output}, graph.Attrs{"element_dtype": output.DType}, variant, tensor.Shape{})
			}
			next[4] = last
			copy(next[5:], s)
			next[0] = e.add(v[0], e.int(1))
			return next
		})
	if !r.all {
		return out[4], out[5 : 5+n]
	}
	stacked := c.op("TensorListStack", []Value{out[3], element}, graph.Attrs{"element_dtype": x.DType, "num_elements": -1}, x.DType,
		slices.Concat(tensor.Shape{x.Shape[1], x.Shape[0]}, r.cell.output))
	return c.swapTime(stacked), out[5 : 5+n]
}

// callBidirectional runs a layer forwards and another one backwards and merges what they give.
func callBidirectional(c *Call) []Value {
	forward, backward := c.Layer.sublayers[0], c.Layer.sublayers[1]
	x := c.Inputs[0]
	mask := x.Mask
	if m, ok := c.Kwargs["mask"].(Value); ok {
		mask = &m
	}
	initial := values(c.Kwargs["initial_state"])
	if len(initial) == 0 {
		initial = c.Inputs[1:]
	}
	run := func(l *Layer, states []Value) []Value {
		kwargs := map[string]any{}
		if mask != nil {
			kwargs["mask"] = *mask
		}
		if len(states) > 0 {
			list := make([]any, len(states))
			for i, s := range states {
				list[i] = s
			}
			kwargs["initial_state"] = list
		}
		return c.inner(l, kwargs, x.masked(mask))
	}
	half := len(initial) / 2
	a, b := run(forward, initial[:half]), run(backward, initial[half:])
	y, z := a[0], b[0]
	sequences := forward.Config.Bool("return_sequences", false)
	if sequences {
		axis := 1
		if forward.Config.Bool("time_major", false) {
			axis = 0
		}
		z = c.reverse(z, axis)
	} else {
		mask = nil
	}
	out := c.mergeDirections(y, z)
	for i := range out {
		out[i].Mask = mask
	}
	if forward.Config.Bool("return_state", false) {
		out = append(append(out, a[1:]...), b[1:]...)
	}
	return out
}

// mergeDirections merges what was computed forwards and backwards, as merge_mode says; null keeps both.
func (c *Call) mergeDirections(y, z Value) []Value {
	mode, given := c.config()["merge_mode"]
	if !given {
		mode = "concat"
	}
	switch mode {
	case "concat":
		return []Value{c.concat(-1, y, z)}
	case "sum":
		return []Value{c.add(y, z)}
	case "ave":
		return []Value{c.div(c.add(y, z), c.scalar(2, y.DType))}
	case "mul":
		return []Value{c.mul(y, z)}
	case nil:
		return []Value{y, z}
	}
	fail(ErrFormat, "merge_mode %v", mode)
	return nil
}

// callTimeDistributed calls a layer on every step: batch and time become one axis, and two again.
func callTimeDistributed(c *Call) []Value {
	x := c.x()
	if x.rank() < 3 {
		fail(ErrFormat, "the input has shape %v, [batch, time, …] is needed", x.Shape)
	}
	dims := c.dims(x)
	flat := c.reshape(x, append([]dim{c.times(dims[0], dims[1])}, dims[2:]...)...)
	out := c.inner(c.Layer.sublayers[0], nil, flat)
	for i, y := range out {
		rest := c.dims(y)[1:]
		out[i] = c.reshape(y, append([]dim{dims[0], dims[1]}, rest...)...)
		if x.Shape[0] < 0 && x.Shape[1] >= 0 {
			out[i].Shape[1] = x.Shape[1]
		}
	}
	return out
}
