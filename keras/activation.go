package keras

import (
	"math"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// activationFunc computes an activation elementwise, or along the last axis.
type activationFunc func(e *emitter, x Value) Value

// op1 is an activation that TensorFlow has as an op.
func op1(op string) activationFunc {
	return func(e *emitter, x Value) Value { return e.unary(op, x) }
}

// activations are keras.activations by name (keras/src/activations/activations.py).
var activations = map[string]activationFunc{
	"linear": func(_ *emitter, x Value) Value { return x },
	"relu":   op1("Relu"), "relu6": op1("Relu6"), "selu": op1("Selu"), "elu": op1("Elu"), "tanh": op1("Tanh"), "sigmoid": op1("Sigmoid"),
	"softplus": op1("Softplus"), "softsign": op1("Softsign"), "exponential": op1("Exp"),
	"softmax":     func(e *emitter, x Value) Value { return e.softmax(x, -1) },
	"log_softmax": func(e *emitter, x Value) Value { return e.along("LogSoftmax", x, -1) },
	"silu":        func(e *emitter, x Value) Value { return e.mul(x, e.unary("Sigmoid", x)) },
	"gelu":        func(e *emitter, x Value) Value { return e.gelu(x, false) },
	"leaky_relu":  func(e *emitter, x Value) Value { return e.leakyReLU(x, 0.2) },
	"hard_sigmoid": func(e *emitter, x Value) Value {
		return e.div(e.unary("Relu6", e.shift(x, 3)), e.scalar(6, x.DType))
	},
	"hard_silu": func(e *emitter, x Value) Value {
		return e.mul(x, e.div(e.unary("Relu6", e.shift(x, 3)), e.scalar(6, x.DType)))
	},
	"mish":        func(e *emitter, x Value) Value { return e.mul(x, e.unary("Tanh", e.unary("Softplus", x))) },
	"log_sigmoid": func(e *emitter, x Value) Value { return e.unary("Neg", e.unary("Softplus", e.unary("Neg", x))) },
	"hard_tanh":   func(e *emitter, x Value) Value { return e.clip(x, -1, 1) },
	"tanh_shrink": func(e *emitter, x Value) Value { return e.sub(x, e.unary("Tanh", x)) },
	"celu":        func(e *emitter, x Value) Value { return e.celu(x, 1) },
	"glu":         func(e *emitter, x Value) Value { return e.glu(x, -1) },
	"squareplus": func(e *emitter, x Value) Value {
		return e.scale(e.add(x, e.unary("Sqrt", e.shift(e.unary("Square", x), 4))), 0.5)
	},
	"soft_shrink": func(e *emitter, x Value) Value {
		return e.sub(x, e.clip(x, -0.5, 0.5))
	},
	"hard_shrink": func(e *emitter, x Value) Value {
		return e.choose(e.compare("Greater", e.unary("Abs", x), e.scalar(0.5, x.DType)), x, e.scalar(0, x.DType))
	},
	"sparse_plus": func(e *emitter, x Value) Value {
		inner := e.choose(e.compare("Less", x, e.scalar(1, x.DType)), e.scale(e.unary("Square", e.shift(x, 1)), 0.25), x)
		return e.choose(e.compare("LessEqual", x, e.scalar(-1, x.DType)), e.scalar(0, x.DType), inner)
	},
	"sparse_sigmoid": func(e *emitter, x Value) Value { return e.clip(e.scale(e.shift(x, 1), 0.5), 0, 1) },
	"threshold": func(e *emitter, x Value) Value {
		return e.choose(e.compare("Greater", x, e.scalar(0, x.DType)), x, e.scalar(0, x.DType))
	},
	"sparsemax": func(e *emitter, x Value) Value { return e.sparsemax(x) },
}

// aliases are other names of activations.
var aliases = map[string]string{"swish": "silu", "hard_swish": "hard_silu", "exp": "exponential", "identity": "linear", "softmax_v2": "softmax",
	"relu_v2": "relu"}

// hardSigmoid2 is the hard_sigmoid of Keras 1 and 2; Keras 3's has another slope.
func hardSigmoid2(e *emitter, x Value) Value { return e.clip(e.shift(e.scale(x, 0.2), 0.5), 0, 1) }

// activation reads an activation of a configuration: a name, a function object, or a layer that serves as one.
func (c *Call) activation(key string) activationFunc {
	return activationOf(c.Layer, c.Layer.Config[key])
}

func activationOf(l *Layer, v any) activationFunc {
	name := ""
	switch v := v.(type) {
	case nil:
		return activations["linear"]
	case string:
		name = v
	case map[string]any:
		class, config, _ := objectOf(v)
		if class == "function" || class == "" {
			name, _ = v["config"].(string)
			break
		}
		if f := activationLayer(class, config, l.age); f != nil {
			return f
		}
		if f := activations[aliasOf(snakeCase(class))]; f != nil {
			return f
		}
		fail(ErrCustomObject, "the activation %s is not one of Keras's", class)
	}
	name = aliasOf(name)
	if name == "hard_sigmoid" && l.age < keras3 {
		return hardSigmoid2
	}
	f, ok := activations[name]
	if !ok {
		fail(ErrCustomObject, "the activation %v is not one of Keras's", v)
	}
	return f
}

func aliasOf(name string) string {
	if a, ok := aliases[name]; ok {
		return a
	}
	return name
}

// activationLayer is a layer object used as an activation; nil for other classes.
func activationLayer(class string, raw Config, a age) activationFunc {
	class, c := modernize(class, raw, a)
	switch class {
	case "ReLU":
		return func(e *emitter, x Value) Value { return e.reluLayer(x, c) }
	case "LeakyReLU":
		return func(e *emitter, x Value) Value { return e.leakyReLU(x, leakySlope(c)) }
	case "ELU":
		return func(e *emitter, x Value) Value { return e.elu(x, c.Float("alpha", 1)) }
	case "Softmax":
		return func(e *emitter, x Value) Value { return e.softmax(x, c.Int("axis", -1)) }
	case "Activation":
		return activationOf(&Layer{age: a}, c["activation"])
	}
	return nil
}

// gelu is tf.nn.gelu.
func (e *emitter) gelu(x Value, approximate bool) Value {
	half := e.scale(x, 0.5)
	if approximate {
		cube := e.mul(x, e.unary("Square", x))
		return e.mul(half, e.shift(e.unary("Tanh", e.scale(e.add(x, e.scale(cube, 0.044715)), math.Sqrt(2/math.Pi))), 1))
	}
	return e.mul(half, e.shift(e.unary("Erf", e.div(x, e.scalar(1.4142135623730951, x.DType))), 1))
}

func (e *emitter) leakyReLU(x Value, slope float64) Value {
	return e.op("LeakyRelu", []Value{x}, graph.Attrs{"T": x.DType, "alpha": float32(slope)}, x.DType, x.Shape)
}

// leakySlope is the slope of a LeakyReLU. Keras 3 still knows it by its old name, too.
func leakySlope(c Config) float64 { return c.Float("negative_slope", c.Float("alpha", 0.3)) }

func (e *emitter) elu(x Value, alpha float64) Value {
	y := e.unary("Elu", x)
	if alpha == 1 {
		return y
	}
	return e.choose(e.compare("Greater", x, e.scalar(0, x.DType)), y, e.scale(y, alpha))
}

func (e *emitter) celu(x Value, alpha float64) Value {
	zero := e.scalar(0, x.DType)
	return e.add(e.binary("Maximum", x, zero), e.scale(e.unary("Expm1", e.scale(e.binary("Minimum", x, zero), 1/alpha)), alpha))
}

func (e *emitter) glu(x Value, axis int) Value {
	p := e.split(x, axis, 2)
	return e.mul(p[0], e.unary("Sigmoid", p[1]))
}

// reluLayer is keras.layers.ReLU: max_value, negative_slope and threshold.
func (e *emitter) reluLayer(x Value, c Config) Value {
	slope, threshold := c.Float("negative_slope", 0), c.Float("threshold", 0)
	ceiling := math.Inf(1)
	if c.has("max_value") {
		ceiling = c.Float("max_value", 0)
	}
	if slope == 0 && threshold == 0 {
		switch {
		case ceiling == 6:
			return e.unary("Relu6", x)
		case math.IsInf(ceiling, 1):
			return e.unary("Relu", x)
		}
	}
	var y Value
	switch {
	case slope != 0 && threshold == 0 && math.IsInf(ceiling, 1):
		return e.leakyReLU(x, slope)
	case threshold == 0:
		y = e.unary("Relu", x)
	default:
		y = e.choose(e.compare("Greater", x, e.scalar(threshold, x.DType)), x, e.scalar(0, x.DType))
	}
	if !math.IsInf(ceiling, 1) {
		y = e.clip(y, 0, ceiling)
	}
	if slope != 0 {
		below := e.unary("Relu", e.sub(e.scalar(threshold, x.DType), x))
		y = e.sub(y, e.scale(below, slope))
	}
	return y
}

// sparsemax is what Keras makes of the projection onto the simplex of Martins and Astudillo (2016), along the last axis: its
// threshold sums the running sums, not the sorted logits (keras/src/backend/tensorflow/nn.py).
func (e *emitter) sparsemax(x Value) Value {
	k := bounded(x.last(), "the size of a sparsemax")
	sorted := e.op("TopKV2", []Value{x, e.int(k)}, graph.Attrs{"T": x.DType, "sorted": true}, x.DType, x.Shape)
	sum := e.op("Cumsum", []Value{sorted, e.int(-1)}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32}, x.DType, x.Shape)
	ranks := make([]float64, k)
	for i := range ranks {
		ranks[i] = float64(i + 1)
	}
	excess := e.div(e.shift(sum, -1), e.floats(ranks, x.DType, k))
	support := e.compare("Greater", e.sub(sorted, excess), e.scalar(0, x.DType))
	n := e.reduce("Sum", e.cast(support, x.DType), true, -1)
	total := e.reduce("Sum", e.choose(support, sum, e.scalar(0, x.DType)), true, -1)
	tau := e.div(e.shift(total, -1), n)
	return e.unary("Relu", e.sub(x, tau))
}

