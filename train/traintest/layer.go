package traintest

import (
	"math"

	"github.com/cambium-go/cambium/train"
)

// activation is a function of a layer's sums, in place, and its derivative: gradient becomes dL/dsum, given dL/doutput.
type activation struct {
	forward  func(z []float64)
	backward func(gradient, output []float64)
}

// each makes an activation of a function of one number, its slope given by the output.
func each(f, slope func(x float64) float64) activation {
	return activation{
		forward: func(z []float64) {
			for i := range z {
				z[i] = f(z[i])
			}
		},
		backward: func(gradient, output []float64) {
			for i := range gradient {
				gradient[i] *= slope(output[i])
			}
		},
	}
}

// step is relu's slope, given its output.
func step(y float64) float64 {
	if y > 0 {
		return 1
	}
	return 0
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

var activations = map[string]activation{
	"":        each(func(x float64) float64 { return x }, func(float64) float64 { return 1 }),
	"linear":  each(func(x float64) float64 { return x }, func(float64) float64 { return 1 }),
	"relu":    each(func(x float64) float64 { return max(x, 0) }, step),
	"sigmoid": each(sigmoid, func(y float64) float64 { return y * (1 - y) }),
	"tanh":    each(math.Tanh, func(y float64) float64 { return 1 - y*y }),
	"softmax": {forward: softmax, backward: func(gradient, output []float64) {
		dot := 0.0
		for i := range gradient {
			dot += gradient[i] * output[i]
		}
		for i := range gradient {
			gradient[i] = output[i] * (gradient[i] - dot)
		}
	}},
}

func softmax(z []float64) {
	top, sum := math.Inf(-1), 0.0
	for _, v := range z {
		top = max(top, v)
	}
	for i := range z {
		z[i] = math.Exp(z[i] - top)
		sum += z[i]
	}
	for i := range z {
		z[i] /= sum
	}
}

// pass is what a layer computed for a batch, kept for the way back.
type pass struct {
	input, sums, output, mask, dropped []float64
}

// forward computes activation(x·kernel + bias), then multiplies by the dropout mask where there is one.
func (a *layer) forward(x, mask []float64) pass {
	n := len(x) / a.inputs
	p := pass{input: x, sums: make([]float64, n*a.units), mask: mask}
	for s := range n {
		sums := p.sums[s*a.units : (s+1)*a.units]
		for u := range sums {
			sums[u] = float64(a.bias[u])
		}
		for i, v := range x[s*a.inputs : (s+1)*a.inputs] {
			for u := range sums {
				sums[u] += v * float64(a.kernel[i*a.units+u])
			}
		}
	}
	p.output = append([]float64{}, p.sums...)
	for s := range n {
		a.activation.forward(p.output[s*a.units : (s+1)*a.units])
	}
	p.dropped = append([]float64{}, p.output...)
	for i := range mask {
		p.dropped[i] *= mask[i]
	}
	return p
}

// backward sets the layer's gradients, given the loss's by what the layer put out (by its sums if fromSums), and returns the
// loss's gradient by the layer's input.
func (a *layer) backward(gradient []float64, p pass, fromSums bool, m train.MLP) []float64 {
	n := len(p.input) / a.inputs
	for i := range p.mask {
		gradient[i] *= p.mask[i]
	}
	kernel, bias, back := make([]float64, len(a.kernel)), make([]float64, a.units), make([]float64, len(p.input))
	for s := range n {
		g := gradient[s*a.units : (s+1)*a.units]
		if !fromSums {
			a.activation.backward(g, p.output[s*a.units:(s+1)*a.units])
		}
		for u := range g {
			bias[u] += g[u]
		}
		for i, v := range p.input[s*a.inputs : (s+1)*a.inputs] {
			for u := range g {
				kernel[i*a.units+u] += v * g[u]
				back[s*a.inputs+i] += g[u] * float64(a.kernel[i*a.units+u])
			}
		}
	}
	for i, w := range a.kernel {
		a.kernelGrad[i] = float32(kernel[i] + 2*m.L2*float64(w) + m.L1*sign(w))
	}
	for u := range bias {
		a.biasGrad[u] = float32(bias[u])
	}
	return back
}

func sign(w float32) float64 {
	switch {
	case w > 0:
		return 1
	case w < 0:
		return -1
	default:
		return 0
	}
}

// mask returns the dropout mask of a hidden layer for the step to come: 0, or 1/(1-rate). It is a function of the seed, the
// iteration and the layer.
func (r *Reference) mask(layer, n int, training bool) []float64 {
	rate := r.layers[layer].dropout
	if !training || rate == 0 {
		return nil
	}
	random := train.NewRandom(r.seed^uint64(r.iteration)<<8, uint64(layer))
	mask := make([]float64, n*r.layers[layer].units)
	for i := range mask {
		if random.Float64() >= rate {
			mask[i] = 1 / (1 - rate)
		}
	}
	return mask
}

// penalty returns the regularizers' part of the loss.
func (r *Reference) penalty() float64 {
	l1, l2 := 0.0, 0.0
	for i := range r.layers {
		for _, w := range r.layers[i].kernel {
			l1 += math.Abs(float64(w))
			l2 += float64(w) * float64(w)
		}
	}
	return r.spec.L1*l1 + r.spec.L2*l2
}

// update takes the optimizer step.
func (r *Reference) update() {
	var gradients [][]float32
	for i := range r.layers {
		gradients = append(gradients, r.layers[i].kernelGrad, r.layers[i].biasGrad)
	}
	r.optimizer.Clip(gradients)
	c := r.optimizer.Coefficients(r.iteration, r.optimizer.RateAt(r.iteration, r.rate))
	for i := range r.layers {
		a := &r.layers[i]
		r.optimizer.Update(c, a.kernel, a.kernelGrad, a.kernelSlots)
		r.optimizer.Update(c, a.bias, a.biasGrad, a.biasSlot)
	}
	r.iteration++
}
