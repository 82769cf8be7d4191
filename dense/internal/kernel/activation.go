package kernel

import "math"

// Activation names an elementwise activation function.
type Activation int

// The activations. alpha is LeakyReLU's slope and ELU's scale; the others ignore it.
const (
	ReLU Activation = iota
	ReLU6
	LeakyReLU
	ELU
	SELU
	Sigmoid
	HardSigmoid
	Tanh
	Softplus
	Softsign
	Exponential
	SiLU
	Mish
	GELU
	GELUTanh
	activationCount
)

// FromInput reports whether Gradient needs the activation's input rather than its output.
func (a Activation) FromInput() bool { return a >= SiLU }

// Activate applies an activation; dst and src may be the same:
//
//	for i := range src {
//		dst[i] = f(src[i])
//	}
func Activate(a Activation, dst, src []float32, alpha float32) {
	n := len(src) &^ 15
	if simd == nil {
		n = 0
	}
	if n > 0 {
		_ = dst[len(src)-1]
		simd.activation[a](&dst[0], &src[0], n, alpha)
	}
	for i := n; i < len(src); i++ {
		dst[i] = float32(a.value(float64(src[i]), float64(alpha)))
	}
}

// Gradient multiplies dy with the derivative; dz and dy may be the same. ref is the activation's output, or its input if
// FromInput:
//
//	for i := range dy {
//		dz[i] = dy[i] * f'(ref[i])
//	}
func Gradient(a Activation, dz, dy, ref []float32, alpha float32) {
	n := len(dy) &^ 15
	if simd == nil {
		n = 0
	}
	if n > 0 {
		_, _ = dz[len(dy)-1], ref[len(dy)-1]
		simd.gradient[a](&dz[0], &dy[0], &ref[0], n, alpha)
	}
	for i := n; i < len(dy); i++ {
		dz[i] = float32(float64(dy[i]) * a.derivative(float64(ref[i]), float64(alpha)))
	}
}

const (
	seluScale = 1.0507009873554804934193349852946
	seluAlpha = 1.6732632423543772848170429916717
	geluCubic = 0.044715
)

var geluRoot = math.Sqrt(2 / math.Pi)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// normal is the distribution function of the standard normal.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// softplus is log(1+e**x).
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// value is the activation's definition.
func (a Activation) value(x, alpha float64) float64 {
	switch a {
	case ReLU:
		return max(x, 0)
	case ReLU6:
		return min(max(x, 0), 6)
	case LeakyReLU:
		if x < 0 {
			return alpha * x
		}
		return x
	case ELU:
		if x < 0 {
			return alpha * math.Expm1(x)
		}
		return x
	case SELU:
		if x < 0 {
			return seluScale * seluAlpha * math.Expm1(x)
		}
		return seluScale * x
	case Sigmoid:
		return sigmoid(x)
	case HardSigmoid:
		return min(max(x/6+0.5, 0), 1)
	case Tanh:
		return math.Tanh(x)
	case Softplus:
		return softplus(x)
	case Softsign:
		return x / (1 + math.Abs(x))
	case Exponential:
		return math.Exp(x)
	case SiLU:
		return x * sigmoid(x)
	case Mish:
		return x * math.Tanh(softplus(x))
	case GELU:
		return x * normal(x)
	default: // GELUTanh
		return x / 2 * (1 + math.Tanh(geluRoot*(x+geluCubic*x*x*x)))
	}
}

// derivative is f' by the output r, or by the input r if FromInput.
func (a Activation) derivative(r, alpha float64) float64 {
	inside := func(ok bool, slope float64) float64 {
		if ok {
			return slope
		}
		return 0
	}
	switch a {
	case ReLU:
		return inside(r > 0, 1)
	case ReLU6:
		return inside(r > 0 && r < 6, 1)
	case LeakyReLU:
		if r > 0 {
			return 1
		}
		return alpha
	case ELU:
		if r > 0 {
			return 1
		}
		return r + alpha
	case SELU:
		if r > 0 {
			return seluScale
		}
		return r + seluScale*seluAlpha
	case Sigmoid:
		return r * (1 - r)
	case HardSigmoid:
		return inside(r > 0 && r < 1, 1./6)
	case Tanh:
		return 1 - r*r
	case Softplus:
		return -math.Expm1(-r)
	case Softsign:
		t := 1 - math.Abs(r)
		return t * t
	case Exponential:
		return r
	case SiLU:
		s := sigmoid(r)
		return s + r*s*(1-s)
	case Mish:
		t := math.Tanh(softplus(r))
		return t + r*sigmoid(r)*(1-t*t)
	case GELU:
		return normal(r) + r*math.Exp(-r*r/2)/math.Sqrt(2*math.Pi)
	default: // GELUTanh
		t := math.Tanh(geluRoot * (r + geluCubic*r*r*r))
		return (1+t)/2 + r/2*(1-t*t)*geluRoot*(1+3*geluCubic*r*r)
	}
}
