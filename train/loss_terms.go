package train

import "math"

// elementLoss returns the loss of one output; formulas of keras/src/losses/losses.py and keras/src/backend/tensorflow/nn.py.
func elementLoss[T Float](l Loss, target, prediction T) float64 {
	y, p := float64(target), float64(prediction)
	e := p - y
	switch l.Name {
	case MeanSquaredError:
		return e * e
	case MeanAbsoluteError:
		return math.Abs(e)
	case Huber:
		if delta := l.delta(); math.Abs(e) > delta {
			return delta*math.Abs(e) - delta*delta/2
		}
		return e * e / 2
	case LogCosh: // |e| + log1p(exp(-2|e|)) - log 2 does not overflow
		return math.Abs(e) + math.Log1p(math.Exp(-2*math.Abs(e))) - math.Ln2
	default: // BinaryCrossentropy
		y += l.LabelSmoothing * (0.5 - y)
		if l.FromLogits {
			return max(p, 0) - p*y + math.Log1p(math.Exp(-math.Abs(p)))
		}
		q, _ := clip(prediction)
		return -y*math.Log(q) - (1-y)*math.Log(1-q)
	}
}

// elementGradient returns the derivative of elementLoss by the prediction.
func elementGradient[T Float](l Loss, target, prediction T) float64 {
	y, p := float64(target), float64(prediction)
	e := p - y
	switch l.Name {
	case MeanSquaredError:
		return 2 * e
	case MeanAbsoluteError:
		return sign(e)
	case Huber:
		if delta := l.delta(); math.Abs(e) > delta {
			return delta * sign(e)
		}
		return e
	case LogCosh:
		return math.Tanh(e)
	default: // BinaryCrossentropy
		y += l.LabelSmoothing * (0.5 - y)
		if l.FromLogits {
			return 1/(1+math.Exp(-p)) - y
		}
		q, slope := clip(prediction)
		return slope * ((1-y)/(1-q) - y/q)
	}
}

// categoricalLoss returns -Σ target·log(probability) of one sample.
func categoricalLoss[T Float](l Loss, y, p []T) T {
	sum := 0.0
	if l.normalizes() {
		total := sumOf(p)
		for j := range p {
			q, _ := clip(T(float64(p[j]) / total))
			sum -= classTarget(l, y, j, len(p)) * math.Log(q)
		}
		return T(sum)
	}
	targets := 0.0
	for j := range p {
		t := classTarget(l, y, j, len(p))
		z, _ := logit(l, p[j])
		sum, targets = sum+t*z, targets+t
	}
	return T(targets*logSumExp(l, p) - sum)
}

// categoricalGradient sets gradient to the derivative of categoricalLoss by p.
func categoricalGradient[T Float](l Loss, gradient, y, p []T) {
	if l.normalizes() { // with q = p/Σp and g = dL/dq: dL/dp = (g - Σ g·q) / Σp
		total, dot := sumOf(p), 0.0
		for j := range p {
			q, slope := clip(T(float64(p[j]) / total))
			g := -slope * classTarget(l, y, j, len(p)) / q
			gradient[j], dot = T(g), dot+g*q
		}
		for j := range gradient {
			gradient[j] = T((float64(gradient[j]) - dot) / total)
		}
		return
	}
	targets, lse := 0.0, logSumExp(l, p)
	for j := range p {
		targets += classTarget(l, y, j, len(p))
	}
	for j := range p {
		z, slope := logit(l, p[j])
		gradient[j] = T(slope * (targets*math.Exp(z-lse) - classTarget(l, y, j, len(p))))
	}
}

// normalizes reports whether probabilities are divided by their sum before the logarithm. Keras does that for one-hot
// targets; for class indices it takes the softmax of log(p) instead, which differs once p is clipped.
func (l Loss) normalizes() bool { return l.Name == CategoricalCrossentropy && !l.FromLogits }

// classTarget returns the smoothed target of class j of k.
func classTarget[T Float](l Loss, y []T, j, k int) float64 {
	t := 0.0
	if !l.Sparse() {
		t = float64(y[j])
	} else if int(y[0]) == j {
		t = 1
	}
	return t*(1-l.LabelSmoothing) + l.LabelSmoothing/float64(k)
}

// logit returns what the softmax is taken of, the prediction itself or the logarithm of a clipped probability, and its
// derivative by the prediction.
func logit[T Float](l Loss, p T) (z, slope float64) {
	if l.FromLogits {
		return float64(p), 1
	}
	q, slope := clip(p)
	return math.Log(q), slope / q
}

// logSumExp returns log Σ exp(logit).
func logSumExp[T Float](l Loss, p []T) float64 {
	top, sum := math.Inf(-1), 0.0
	for j := range p {
		z, _ := logit(l, p[j])
		top = max(top, z)
	}
	for j := range p {
		z, _ := logit(l, p[j])
		sum += math.Exp(z - top)
	}
	return top + math.Log(sum)
}

// clip returns p between Epsilon and 1-Epsilon, in the arithmetic of T, and the slope there: 0 where it was clipped.
func clip[T Float](p T) (q, slope float64) {
	low, high := T(Epsilon), T(1)-T(Epsilon)
	switch {
	case p < low:
		return float64(low), 0
	case p > high:
		return float64(high), 0
	default:
		return float64(p), 1
	}
}

func (l Loss) delta() float64 {
	if l.Delta == 0 {
		return 1
	}
	return l.Delta
}

func sumOf[T Float](p []T) float64 {
	sum := 0.0
	for _, v := range p {
		sum += float64(v)
	}
	return sum
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	default:
		return x // 0 and NaN
	}
}
