package keras

import (
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func init() {
	for name, rank := range map[string]int{"Conv1D": 1, "Conv2D": 2, "Conv3D": 3} {
		register(class{call: func(c *Call) []Value { return callConv(c, rank) }}, name)
	}
	for name, rank := range map[string]int{"Conv1DTranspose": 1, "Conv2DTranspose": 2, "Conv3DTranspose": 3} {
		register(class{call: func(c *Call) []Value { return callConvTranspose(c, rank) }}, name)
	}
	for name, rank := range map[string]int{"DepthwiseConv1D": 1, "DepthwiseConv2D": 2} {
		register(class{call: func(c *Call) []Value { return callDepthwise(c, rank) }}, name)
	}
	for name, rank := range map[string]int{"SeparableConv1D": 1, "SeparableConv2D": 2} {
		register(class{call: func(c *Call) []Value { return callSeparable(c, rank) }}, name)
	}
}

// window is how a kernel or a pooling window slides over the spatial axes.
type window struct {
	size, strides, dilation []int
	padding                 string // "VALID" or "SAME"
	causal                  bool
}

// window reads kernel_size or pool_size, strides, dilation_rate and padding for n spatial axes.
func (c *Call) window(n int, sizeKey string, defaultStrides bool) window {
	w := window{size: c.config().sizes(sizeKey, n, 2), dilation: c.config().sizes("dilation_rate", n, 1)}
	w.strides = slices.Clone(w.size)
	if defaultStrides || c.config().has("strides") {
		w.strides = c.config().sizes("strides", n, 1)
	}
	switch p := c.config().String("padding", "valid"); p {
	case "valid":
		w.padding = "VALID"
	case "same":
		w.padding = "SAME"
	case "causal":
		w.padding, w.causal = "VALID", true
	default:
		fail(ErrUnsupported, "padding %q", p)
	}
	return w
}

// output is the length of a spatial axis after the window went over it.
func (w window) output(n, i int) int {
	if n < 0 {
		return -1
	}
	if w.padding == "SAME" {
		return (n + w.strides[i] - 1) / w.strides[i]
	}
	span := (w.size[i]-1)*w.dilation[i] + 1
	if n < span {
		fail(ErrFormat, "a window of %d does not fit an axis of %d", span, n)
	}
	return (n-span)/w.strides[i] + 1
}

// channelsLast moves the channels of [batch, channels, …] to the end, which is what TensorFlow's kernels on CPUs need, and
// returns how to move them back.
func (c *Call) channelsLast(x Value) (Value, func(Value) Value) {
	if !c.config().channelsFirst() {
		return x, func(v Value) Value { return v }
	}
	last, first := permutations(x.rank())
	return c.transpose(x, last...), func(v Value) Value {
		if v.rank() != len(first) {
			return v
		}
		return c.transpose(v, first...)
	}
}

// permutations returns the axes that move channels to the end and back.
func permutations(rank int) (last, first []int) {
	last, first = []int{0}, []int{0, rank - 1}
	for i := 2; i < rank; i++ {
		last = append(last, i)
		first = append(first, i-1)
	}
	return append(last, 1), first
}

// callConv is Conv1D, Conv2D and Conv3D. x: [batch, spatial…, channels].
func callConv(c *Call, n int) []Value {
	in := c.x()
	in.need(n + 2)
	w := c.window(n, "kernel_size", true)
	x, back := c.channelsLast(in)
	filters, groups := c.config().positive("filters"), c.config().Int("groups", 1)
	if groups < 1 || x.last()%groups != 0 || filters%groups != 0 {
		fail(ErrFormat, "%d groups of %d channels and %d filters", groups, x.last(), filters)
	}
	kernel := c.Weight("kernel", append(slices.Clone(tensor.Shape(w.size)), x.last()/groups, filters), true)
	y := c.convolution(x, kernel, w, groups)
	if c.config().Bool("use_bias", true) {
		y = c.biasAdd(y, c.Weight("bias", tensor.Shape{filters}, true))
	}
	return []Value{c.afterConv(y, back)}
}

// afterConv applies the activation; a softmax works on the axis that Keras calls last.
func (c *Call) afterConv(y Value, back func(Value) Value) Value {
	return c.activation("activation")(&c.emitter, back(y))
}

// convolution slides a kernel [spatial…, channels/groups, filters] over x [batch, spatial…, channels].
func (e *emitter) convolution(x, kernel Value, w window, groups int) Value {
	n := len(w.size)
	if w.causal {
		padding := make([][2]int, x.rank())
		padding[1] = [2]int{(w.size[0] - 1) * w.dilation[0], 0}
		x, w.causal = e.pad(x, "", 0, padding...), false
	}
	if groups > 1 { // the CPU kernels have no groups
		xs, ks := e.split(x, -1, groups), e.split(kernel, -1, groups)
		ys := make([]Value, groups)
		for i := range ys {
			ys[i] = e.convolution(xs[i], ks[i], w, 1)
		}
		return e.concat(-1, ys...)
	}
	if n == 3 && slices.Max(w.dilation) > 1 { // nor has Conv3D dilation
		return e.dilated(x, w, func(x Value, w window) Value { return e.convolution(x, kernel, w, 1) })
	}
	shape := slices.Clone(x.Shape)
	for i := range n {
		shape[i+1] = w.output(x.Shape[i+1], i)
	}
	shape[n+1] = kernel.last()
	switch n {
	case 1:
		y := e.conv2D("Conv2D", e.expand(x, 1), e.expand(kernel, 0), w.wider(), slices.Insert(shape, 1, 1))
		return e.squeeze(y, 1)
	case 2:
		return e.conv2D("Conv2D", x, kernel, w, shape)
	}
	return e.op("Conv3D", []Value{x, kernel}, graph.Attrs{"T": x.DType, "strides": around(w.strides), "padding": w.padding,
		"data_format": "NDHWC", "dilations": around(w.dilation)}, x.DType, shape)
}

// conv2D adds Conv2D or DepthwiseConv2dNative.
func (e *emitter) conv2D(op string, x, kernel Value, w window, shape tensor.Shape) Value {
	return e.op(op, []Value{x, kernel}, graph.Attrs{"T": x.DType, "strides": around(w.strides), "padding": w.padding,
		"data_format": "NHWC", "dilations": around(w.dilation), "explicit_paddings": []int{}}, x.DType, shape)
}

// around puts the batch and the channels around spatial numbers.
func around(v []int) []int { return slices.Concat([]int{1}, v, []int{1}) }

// wider makes a one-dimensional window two-dimensional.
func (w window) wider() window {
	w.size = append([]int{1}, w.size...)
	w.strides = append([]int{1}, w.strides...)
	w.dilation = append([]int{1}, w.dilation...)
	return w
}

// dilated runs a kernel that has no dilation on every d-th element: space to batch, the kernel, batch to space
// (tf.nn.with_space_to_batch). The spatial axes must be known, the strides 1.
func (e *emitter) dilated(x Value, w window, f func(Value, window) Value) Value {
	n := len(w.size)
	if slices.Max(w.strides) > 1 {
		return e.dilatedAndStrided(x, w, f)
	}
	pads, crops := make([]int32, 2*n), make([]int32, 2*n)
	for i := range n {
		size := x.Shape[i+1]
		if size < 0 {
			fail(ErrUnsupported, "dilation_rate %v of an input of unknown size %v", w.dilation, x.Shape)
		}
		total := 0
		if w.padding == "SAME" {
			total = (w.size[i] - 1) * w.dilation[i]
		}
		before := total / 2
		after := total - before
		extra := (w.dilation[i] - (size+total)%w.dilation[i]) % w.dilation[i]
		pads[2*i], pads[2*i+1] = int32(before), int32(after+extra)
		crops[2*i+1] = int32(extra)
	}
	matrix := func(v []int32) Value { return e.constant(tensor.Must(tensor.Of(v, n, 2))) }
	attrs := graph.Attrs{"T": x.DType, "Tblock_shape": tensor.Int32}
	shape := slices.Clone(x.Shape)
	shape[0] = product(append(slices.Clone(w.dilation), x.Shape[0])...)
	for i := range n {
		shape[i+1] = (x.Shape[i+1] + int(pads[2*i]) + int(pads[2*i+1])) / w.dilation[i]
	}
	attrs["Tpaddings"] = tensor.Int32
	y := e.op("SpaceToBatchND", []Value{x, e.ints(w.dilation...), matrix(pads)}, attrs, x.DType, shape)
	inner := w
	inner.padding, inner.dilation = "VALID", slices.Repeat([]int{1}, n)
	y = f(y, inner)
	out := slices.Clone(y.Shape)
	out[0] = x.Shape[0]
	for i := range n {
		out[i+1] = w.output(x.Shape[i+1], i)
	}
	return e.op("BatchToSpaceND", []Value{y, e.ints(w.dilation...), matrix(crops)},
		graph.Attrs{"T": x.DType, "Tblock_shape": tensor.Int32, "Tcrops": tensor.Int32}, x.DType, out)
}

// dilatedAndStrided pads as the strides need it, runs the kernel on every place and takes every s-th result.
func (e *emitter) dilatedAndStrided(x Value, w window, f func(Value, window) Value) Value {
	n := len(w.size)
	padding := make([][2]int, x.rank())
	for i := range n {
		if size := x.Shape[i+1]; w.padding == "SAME" {
			if size < 0 {
				fail(ErrUnsupported, "dilation_rate %v of an input of unknown size %v", w.dilation, x.Shape)
			}
			total := max(0, (w.output(size, i)-1)*w.strides[i]+(w.size[i]-1)*w.dilation[i]+1-size)
			padding[i+1] = [2]int{total / 2, total - total/2}
		}
	}
	every := w.strides
	w.padding, w.strides = "VALID", slices.Repeat([]int{1}, n)
	y := e.dilated(e.pad(x, "", 0, padding...), w, f)
	for i, s := range every {
		if s > 1 {
			y = e.strided(y, i+1, 0, 0, s, true)
		}
	}
	return y
}

// callDepthwise is DepthwiseConv1D and DepthwiseConv2D.
func callDepthwise(c *Call, n int) []Value {
	in := c.x()
	in.need(n + 2)
	w := c.window(n, "kernel_size", true)
	x, back := c.channelsLast(in)
	multiplier := c.config().Int("depth_multiplier", 1)
	y := c.depthwise(x, c.Weight(depthwiseName(c), append(slices.Clone(tensor.Shape(w.size)), x.last(), multiplier), true), w)
	if c.config().Bool("use_bias", true) {
		y = c.biasAdd(y, c.Weight("bias", tensor.Shape{x.last() * multiplier}, true))
	}
	return []Value{c.afterConv(y, back)}
}

// depthwiseName is what the version calls the kernel of a depthwise layer.
func depthwiseName(c *Call) string {
	if c.Layer.age == keras3 {
		return "kernel"
	}
	return "depthwise_kernel"
}

// depthwise slides a kernel [spatial…, channels, multiplier] over each channel.
func (e *emitter) depthwise(x, kernel Value, w window) Value {
	n := len(w.size)
	if w.causal {
		padding := make([][2]int, x.rank())
		padding[1] = [2]int{(w.size[0] - 1) * w.dilation[0], 0}
		x, w.causal = e.pad(x, "", 0, padding...), false
	}
	if n == 1 {
		w = w.wider()
		w.strides[0] = w.strides[1] // the kernel wants them equal; the axis has length 1
		return e.squeeze(e.depthwise(e.expand(x, 1), e.expand(kernel, 0), w), 1)
	}
	if slices.Max(w.dilation) > 1 {
		return e.dilated(x, w, func(x Value, w window) Value { return e.depthwise(x, kernel, w) })
	}
	if w.strides[0] != w.strides[1] {
		fail(ErrUnsupported, "strides %v: TensorFlow's depthwise kernel needs them equal", w.strides)
	}
	shape := slices.Clone(x.Shape)
	for i := range n {
		shape[i+1] = w.output(x.Shape[i+1], i)
	}
	shape[n+1] = product(x.last(), kernel.last())
	return e.conv2D("DepthwiseConv2dNative", x, kernel, w, shape)
}

// callSeparable is SeparableConv1D and SeparableConv2D: a depthwise convolution, then a pointwise one.
func callSeparable(c *Call, n int) []Value {
	in := c.x()
	in.need(n + 2)
	w := c.window(n, "kernel_size", true)
	x, back := c.channelsLast(in)
	multiplier, filters := c.config().Int("depth_multiplier", 1), c.config().positive("filters")
	depthwise := c.Weight("depthwise_kernel", append(slices.Clone(tensor.Shape(w.size)), x.last(), multiplier), true)
	ones := slices.Repeat([]int{1}, n)
	pointwise := c.Weight("pointwise_kernel", append(slices.Clone(tensor.Shape(ones)), x.last()*multiplier, filters), true)
	y := c.convolution(c.depthwise(x, depthwise, w), pointwise, window{size: ones, strides: ones, dilation: ones, padding: "VALID"}, 1)
	if c.config().Bool("use_bias", true) {
		y = c.biasAdd(y, c.Weight("bias", tensor.Shape{filters}, true))
	}
	return []Value{c.afterConv(y, back)}
}

// callConvTranspose is Conv1DTranspose, Conv2DTranspose and Conv3DTranspose: the gradient of a convolution by its input.
func callConvTranspose(c *Call, n int) []Value {
	in := c.x()
	in.need(n + 2)
	w := c.window(n, "kernel_size", true)
	x, back := c.channelsLast(in)
	filters := c.config().positive("filters")
	kernel := c.Weight("kernel", append(slices.Clone(tensor.Shape(w.size)), filters, x.last()), true)
	var outputPadding []int
	if c.config().has("output_padding") {
		outputPadding = c.config().tuple("output_padding", n, 0)
	}
	y := c.convTranspose(x, kernel, w, outputPadding)
	if c.config().Bool("use_bias", true) {
		y = c.biasAdd(y, c.Weight("bias", tensor.Shape{filters}, true))
	}
	return []Value{c.afterConv(y, back)}
}

// convTranspose scatters x [batch, spatial…, channels] through a kernel [spatial…, filters, channels].
func (e *emitter) convTranspose(x, kernel Value, w window, outputPadding []int) Value {
	n := len(w.size)
	if slices.Max(w.dilation) > 1 {
		kernel = e.dilateKernel(kernel, w)
		for i := range n {
			w.size[i] = (w.size[i]-1)*w.dilation[i] + 1
		}
		w.dilation = slices.Repeat([]int{1}, n)
	}
	if n == 1 {
		if outputPadding != nil {
			outputPadding = append([]int{0}, outputPadding...)
		}
		return e.squeeze(e.convTranspose(e.expand(x, 1), e.expand(kernel, 0), w.wider(), outputPadding), 1)
	}
	out := make([]dim, n+2)
	out[0], out[n+1] = e.dim(x, 0), dim{n: kernel.Shape[n]}
	for i := range n {
		out[i+1] = w.transposed(e, e.dim(x, i+1), i, outputPadding)
	}
	sizes, shape := e.shapeVector(out, false)
	op, format := "Conv2DBackpropInput", "NHWC"
	attrs := graph.Attrs{"T": x.DType, "strides": around(w.strides), "padding": w.padding, "dilations": around(w.dilation)}
	if n == 3 {
		op, format = "Conv3DBackpropInputV2", "NDHWC"
		attrs["Tshape"] = tensor.Int32
	} else {
		attrs["explicit_paddings"] = []int{}
	}
	attrs["data_format"] = format
	return e.op(op, []Value{sizes, kernel, x}, attrs, x.DType, shape)
}

// transposed is the length of an axis after a transposed convolution
// (keras/src/backend/common/backend_utils.py, _get_output_shape_given_tf_padding).
func (w window) transposed(e *emitter, n dim, i int, outputPadding []int) dim {
	k, s, add := w.size[i], w.strides[i], 0
	switch {
	case w.padding == "VALID" && outputPadding == nil:
		add = max(k, s) - s
	case w.padding == "VALID":
		add = k + outputPadding[i] - s
	case outputPadding != nil:
		add = k%2 + outputPadding[i] - s
	}
	if n.n >= 0 {
		return dim{n: n.n*s + add}
	}
	return dim{-1, e.add(e.mul(e.scalarOf(n), e.int(s)), e.int(add))}
}

// dilateKernel writes zeros between the taps of a kernel, since the CPU kernels of the transposed ops have no dilation.
func (e *emitter) dilateKernel(kernel Value, w window) Value {
	for i, d := range w.dilation {
		if d == 1 || w.size[i] == 1 {
			continue
		}
		k := w.size[i]
		wide := e.expand(kernel, i+1)
		padding := make([][2]int, wide.rank())
		padding[i+1] = [2]int{0, d - 1}
		wide = e.pad(wide, "", 0, padding...)
		kernel = e.slice(e.reshape(wide, known(with(kernel.Shape, i, k*d)...)...), i, 0, (k-1)*d+1)
	}
	return kernel
}
