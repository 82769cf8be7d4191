package dense

import (
	"fmt"
	"strings"

	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/train"
)

// ActivationFunction is an activation with its parameters; use it as an option of Dense or through the layer Activation.
type ActivationFunction struct {
	name  string
	kind  activationKind
	f     kernel.Activation
	alpha float32
}

type activationKind int

const (
	linearActivation activationKind = iota
	elementActivation
	softmaxActivation
	stepActivation
)

func element(name string, f kernel.Activation, alpha float32) ActivationFunction {
	return ActivationFunction{name: name, kind: elementActivation, f: f, alpha: alpha}
}

// The activations, with Keras's formulas (keras/src/activations/activations.py) and defaults.
var (
	Linear      = ActivationFunction{name: "linear"}
	ReLU        = element("relu", kernel.ReLU, 0)                // max(x, 0)
	ReLU6       = element("relu6", kernel.ReLU6, 0)              // min(max(x, 0), 6)
	Sigmoid     = element("sigmoid", kernel.Sigmoid, 0)          // 1 / (1 + e⁻ˣ)
	HardSigmoid = element("hard_sigmoid", kernel.HardSigmoid, 0) // relu6(x+3) / 6
	Tanh        = element("tanh", kernel.Tanh, 0)
	SELU        = element("selu", kernel.SELU, 0)               // 1.0507·elu(x) with alpha 1.6733
	Softplus    = element("softplus", kernel.Softplus, 0)       // log(1 + eˣ)
	Softsign    = element("softsign", kernel.Softsign, 0)       // x / (1 + |x|)
	Exponential = element("exponential", kernel.Exponential, 0) // eˣ
	SiLU        = element("silu", kernel.SiLU, 0)               // x·sigmoid(x), also called swish
	Mish        = element("mish", kernel.Mish, 0)               // x·tanh(softplus(x))
	GELU        = element("gelu", kernel.GELU, 0)               // x·Φ(x), Keras's approximate=False
	GELUTanh    = element("gelu_tanh", kernel.GELUTanh, 0)      // its tanh form, Keras's approximate=True
	// Softmax makes each row positive with sum 1.
	Softmax = ActivationFunction{name: "softmax", kind: softmaxActivation}
	// Step is the perceptron's: 1 where x > 0, else 0. Its derivative is 0, so nothing in front of it learns by gradients.
	Step = ActivationFunction{name: "step", kind: stepActivation}
)

// LeakyReLU is x for x > 0, else slope·x. Keras's function has slope 0.2, its layer LeakyReLU 0.3.
func LeakyReLU(slope float32) ActivationFunction {
	return element("leaky_relu", kernel.LeakyReLU, slope)
}

// ELU is x for x > 0, else alpha·(eˣ-1). Keras's default alpha is 1.
func ELU(alpha float32) ActivationFunction { return element("elu", kernel.ELU, alpha) }

// Name returns Keras's name ("gelu_tanh" and "step" are ours).
func (a ActivationFunction) Name() string {
	if a.name == "" {
		return "linear"
	}
	return a.name
}

// ParseActivation returns the activation that Keras knows by a name, with its defaults; "" is linear.
func ParseActivation(name string) (ActivationFunction, error) {
	switch name {
	case "", "linear":
		return Linear, nil
	case "leaky_relu":
		return LeakyReLU(0.2), nil
	case "elu":
		return ELU(1), nil
	case "swish":
		return SiLU, nil
	}
	names := []string{"linear", "leaky_relu", "elu", "swish"}
	for _, a := range []ActivationFunction{ReLU, ReLU6, Sigmoid, HardSigmoid, Tanh, SELU, Softplus, Softsign, Exponential, SiLU, Mish,
		GELU, GELUTanh, Softmax, Step} {
		if a.name == name {
			return a, nil
		}
		names = append(names, a.name)
	}
	return Linear, fmt.Errorf("%w: unknown activation %q: the activations are %s", train.ErrOption, name, strings.Join(names, ", "))
}

func (a ActivationFunction) applyDense(l *denseLayer) { l.activation = a }

// node returns the node that computes the activation, nil for linear.
func (a ActivationFunction) node() node {
	switch a.kind {
	case linearActivation:
		return nil
	case softmaxActivation:
		return &softmaxNode{}
	}
	return &activationNode{function: a}
}

// activationNode applies a function to every element.
type activationNode struct {
	elementwise
	function ActivationFunction
}

func (n *activationNode) keepsInput() bool {
	return n.function.kind == elementActivation && n.function.f.FromInput()
}
func (n *activationNode) keepsOutput() bool {
	return n.function.kind == elementActivation && !n.function.f.FromInput()
}

func (n *activationNode) infer(in, out matrix, b block, _ *scratch) {
	for p := b.p0; p < b.p1; p++ {
		src, dst := in.rows(p, b), out.rows(p, b)
		if n.function.kind == elementActivation {
			kernel.Activate(n.function.f, dst, src, n.function.alpha)
			continue
		}
		for i, v := range src {
			dst[i] = 0
			if v > 0 {
				dst[i] = 1
			}
		}
	}
}

func (n *activationNode) train(t *tape, b block, s *scratch) { n.infer(t.in, t.out, b, s) }

func (n *activationNode) backward(t *tape, b block, _ *scratch) {
	for p := b.p0; p < b.p1; p++ {
		dy, dz := t.dOut.rows(p, b), t.dIn.rows(p, b)
		switch {
		case n.function.kind == stepActivation:
			clear(dz)
		case n.keepsInput():
			kernel.Gradient(n.function.f, dz, dy, t.in.rows(p, b), n.function.alpha)
		default:
			kernel.Gradient(n.function.f, dz, dy, t.out.rows(p, b), n.function.alpha)
		}
	}
}

// softmaxNode normalizes rows.
type softmaxNode struct{ rowwise }

func (n *softmaxNode) keepsOutput() bool { return true }

func (n *softmaxNode) infer(in, out matrix, b block, s *scratch) {
	// The rows go through the scratch's sums in pieces.
	for first := b.first; first < b.last; first += len(s.top) {
		rows := min(len(s.top), b.last-first)
		kernel.Softmax(out.data[first*kernel.Width:], in.data[first*kernel.Width:], rows, in.stride, in.panels(), softmaxMask(in.columns, s), s.top[:], s.sum[:])
	}
}

// softmaxMask is 0 for the columns of the last panel that are used and kernel.Masked for padding.
func softmaxMask(columns int, s *scratch) []float32 {
	used := left(columns, kernel.Panels(columns)-1)
	for c := range s.mask {
		s.mask[c] = 0
		if c >= used {
			s.mask[c] = kernel.Masked
		}
	}
	return s.mask[:]
}

func (n *softmaxNode) train(t *tape, b block, s *scratch) { n.infer(t.in, t.out, b, s) }

// backward: dz = y·(dy - Σ dy·y), row by row.
func (n *softmaxNode) backward(t *tape, b block, _ *scratch) {
	for r := b.first; r < b.last; r++ {
		dot := float32(0)
		for p := range t.out.panels() {
			y, dy := t.out.from(p, r)[:kernel.Width], t.dOut.from(p, r)[:kernel.Width]
			for c := range left(t.out.columns, p) {
				dot += y[c] * dy[c]
			}
		}
		for p := range t.out.panels() {
			y, dy, dz := t.out.from(p, r)[:kernel.Width], t.dOut.from(p, r)[:kernel.Width], t.dIn.from(p, r)[:kernel.Width]
			for c := range y {
				dz[c] = y[c] * (dy[c] - dot)
			}
		}
	}
}
