package train

import "math"

// Coefficients are the numbers of one optimizer step that are the same for every element, in float32 as Keras computes them.
type Coefficients struct {
	LearningRate float32
	// Alpha is Adam's learning rate · √(1-β₂ᵗ) / (1-β₁ᵗ), t counted from 1.
	Alpha float32
	// Decay is what a variable is multiplied by before the update, less 1: weight_decay · learning_rate.
	Decay float32
}

// Coefficients returns the coefficients of the step that follows iteration steps, at the given learning rate (RateAt).
func (o Optimizer) Coefficients(iteration int64, learningRate float32) Coefficients {
	c := Coefficients{LearningRate: learningRate, Decay: float32(o.WeightDecay) * learningRate}
	if o.Name == AdamName || o.Name == AdamWName {
		t := float64(float32(iteration + 1))
		power1 := float32(math.Pow(float64(float32(o.Beta1)), t))
		power2 := float32(math.Pow(float64(float32(o.Beta2)), t))
		c.Alpha = learningRate * float32(math.Sqrt(float64(1-power2))) / (1 - power1)
	}
	return c
}

// RateAt returns the learning rate of the step that follows iteration steps: the schedule's where there is one, else rate.
func (o Optimizer) RateAt(iteration int64, rate float64) float32 {
	if o.Schedule != nil {
		return float32(o.Schedule.At(iteration))
	}
	return float32(rate)
}

// Update takes one step on one variable: gradient is already clipped (Clip), slots are in the order of Slots, all of the
// variable's length. Weight decay is applied here, first, as Keras does.
func (o Optimizer) Update(c Coefficients, variable, gradient []float32, slots [][]float32) {
	if o.WeightDecay != 0 {
		for i := range variable {
			variable[i] -= variable[i] * c.Decay
		}
	}
	switch o.Name {
	case SGDName:
		o.sgd(c, variable, gradient, slots)
	case RMSpropName:
		o.rmsprop(c, variable, gradient, slots)
	case AdagradName:
		for i, g := range gradient {
			slots[0][i] += g * g
			variable[i] -= c.LearningRate * g / sqrt(slots[0][i]+float32(o.Epsilon))
		}
	case AdamName, AdamWName:
		o.adam(c, variable, gradient, slots)
	}
}

// sgd: m = momentum·m - rate·g; w += m, or with Nesterov w += momentum·m - rate·g.
func (o Optimizer) sgd(c Coefficients, w, gradient []float32, slots [][]float32) {
	if o.Momentum == 0 {
		for i, g := range gradient {
			w[i] -= c.LearningRate * g
		}
		return
	}
	momentum, m := float32(o.Momentum), slots[0]
	for i, g := range gradient {
		step := c.LearningRate * g
		m[i] = momentum*m[i] - step
		if o.Nesterov {
			w[i] += momentum*m[i] - step
		} else {
			w[i] += m[i]
		}
	}
}

// rmsprop: v = rho·v + (1-rho)·g²; w -= rate·g / √(v+ε), v less the square of the mean gradient where centered, through a
// momentum where there is one.
func (o Optimizer) rmsprop(c Coefficients, w, gradient []float32, slots [][]float32) {
	rho, rest, epsilon, v := float32(o.Rho), float32(1-o.Rho), float32(o.Epsilon), slots[0]
	mean := slots[len(slots)-1] // centered only
	for i, g := range gradient {
		v[i] = rho*v[i] + rest*(g*g)
		denominator := v[i] + epsilon
		if o.Centered {
			mean[i] = rho*mean[i] + rest*g
			denominator = v[i] - mean[i]*mean[i] + epsilon
		}
		step := c.LearningRate * g / sqrt(denominator)
		if o.Momentum > 0 {
			slots[1][i] = float32(o.Momentum)*slots[1][i] + step
			step = slots[1][i]
		}
		w[i] -= step
	}
}

// adam: m += (g-m)(1-β₁); v += (g²-v)(1-β₂); w -= α·m / (√v+ε), v replaced by its running maximum with AMSGrad.
func (o Optimizer) adam(c Coefficients, w, gradient []float32, slots [][]float32) {
	rest1, rest2, epsilon := float32(1-o.Beta1), float32(1-o.Beta2), float32(o.Epsilon)
	m, v := slots[0], slots[1]
	for i, g := range gradient {
		m[i] += (g - m[i]) * rest1
		v[i] += (g*g - v[i]) * rest2
		second := v[i]
		if o.AMSGrad {
			slots[2][i] = max(slots[2][i], second)
			second = slots[2][i]
		}
		w[i] -= m[i] * c.Alpha / (sqrt(second) + epsilon)
	}
}

// Clip clips the gradients of all trainable variables in place, as the optimizer's options say. Norms are summed in float64.
func (o Optimizer) Clip(gradients [][]float32) {
	switch {
	case o.ClipNorm > 0:
		for _, g := range gradients {
			if norm := math.Sqrt(squares(g)); !(norm <= o.ClipNorm) {
				scale(g, float32(o.ClipNorm/norm))
			}
		}
	case o.GlobalClipNorm > 0:
		sum := 0.0
		for _, g := range gradients {
			sum += squares(g)
		}
		if norm := math.Sqrt(sum); !(norm <= o.GlobalClipNorm) {
			for _, g := range gradients {
				scale(g, float32(o.GlobalClipNorm/norm))
			}
		}
	case o.ClipValue > 0:
		limit := float32(o.ClipValue)
		for _, g := range gradients {
			for i := range g {
				g[i] = min(max(g[i], -limit), limit)
			}
		}
	}
}

func squares(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

func scale(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