func init() {
	masked := func(f buildFunc, names ...string) { register(class{call: f, passesMask: true}, names...) }
	masked(func(c *Call) []Value { return []Value{c.activation("activation")(&c.emitter, c.x())} }, "Activation")
	masked(func(c *Call) []Value { return []Value{c.reluLayer(c.x(), c.config())} }, "ReLU")
	masked(func(c *Call) []Value {
		return []Value{c.leakyReLU(c.x(), leakySlope(c.config()))}
	}, "LeakyReLU")
	masked(func(c *Call) []Value { return []Value{c.emitter.elu(c.x(), c.config().Float("alpha", 1))} }, "ELU")
	masked(callSoftmax, "Softmax")
	masked(callPReLU, "PReLU")
	masked(func(c *Call) []Value {
		theta := c.scalar(c.config().Float("theta", 1), c.x().DType)
		return []Value{c.choose(c.compare("Greater", c.x(), theta), c.x(), c.scalar(0, c.x().DType))}
	}, "ThresholdedReLU")
}

// callSoftmax is keras.layers.Softmax, whose second argument is a mask.
func callSoftmax(c *Call) []Value {
	x := c.Inputs[0]
	mask, masked := c.Kwargs["mask"].(Value)
	if !masked && len(c.Args) > 1 {
		mask, masked = c.Args[1].(Value)
	}
	if !masked && x.Mask != nil && x.Mask.rank() == x.rank() {
		mask, masked = *x.Mask, true
	}
	if masked {
		x = c.choose(mask, x, c.scalar(largeNegative(x.DType), x.DType))
	}
	var y Value
	if axes := c.config().ints("axis"); len(axes) > 1 {
		shifted := c.sub(x, c.reduce("Max", x, true, axes...))
		exp := c.unary("Exp", shifted)
		y = c.div(exp, c.reduce("Sum", exp, true, axes...))
	} else {
		y = c.softmax(x, c.config().Int("axis", -1))
	}
	if masked {
		y = c.choose(mask, y, c.scalar(0, y.DType))
	}
	return []Value{y}
}

// largeNegative stands for minus infinity in masks; float16 has less room.
func largeNegative(d tensor.DType) float64 {
	if d == tensor.Float16 {
		return -3e4
	}
	return -1e9
}

func callPReLU(c *Call) []Value {
	x := c.x()
	shape := append(tensor.Shape{}, x.Shape[1:]...)
	for _, a := range c.config().ints("shared_axes") {
		if a < 1 || a > len(shape) {
			fail(ErrFormat, "shared axis %d of shape %v", a, x.Shape)
		}
		shape[a-1] = 1
	}
	alpha := c.Weight("alpha", shape, true)
	negative := c.mul(c.unary("Neg", alpha), c.unary("Relu", c.unary("Neg", x)))
	return []Value{c.add(c.unary("Relu", x), negative)}
}
