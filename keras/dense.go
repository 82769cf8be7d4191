package keras

import (
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func init() {
	register(class{call: callDense, passesMask: true}, "Dense")
	register(class{call: callEinsumDense, passesMask: false}, "EinsumDense")
	register(class{call: callEmbedding, ownMask: true, keepsTypes: true}, "Embedding")
	register(class{call: callReversibleEmbedding, ownMask: true, keepsTypes: true}, "ReversibleEmbedding")
	register(class{call: callMaxoutDense}, "MaxoutDense")
	register(class{call: callHighway}, "Highway")
}

// callDense computes activation(x·kernel + bias) over the last axis. x: [batch, …, features].
func callDense(c *Call) []Value {
	x, units := c.x(), c.config().positive("units")
	if x.rank() < 2 {
		fail(ErrFormat, "the input has shape %v, rank 2 or more is needed", x.Shape)
	}
	var y Value
	shape := tensor.Shape{x.last(), units}
	switch c.policy.quantization {
	case "":
		y = c.lastProduct(x, c.Weight("kernel", shape, true))
	case "int8":
		return []Value{c.denseInt8(x, shape)}
	default:
		fail(ErrUnsupported, "quantization %q", c.policy.quantization)
	}
	if c.config().Bool("use_bias", true) {
		y = c.biasAdd(y, c.Weight("bias", tensor.Shape{units}, true))
	}
	return []Value{c.activation("activation")(&c.emitter, y)}
}

// lastProduct multiplies the last axis of x, of any rank, by a matrix.
func (e *emitter) lastProduct(x, kernel Value) Value {
	if x.rank() == 2 {
		return e.matmul(x, kernel, false, false)
	}
	dims := e.dims(x)
	flat := e.reshape(x, dim{n: -1}, dim{n: x.last()})
	y := e.matmul(flat, kernel, false, false)
	return e.reshape(y, append(dims[:len(dims)-1], dim{n: kernel.last()})...)
}

// biasAdd adds a vector along the last axis.
func (e *emitter) biasAdd(x, bias Value) Value {
	if x.rank() < 2 {
		return e.add(x, bias)
	}
	return e.op("BiasAdd", []Value{x, bias}, graph.Attrs{"T": x.DType, "data_format": "NHWC"}, x.DType, x.Shape)
}

// denseInt8 multiplies in int8 with scales for each row and each unit (keras/src/layers/core/dense.py, _int8_call).
func (c *Call) denseInt8(x Value, shape tensor.Shape) Value {
	kernel := c.variable("kernel", shape, tensor.Int8, false)
	var bias Value
	useBias := c.config().Bool("use_bias", true)
	if useBias {
		bias = c.Weight("bias", tensor.Shape{shape[1]}, true)
	}
	scale := c.Weight("kernel_scale", tensor.Shape{shape[1]}, false)
	var y Value
	if c.weightsOnly() {
		y = c.div(c.lastProduct(x, c.cast(kernel, x.DType)), scale)
	} else {
		q, rows := c.quantize(x, -1)
		product := c.lastProduct(c.cast(q, tensor.Int32), c.cast(kernel, tensor.Int32))
		y = c.div(c.cast(product, c.policy.compute), c.mul(scale, rows))
	}
	if useBias {
		y = c.biasAdd(y, bias)
	}
	return c.activation("activation")(&c.emitter, y)
}

// weightsOnly says that a quantized layer does not quantize what it is called with.
func (c *Call) weightsOnly() bool {
	_, quantization, _ := c.config().object("quantization_config")
	return quantization != nil && quantization["activation_quantizer"] == nil
}

// quantize is keras.quantizers.abs_max_quantize over axes.
func (e *emitter) quantize(x Value, axes ...int) (q, scale Value) {
	largest := e.reduce("Max", e.unary("Abs", x), true, axes...)
	scale = e.div(e.scalar(127, x.DType), e.shift(largest, 1e-7))
	return e.clip(e.unary("Round", e.mul(x, scale)), -127, 127), scale
}

// callEinsumDense computes activation(einsum(equation, x, kernel) + bias).
func callEinsumDense(c *Call) []Value {
	x := c.x()
	output := c.config()["output_shape"]
	partial, ok := shapeOf(output)
	if !ok {
		n := c.config().Int("output_shape", -1)
		partial = tensor.Shape{n}
	}
	p := c.einsumProduct(x, c.config().String("equation", ""), partial)
	biasAxes := c.config().String("bias_axes", "")
	var y Value
	switch c.policy.quantization {
	case "":
		y = p.plain(c, x, biasAxes)
	case "int8":
		y = p.int8(c, x, biasAxes)
	default:
		fail(ErrUnsupported, "quantization %q", c.policy.quantization)
	}
	return []Value{c.activation("activation")(&c.emitter, y)}
}

// einsumProduct is the product of a tensor and a kernel along axes that have letters.
type einsumProduct struct {
	in, kernel, out       string // one letter for each axis
	kernelShape, outShape tensor.Shape
}

// einsumProduct reads an equation ("ab,bc->ac"; "..." is the leading axes), from which the shapes follow. output is the shape
// of the output without the batch, in which -1 is looked up in the input.
func (c *Call) einsumProduct(x Value, equation string, output tensor.Shape) einsumProduct {
	p := einsumProduct{kernelShape: tensor.Shape{}, outShape: tensor.Shape{}}
	p.in, p.kernel, p.out = c.equation(equation, x.rank())
	if len(output) < len(p.out) { // without the batch, or without several leading axes that the ellipsis stands for
		lead := slices.Repeat(tensor.Shape{-1}, len(p.out)-len(output))
		output = append(lead, output...)
	}
	if len(output) != len(p.out) {
		fail(ErrFormat, "the output shape %v does not fit the equation %q", output, equation)
	}
	size := map[rune]int{}
	for i, a := range []rune(p.in) {
		size[a] = x.Shape[i]
	}
	for i, a := range []rune(p.out) {
		if d, ok := size[a]; !ok || d < 0 {
			size[a] = output[i]
		}
	}
	for _, a := range p.kernel {
		p.kernelShape = append(p.kernelShape, size[a])
	}
	for _, a := range p.out {
		p.outShape = append(p.outShape, size[a])
	}
	return p
}

func (p einsumProduct) equation() string { return p.in + "," + p.kernel + "->" + p.out }

// plain computes with a kernel of floats.
func (p einsumProduct) plain(c *Call, x Value, biasAxes string) Value {
	y := c.einsum(p.equation(), p.outShape, x, c.Weight("kernel", p.kernelShape, true))
	if biasAxes == "" {
		return y
	}
	return c.add(y, p.bias(c, biasAxes))
}

// bias is the weight that is added along some axes of the output.
func (p einsumProduct) bias(c *Call, axes string) Value {
	shape := tensor.Shape{}
	for i, a := range p.out {
		if strings.ContainsRune(axes, a) {
			shape = append(shape, p.outShape[i])
		} else if len(shape) > 0 {
			shape = append(shape, 1)
		}
	}
	return c.Weight("bias", shape, true)
}

// int8 multiplies in int8, with scales for each row of the input and each unit of the kernel
// (keras/src/layers/core/einsum_dense.py, _int8_call).
func (p einsumProduct) int8(c *Call, x Value, biasAxes string) Value {
	kernel := c.variable("kernel", p.kernelShape, tensor.Int8, false)
	var bias Value
	if biasAxes != "" {
		bias = p.bias(c, biasAxes)
	}
	scaleShape := slices.Repeat(tensor.Shape{1}, len(p.out))
	for i, a := range p.out {
		if strings.ContainsRune(p.kernel, a) {
			scaleShape[i] = p.outShape[i]
		}
	}
	scale := c.Weight("kernel_scale", scaleShape, false)
	var y Value
	if c.weightsOnly() {
		y = c.div(c.einsum(p.equation(), p.outShape, x, c.cast(kernel, x.DType)), scale)
	} else {
		q, rows := c.quantize(x, p.summed()...)
		product := c.einsum(p.equation(), p.outShape, c.cast(q, tensor.Int32), c.cast(kernel, tensor.Int32))
		y = c.div(c.cast(product, c.policy.compute), c.mul(p.aligned(c, rows), scale))
	}
	if biasAxes != "" {
		y = c.add(y, bias)
	}
	return y
}

// summed lists the axes of the input that the product sums over.
func (p einsumProduct) summed() []int {
	var axes []int
	for i, a := range p.in {
		if !strings.ContainsRune(p.out, a) {
			axes = append(axes, i)
		}
	}
	return axes
}

// aligned brings a tensor that has the input's axes, the summed ones being 1, to the axes of the output.
func (p einsumProduct) aligned(c *Call, x Value) Value {
	x = c.squeeze(x, p.summed()...)
	left := strings.Map(func(a rune) rune {
		if strings.ContainsRune(p.out, a) {
			return a
		}
		return -1
	}, p.in)
	var perm []int
	for _, a := range p.out {
		if i := strings.IndexRune(left, a); i >= 0 {
			perm = append(perm, i)
		}
	}
	x = c.transpose(x, perm...)
	for i, a := range p.out {
		if !strings.ContainsRune(left, a) {
			x = c.expand(x, i)
		}
	}
	return x
}

// equation splits "in,kernel->out" and replaces an ellipsis by letters of its own.
func (c *Call) equation(equation string, rank int) (in, kernel, out string) {
	left, out, ok := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	in, kernel, ok2 := strings.Cut(left, ",")
	if !ok || !ok2 {
		fail(ErrFormat, "the equation %q", equation)
	}
	letters := ""
	if strings.Contains(in, "...") {
		for a := 'A'; len(letters) < rank-(len(in)-3); a++ {
			letters += string(a)
		}
		in, out = strings.Replace(in, "...", letters, 1), strings.Replace(out, "...", letters, 1)
	}
	for _, s := range []string{in, kernel, out} {
		for _, a := range s {
			if !(a >= 'a' && a <= 'z' || a >= 'A' && a <= 'Z') {
				fail(ErrFormat, "the equation %q", equation)
			}
		}
	}
	if len(in) != rank {
		fail(ErrFormat, "the equation %q does not fit an input of rank %d", equation, rank)
	}
	return in, kernel, out
}

// einsum adds TensorFlow's Einsum.
func (e *emitter) einsum(equation string, shape tensor.Shape, in ...Value) Value {
	return e.op("Einsum", in, graph.Attrs{"T": in[0].DType, "N": len(in), "equation": equation}, in[0].DType, shape)
}

// callEmbedding looks rows up. x: [batch, …] of indices; output: [batch, …, output_dim].
func callEmbedding(c *Call) []Value {
	x, n, d := c.x(), c.config().positive("input_dim"), c.config().positive("output_dim")
	ids := x
	if ids.DType != tensor.Int32 && ids.DType != tensor.Int64 {
		ids = c.cast(x, tensor.Int32)
	}
	shape := tensor.Shape{n, d}
	var y Value
	switch c.policy.quantization {
	case "":
		y = c.gather(c.Weight("embeddings", shape, true), ids)
	case "int8":
		table := c.variable("embeddings", shape, tensor.Int8, false)
		scale := c.gather(c.Weight("embeddings_scale", tensor.Shape{n}, false), ids)
		y = c.div(c.cast(c.gather(table, ids), c.policy.compute), c.expand(scale, -1))
	default:
		fail(ErrUnsupported, "quantization %q", c.policy.quantization)
	}
	if c.config().Bool("mask_zero", false) {
		mask := c.compare("NotEqual", x, c.scalar(0, x.DType))
		y.Mask = &mask
	}
	return []Value{y}
}

// callReversibleEmbedding is an Embedding that, called with reverse, multiplies by its own matrix, or by one of its own, to
// give a score for each index.
func callReversibleEmbedding(c *Call) []Value {
	cfg := c.config()
	if c.policy.quantization != "" {
		fail(ErrUnsupported, "quantization %q", c.policy.quantization)
	}
	n, d := cfg.positive("input_dim"), cfg.positive("output_dim")
	table := c.Weight("embeddings", tensor.Shape{n, d}, true)
	tied := cfg.Bool("tie_weights", true)
	back := table
	if !tied {
		back = c.Weight("reverse_embeddings", tensor.Shape{d, n}, true)
	}
	if reverse := c.flag("reverse") || len(c.Args) > 1 && c.Args[1] == true; !reverse {
		return callEmbedding(c)
	}
	x := c.cast(c.x(), c.policy.compute)
	if t := cfg.String("reverse_dtype", ""); t != "" {
		x, back = c.cast(x, dtypeNamed(t)), c.cast(back, dtypeNamed(t))
	}
	if tied {
		back = c.transpose(back, 1, 0)
	}
	y := c.lastProduct(x, back)
	if cfg.has("logit_soft_cap") {
		limit := cfg.Float("logit_soft_cap", 0)
		y = c.scale(c.unary("Tanh", c.scale(y, 1/limit)), limit)
	}
	return []Value{y}
}

// callMaxoutDense is Keras 1's MaxoutDense: the largest of nb_feature affine maps. x: [batch, features].
func callMaxoutDense(c *Call) []Value {
	x, units, features := c.x(), c.config().positive("units"), c.config().Int("nb_feature", 4)
	x.need(2)
	if features < 1 {
		fail(ErrFormat, "nb_feature is %d", features)
	}
	w := c.Weight("kernel", tensor.Shape{features, x.last(), units}, true)
	y := c.einsum("bi,fio->bfo", tensor.Shape{x.Shape[0], features, units}, x, w)
	if c.config().Bool("use_bias", true) {
		y = c.add(y, c.Weight("bias", tensor.Shape{features, units}, true))
	}
	return []Value{c.reduce("Max", y, false, 1)}
}

// callHighway is Keras 1's Highway: t·h + (1 - t)·x with the gate t = sigmoid(x·W_carry + b_carry). x: [batch, features].
func callHighway(c *Call) []Value {
	x := c.x()
	x.need(2)
	n := x.last()
	kernel, gate := c.Weight("kernel", tensor.Shape{n, n}, true), c.Weight("kernel_carry", tensor.Shape{n, n}, true)
	h, t := c.matmul(x, kernel, false, false), c.matmul(x, gate, false, false)
	if c.config().Bool("use_bias", true) {
		h = c.biasAdd(h, c.Weight("bias", tensor.Shape{n}, true))
		t = c.biasAdd(t, c.Weight("bias_carry", tensor.Shape{n}, true))
	}
	h, t = c.activation("activation")(&c.emitter, h), c.unary("Sigmoid", t)
	return []Value{c.add(c.mul(t, h), c.mul(c.sub(c.scalar(1, x.DType), t), x))}
}
