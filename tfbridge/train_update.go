//go:build cgo

package tfbridge

import (
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// rates are the numbers of a step, train.Coefficients, as scalars that are fed.
type rates struct{ rate, alpha, decay graph.Ref }

// updated is a variable with its gradient and the optimizer's slots: handles, and the values they had before the step.
type updated struct {
	handle, value, gradient graph.Ref
	slots, slotValues       []graph.Ref
}

// clipGradients writes train.Optimizer.Clip.
func (o ops) clipGradients(opt train.Optimizer, g []graph.Ref) {
	squares := make([]graph.Ref, len(g))
	if opt.ClipNorm > 0 || opt.GlobalClipNorm > 0 {
		for i := range g {
			squares[i] = o.sum(o.f("Square", o.Op("Reshape", "flat", []graph.Ref{g[i], o.Ints("shape", -1)}, graph.Attrs{"T": tensor.Float32})), false, 0)
		}
	}
	factor := func(square graph.Ref, limit float64) graph.Ref {
		return o.div(o.scalar(limit), o.f("Maximum", o.f("Sqrt", square), o.scalar(limit)))
	}
	switch {
	case opt.ClipNorm > 0:
		for i := range g {
			g[i] = o.mul(g[i], factor(squares[i], opt.ClipNorm))
		}
	case opt.GlobalClipNorm > 0:
		all := o.Op("AddN", "squares", squares, graph.Attrs{"T": tensor.Float32, "N": len(squares)})
		f := factor(all, opt.GlobalClipNorm)
		for i := range g {
			g[i] = o.mul(g[i], f)
		}
	case opt.ClipValue > 0:
		for i := range g {
			g[i] = o.clip(g[i], -opt.ClipValue, opt.ClipValue)
		}
	}
}

// update writes train.Optimizer.Update for one variable and returns the ops that have to run. TensorFlow's fused kernels are
// used where their formula is Keras's. ResourceApplyAdam's is not quite: it rounds β₂ before it takes 1-β₂, which is then off
// by 5e-5, enough for two engines to drift apart.
func (o ops) update(opt train.Optimizer, r rates, v updated) []graph.Ref {
	var run, after []graph.Ref
	if opt.WeightDecay != 0 {
		decayed := o.assign("AssignSubVariableOp", v.handle, o.mul(v.value, r.decay), nil)
		run, after = append(run, decayed), append(after, "^"+decayed)
	}
	kernel := func(op string, extra graph.Attrs, in ...graph.Ref) []graph.Ref {
		attrs := graph.Attrs{"T": tensor.Float32}
		for k, a := range extra {
			attrs[k] = a
		}
		return append(run, o.Op(op, op, append(in, after...), attrs))
	}
	set := func(slot int, value graph.Ref) graph.Ref {
		run = append(run, o.assign("AssignVariableOp", v.slots[slot], value, nil))
		return value
	}
	g := v.gradient
	switch {
	case opt.Name == train.SGDName && opt.Momentum == 0:
		return kernel("ResourceApplyGradientDescent", nil, v.handle, r.rate, g)
	case opt.Name == train.SGDName:
		return kernel("ResourceApplyKerasMomentum", graph.Attrs{"use_nesterov": opt.Nesterov}, v.handle, v.slots[0], r.rate, g, o.scalar(opt.Momentum))
	case opt.Name == train.RMSpropName:
		step := o.rmsprop(opt, r, v, set)
		return append(run, o.assign("AssignSubVariableOp", v.handle, step, after))
	case opt.Name == train.AdagradName:
		sum := set(0, o.add(v.slotValues[0], o.f("Square", g)))
		step := o.div(o.mul(g, r.rate), o.f("Sqrt", o.add(sum, o.scalar(opt.Epsilon))))
		return append(run, o.assign("AssignSubVariableOp", v.handle, step, after))
	default:
		mean := set(0, o.toward(v.slotValues[0], g, 1-opt.Beta1))
		square := set(1, o.toward(v.slotValues[1], o.f("Square", g), 1-opt.Beta2))
		if opt.AMSGrad {
			square = set(2, o.f("Maximum", v.slotValues[2], square))
		}
		step := o.div(o.mul(mean, r.alpha), o.add(o.f("Sqrt", square), o.scalar(opt.Epsilon)))
		return append(run, o.assign("AssignSubVariableOp", v.handle, step, after))
	}
}

// rmsprop returns what is subtracted from the variable.
func (o ops) rmsprop(opt train.Optimizer, r rates, v updated, set func(int, graph.Ref) graph.Ref) graph.Ref {
	g, last := v.gradient, len(v.slots)-1
	average := func(slot int, x graph.Ref) graph.Ref {
		return set(slot, o.add(o.scale(v.slotValues[slot], opt.Rho), o.scale(x, 1-opt.Rho)))
	}
	variance := average(0, o.f("Square", g))
	if opt.Centered {
		variance = o.sub(variance, o.f("Square", average(last, g)))
	}
	step := o.div(o.mul(g, r.rate), o.f("Sqrt", o.add(variance, o.scalar(opt.Epsilon))))
	if opt.Momentum > 0 {
		step = set(1, o.add(o.scale(v.slotValues[1], opt.Momentum), step))
	}
	return step
}

// toward returns a + (b-a)·share.
func (o ops) toward(a, b graph.Ref, share float64) graph.Ref {
	return o.add(a, o.scale(o.sub(b, a), share))
}

// assign adds AssignVariableOp, or one that adds or subtracts; after are control inputs.
func (o ops) assign(op string, handle, value graph.Ref, after []graph.Ref) graph.Ref {
	return o.Op(op, op, append([]graph.Ref{handle, value}, after...), graph.Attrs{"dtype": tensor.Float32})
}
