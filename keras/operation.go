package keras

import (
	"math"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// Operations are what keras.ops functions become in a functional model: nodes without weights, whose arguments are tensors
// and numbers. tf.keras calls them TFOpLambda.

// operation computes one operation from its arguments.
type operation func(o *opCall) []Value

// opCall gives an operation its arguments by position, by keyword or from its configuration.
type opCall struct {
	*Call
	like tensor.DType // the element type of the first tensor
}

// one wraps an operation of one result.
func one(f func(o *opCall) Value) operation {
	return func(o *opCall) []Value { return []Value{f(o)} }
}

// arg finds an argument: position i, or one of the names as a keyword or in the configuration. Position -1 is none.
func (o *opCall) arg(i int, names ...string) (any, bool) {
	if i >= 0 && i < len(o.Args) {
		return o.Args[i], true
	}
	for _, n := range names {
		if v, ok := o.Kwargs[n]; ok {
			return v, v != nil
		}
	}
	for _, n := range names {
		if v, ok := o.config()[n]; ok {
			return v, v != nil
		}
	}
	return nil, false
}

// settings are the arguments that are no tensors, by the names that they have, as a configuration.
func (o *opCall) settings(first int, names ...string) Config {
	out := Config{}
	for i, n := range names {
		if v, ok := o.arg(first+i, strings.Split(n, "|")...); ok {
			out[strings.Split(n, "|")[0]] = v
		}
	}
	return out
}

// tensor reads an argument that is a tensor or a constant.
func (o *opCall) tensor(i int, names ...string) Value {
	v, ok := o.arg(i, names...)
	if !ok {
		fail(ErrFormat, "argument %d (%s) is missing", i, strings.Join(names, ", "))
	}
	return o.operand(v, o.like)
}

// operand makes a tensor of an argument; numbers take the type given.
func (o *opCall) operand(v any, d tensor.DType) Value {
	if t, ok := v.(Value); ok {
		return t
	}
	if s, ok := v.(string); ok {
		if _, isNumber := number(s); !isNumber {
			return o.constant(tensor.Scalar(s))
		}
	}
	numbers, shape := Config{"v": v}.numbers("v")
	return o.floats(numbers, d, shape...)
}

// pair reads two operands and brings them to one type, as NumPy's promotion does for the types at hand.
func (o *opCall) pair() (a, b Value) {
	a, b = o.tensor(0, "x1", "x", "a", "inputs"), o.tensor(1, "x2", "y", "b")
	if a.DType != b.DType {
		d := promote(a.DType, b.DType)
		a, b = o.cast(a, d), o.cast(b, d)
	}
	return a, b
}

// promote is the type that holds both; floats win over integers, wider ones over narrower ones.
func promote(a, b tensor.DType) tensor.DType {
	order := []tensor.DType{tensor.Bool, tensor.Uint8, tensor.Int8, tensor.Uint16, tensor.Int16, tensor.Uint32, tensor.Int32, tensor.Uint64, tensor.Int64,
		tensor.BFloat16, tensor.Float16, tensor.Float32, tensor.Float64}
	if slices.Index(order, a) >= slices.Index(order, b) {
		return a
	}
	return b
}

func elementwise(op string) operation {
	return one(func(o *opCall) Value {
		a, b := o.pair()
		return o.binary(op, a, b)
	})
}

func comparison(op string) operation {
	return one(func(o *opCall) Value {
		a, b := o.pair()
		return o.compare(op, a, b)
	})
}

func logic(op string) operation {
	return one(func(o *opCall) Value {
		a, b := o.pair()
		return o.logical(op, o.cast(a, tensor.Bool), o.cast(b, tensor.Bool))
	})
}

func simple(op string) operation {
	return one(func(o *opCall) Value { return o.unary(op, o.tensor(0, "x", "inputs", "features", "input")) })
}

func reduction(op string) operation {
	return one(func(o *opCall) Value {
		x := o.tensor(0, "x", "input_tensor", "inputs")
		axes, keep := o.axes(x), o.settings(2, "keepdims").Bool("keepdims", false)
		if op == "Mean" && !floating(x.DType) {
			x = o.cast(x, tensor.Float32)
		}
		return o.reduce(op, x, keep, axes...)
	})
}

// axes reads the argument axis: a number, a list, or null for all axes.
func (o *opCall) axes(x Value) []int {
	if axes := o.settings(1, "axis").ints("axis"); axes != nil {
		return axes
	}
	all := make([]int, x.rank())
	for i := range all {
		all[i] = i
	}
	return all
}

func callActivation(name string) operation {
	return one(func(o *opCall) Value {
		return activations[name](&o.emitter, o.tensor(0, "x", "features", "logits", "inputs"))
	})
}

// operations are keras.ops classes by name.
var operations = map[string]operation{
	"Add": elementwise("AddV2"), "Subtract": elementwise("Sub"), "Multiply": elementwise("Mul"), "Maximum": elementwise("Maximum"),
	"Minimum": elementwise("Minimum"), "Mod": elementwise("FloorMod"), "FloorDivide": elementwise("FloorDiv"), "Arctan2": elementwise("Atan2"),
	"Greater": comparison("Greater"), "GreaterEqual": comparison("GreaterEqual"), "Less": comparison("Less"), "LessEqual": comparison("LessEqual"),
	"Equal": comparison("Equal"), "NotEqual": comparison("NotEqual"), "LogicalAnd": logic("LogicalAnd"), "LogicalOr": logic("LogicalOr"),
	"Absolute": simple("Abs"), "Abs": simple("Abs"), "Negative": simple("Neg"), "Exp": simple("Exp"), "Expm1": simple("Expm1"), "Log": simple("Log"), "Log1p": simple("Log1p"),
	"Sqrt": simple("Sqrt"), "Rsqrt": simple("Rsqrt"), "Square": simple("Square"), "Sin": simple("Sin"), "Cos": simple("Cos"), "Tan": simple("Tan"), "Tanh": simple("Tanh"),
	"Sinh": simple("Sinh"), "Cosh": simple("Cosh"), "Arcsin": simple("Asin"), "Arccos": simple("Acos"), "Arctan": simple("Atan"), "Floor": simple("Floor"), "Ceil": simple("Ceil"),
	"Round": simple("Round"), "Sign": simple("Sign"), "Reciprocal": simple("Reciprocal"), "Erf": simple("Erf"), "ZerosLike": simple("ZerosLike"), "OnesLike": simple("OnesLike"),
	"StopGradient": simple("StopGradient"), "Identity": simple("Identity"),
	"Mean": reduction("Mean"), "Sum": reduction("Sum"), "Max": reduction("Max"), "Min": reduction("Min"), "Prod": reduction("Prod"), "Amax": reduction("Max"), "Amin": reduction("Min"),
	"Relu": callActivation("relu"), "Relu6": callActivation("relu6"), "Sigmoid": callActivation("sigmoid"), "Softplus": callActivation("softplus"), "Softsign": callActivation("softsign"),
	"Silu": callActivation("silu"), "HardSigmoid": callActivation("hard_sigmoid"), "HardSilu": callActivation("hard_silu"), "Selu": callActivation("selu"), "LogSigmoid": callActivation("log_sigmoid"),
	"Mish": callActivation("mish"), "HardTanh": callActivation("hard_tanh"), "TanhShrink": callActivation("tanh_shrink"), "Squareplus": callActivation("squareplus"), "SparsePlus": callActivation("sparse_plus"),
	"SparseSigmoid": callActivation("sparse_sigmoid"),
	"LogicalNot":    one(func(o *opCall) Value { return o.not(o.cast(o.tensor(0, "x"), tensor.Bool)) }),
	"TrueDivide":    one(opDivide), "Divide": one(opDivide), "Power": one(opPower), "Matmul": one(opMatmul), "Dot": one(opMatmul), "Einsum": one(opEinsum),
	"Var": one(opVariance), "Std": one(func(o *opCall) Value { return o.unary("Sqrt", opVariance(o)) }),
	"All": one(opAllAny("All")), "Any": one(opAllAny("Any")), "Argmax": one(opArg("ArgMax")), "Argmin": one(opArg("ArgMin")),
	"Reshape": one(opReshape), "Transpose": one(opTranspose), "ExpandDims": one(opExpandDims), "Squeeze": one(opSqueeze), "Concatenate": one(opConcatenate),
	"Stack": one(opStack), "Split": opSplit, "Unstack": opUnstack, "GetItem": one(opGetItem), "Where": one(opWhere), "Clip": one(opClip), "Cast": one(opCast), "Softmax": one(opSoftmax("Softmax")), "LogSoftmax": one(opSoftmax("LogSoftmax")),
	"OneHot": one(opOneHot), "Take": one(opTake), "Tile": one(opTile), "Repeat": one(opRepeat), "Pad": one(opPad), "Flip": one(opFlip), "Swapaxes": one(opSwapAxes), "Moveaxis": one(opMoveAxis),
	"BroadcastTo": one(opBroadcastTo), "Gelu": one(opGelu), "LeakyRelu": one(opLeaky), "Elu": one(opElu), "Celu": one(opCelu), "Glu": one(opGlu), "Normalize": one(opNormalize), "Norm": one(opNorm), "Logsumexp": one(opLogSumExp),
	"MaxPool": one(opPool("MaxPool")), "AveragePool": one(opPool("AvgPool")), "Resize": one(opResize), "TopK": opTopK, "Cumsum": one(opCumsum), "Ravel": one(opRavel), "Roll": one(opRoll),
}

func init() {
	for name, f := range operations {
		register(class{keepsTypes: true, call: func(c *Call) []Value { return runOperation(c, f) }}, "keras.ops>"+name)
	}
	register(class{keepsTypes: true, call: callTFOp}, "TFOpLambda", "TensorFlowOpLayer", "SlicingOpLambda")
}

// runOperation calls an operation; the first tensor among the arguments sets the type of numbers.
func runOperation(c *Call, f operation) []Value {
	o := &opCall{Call: c, like: tensor.Float32}
	for _, a := range c.Args {
		if v := values(a); len(v) > 0 {
			o.like = v[0].DType
			break
		}
	}
	return f(o)
}

func opDivide(o *opCall) Value {
	a, b := o.pair()
	if !floating(a.DType) {
		a, b = o.cast(a, tensor.Float32), o.cast(b, tensor.Float32)
	}
	return o.div(a, b)
}

func opPower(o *opCall) Value {
	a, b := o.pair()
	if v, ok := o.arg(1, "x2", "y"); ok {
		if n, ok := number(v); ok && n == 2 {
			return o.unary("Square", a)
		}
	}
	return o.binary("Pow", a, b)
}

func opMatmul(o *opCall) Value {
	a, b := o.pair()
	s := o.settings(2, "transpose_a", "transpose_b")
	if a.rank() > 2 && b.rank() == 2 && !s.Bool("transpose_a", false) && !s.Bool("transpose_b", false) {
		return o.lastProduct(a, b)
	}
	return o.matmul(a, b, s.Bool("transpose_a", false), s.Bool("transpose_b", false))
}

func opEinsum(o *opCall) Value {
	equation := strings.ReplaceAll(o.config().String("subscripts", o.config().String("equation", "")), " ", "")
	left, out, ok := strings.Cut(equation, "->")
	in := strings.Split(left, ",")
	if !ok || len(in) != len(o.Args) || strings.Contains(equation, ".") {
		fail(ErrUnsupported, "the equation %q", equation)
	}
	size, operands := map[rune]int{}, []Value{}
	for i, term := range in {
		v := o.tensor(i)
		if len(term) != v.rank() {
			fail(ErrFormat, "the equation %q for a tensor of shape %v", equation, v.Shape)
		}
		for j, a := range term {
			if d, ok := size[a]; !ok || d < 0 {
				size[a] = v.Shape[j]
			}
		}
		operands = append(operands, v)
	}
	shape := tensor.Shape{}
	for _, a := range out {
		shape = append(shape, size[a])
	}
	return o.einsum(equation, shape, operands...)
}

func opVariance(o *opCall) Value {
	x := o.tensor(0, "x", "input_tensor")
	axes, keep := o.axes(x), o.settings(2, "keepdims").Bool("keepdims", false)
	_, v := o.moments(x, axes...)
	if !keep {
		v = o.squeeze(v, axes...)
	}
	return v
}

func opAllAny(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.cast(o.tensor(0, "x", "input_tensor"), tensor.Bool)
		return o.reduce(op, x, o.settings(2, "keepdims").Bool("keepdims", false), o.axes(x)...)
	}
}

func opArg(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "x", "input")
		s := o.settings(1, "axis", "keepdims")
		if !s.has("axis") {
			x = o.reshape(x, o.times(o.dims(x)...))
		}
		axis := x.axis(s.Int("axis", 0))
		y := o.op(op, []Value{x, o.int(axis)}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32, "output_type": tensor.Int32}, tensor.Int32, without(x.Shape, axis))
		if s.Bool("keepdims", false) {
			y = o.expand(y, axis)
		}
		return y
	}
}

func opReshape(o *opCall) Value {
	x := o.tensor(0, "x", "tensor")
	target, ok := shapeOf(o.settings(1, "newshape|shape")["newshape"])
	if !ok {
		fail(ErrUnsupported, "a shape that is not constant")
	}
	n, free, rest := product(x.Shape...), -1, 1
	dims := make([]dim, len(target))
	for i, d := range target {
		dims[i] = dim{n: d}
		if d < 0 {
			free = i
		} else {
			rest = product(rest, d)
		}
	}
	if free >= 0 && n >= 0 && rest > 0 {
		dims[free] = dim{n: n / rest}
	}
	s := make([]int, len(dims))
	for i, d := range dims {
		s[i] = d.n
	}
	// where the batch is unknown, TensorFlow works the -1 out, and it is the batch again if the rest fits
	return o.op("Reshape", []Value{x, o.ints(s...)}, graph.Attrs{"T": x.DType, "Tshape": tensor.Int32}, x.DType, tensor.Shape(s))
}

func opTranspose(o *opCall) Value {
	x := o.tensor(0, "x", "a")
	perm := o.settings(1, "axes|perm").ints("axes")
	if perm == nil {
		for i := x.rank() - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	for i, a := range perm {
		perm[i] = x.axis(a)
	}
	return o.transpose(x, perm...)
}

func opExpandDims(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	axes := o.settings(1, "axis").ints("axis")
	for _, a := range axes {
		x = o.expand(x, a)
	}
	return x
}

func opSqueeze(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	axes := o.settings(1, "axis").ints("axis")
	if axes == nil {
		for i, d := range x.Shape {
			if d == 1 {
				axes = append(axes, i)
			}
		}
	}
	return o.squeeze(x, axes...)
}

// list reads an argument that is a list of tensors.
func (o *opCall) list(i int, names ...string) []Value {
	v, _ := o.arg(i, names...)
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		fail(ErrFormat, "a list of tensors is needed")
	}
	out := make([]Value, len(items))
	for j, x := range items {
		out[j] = o.operand(x, o.like)
	}
	return out
}

func opConcatenate(o *opCall) Value {
	return o.concat(o.settings(1, "axis").Int("axis", 0), o.list(0, "xs", "values")...)
}

func opStack(o *opCall) Value {
	return o.stack(o.settings(1, "axis").Int("axis", 0), o.list(0, "x", "values")...)
}

func opSplit(o *opCall) []Value {
	x := o.tensor(0, "x", "value")
	s := o.settings(1, "indices_or_sections|num_or_size_splits", "axis")
	axis := x.axis(s.Int("axis", 0))
	if _, ok := number(s["indices_or_sections"]); ok {
		return o.split(x, axis, s.positive("indices_or_sections"))
	}
	var out []Value
	begin := 0
	for _, end := range s.ints("indices_or_sections") {
		out = append(out, o.strided(x, axis, begin, end, 1, false))
		begin = end
	}
	return append(out, o.strided(x, axis, begin, 0, 1, true))
}

func opUnstack(o *opCall) []Value {
	x := o.tensor(0, "x")
	axis := x.axis(o.settings(2, "axis").Int("axis", 0))
	n := x.Shape[axis]
	if n < 1 {
		fail(ErrUnsupported, "axis %d of shape %v must be known", axis, x.Shape)
	}
	out := make([]Value, bounded(n, "the number of tensors"))
	for i := range out {
		out[i] = o.index(x, axis, i)
	}
	return out
}

// opGetItem is x[key], where the key is a number, a slice, null for a new axis, an ellipsis, or a list of those.
func opGetItem(o *opCall) Value {
	x := o.tensor(0, "x")
	key, _ := o.arg(1, "key")
	list, ok := key.([]any)
	if !ok {
		list = []any{key}
	}
	taken := 0
	for _, k := range list {
		if class, _, _ := objectOf(k); k != nil && class != "__ellipsis__" {
			taken++
		}
	}
	if taken > x.rank() {
		fail(ErrFormat, "%d indices of shape %v", taken, x.Shape)
	}
	axis := 0
	for _, k := range list {
		class, c, _ := objectOf(k)
		switch {
		case k == nil:
			x = o.expand(x, axis)
			axis++
		case class == "__ellipsis__":
			axis += x.rank() - axis - remaining(list, taken)
		case class == "__slice__":
			x = o.sliceOf(x, axis, c)
			axis++
			taken--
		default:
			n, ok := number(k)
			if !ok || n != math.Trunc(n) {
				fail(ErrUnsupported, "an index %v", k)
			}
			x = o.index(x, axis, int(n))
			taken--
		}
	}
	return x
}

// remaining is how many axes the rest of a key needs.
func remaining(_ []any, taken int) int { return taken }

func (o *opCall) sliceOf(x Value, axis int, c Config) Value {
	if !c.has("start") && !c.has("stop") && !c.has("step") {
		return x
	}
	step := c.Int("step", 1)
	if step == 0 {
		fail(ErrFormat, "a slice with step 0")
	}
	begin := 0
	if step < 0 {
		begin = -1
	}
	return o.strided(x, axis, c.Int("start", begin), c.Int("stop", 0), step, !c.has("stop"))
}

func opWhere(o *opCall) Value {
	condition := o.tensor(0, "condition")
	if condition.DType != tensor.Bool {
		condition = o.cast(condition, tensor.Bool)
	}
	for _, a := range o.Args[1:] {
		if v, ok := a.(Value); ok {
			o.like = v.DType
			break
		}
	}
	if o.like == tensor.Bool {
		o.like = tensor.Float32
	}
	return o.choose(condition, o.tensor(1, "x1", "x"), o.tensor(2, "x2", "y"))
}

func opClip(o *opCall) Value {
	x := o.tensor(0, "x", "t")
	s := o.settings(1, "x_min|clip_value_min", "x_max|clip_value_max")
	return o.clip(x, s.Float("x_min", math.Inf(-1)), s.Float("x_max", math.Inf(1)))
}

func opCast(o *opCall) Value {
	return o.cast(o.tensor(0, "x"), dtypeNamed(o.settings(1, "dtype").String("dtype", "float32")))
}

func opSoftmax(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		return o.along(op, o.tensor(0, "x", "logits"), o.settings(1, "axis").Int("axis", -1))
	}
}

func opOneHot(o *opCall) Value {
	x := o.tensor(0, "x", "indices")
	s := o.settings(1, "num_classes|depth", "axis", "dtype")
	d := dtypeNamed(s.String("dtype", "float32"))
	n := s.positive("num_classes")
	axis := s.Int("axis", -1)
	at := axis
	if at < 0 {
		at += x.rank() + 1
	}
	if at < 0 || at > x.rank() {
		fail(ErrFormat, "axis %d", axis)
	}
	if x.DType != tensor.Int32 && x.DType != tensor.Int64 {
		x = o.cast(x, tensor.Int64)
	}
	return o.op("OneHot", []Value{x, o.int(n), o.scalar(1, d), o.scalar(0, d)}, graph.Attrs{"T": d, "TI": x.DType, "axis": axis}, d,
		slices.Insert(slices.Clone(x.Shape), at, n))
}

func opTake(o *opCall) Value {
	x := o.tensor(0, "x", "params")
	v, _ := o.arg(1, "indices")
	ids := o.operand(v, tensor.Int32)
	if ids.DType != tensor.Int32 && ids.DType != tensor.Int64 {
		ids = o.cast(ids, tensor.Int32)
	}
	s := o.settings(2, "axis")
	if !s.has("axis") {
		x = o.reshape(x, o.times(o.dims(x)...))
	}
	return o.gatherAxis(x, ids, s.Int("axis", 0))
}

func opTile(o *opCall) Value {
	x := o.tensor(0, "x", "input")
	n := o.settings(1, "repeats|multiples").ints("repeats")
	for len(n) < x.rank() {
		n = append([]int{1}, n...)
	}
	for x.rank() < len(n) {
		x = o.expand(x, 0)
	}
	return o.tile(x, known(n...)...)
}

func opRepeat(o *opCall) Value {
	s := o.settings(1, "repeats", "axis")
	return o.repeat(o.tensor(0, "x", "input"), s.Int("axis", -1), s.positive("repeats"))
}

func opPad(o *opCall) Value {
	x := o.tensor(0, "x", "tensor")
	s := o.settings(1, "pad_width|paddings", "mode", "constant_values")
	n, shape := s.numbers("pad_width")
	padding := make([][2]int, x.rank())
	for i := range padding {
		switch {
		case len(shape) == 2 && len(n) == 2*x.rank():
			padding[i] = [2]int{int(n[2*i]), int(n[2*i+1])}
		case len(n) == 1:
			padding[i] = [2]int{int(n[0]), int(n[0])}
		case len(n) == 2:
			padding[i] = [2]int{int(n[0]), int(n[1])}
		default:
			fail(ErrFormat, "pad_width %v", s["pad_width"])
		}
	}
	switch mode := strings.ToLower(s.String("mode", "constant")); mode {
	case "constant":
		return o.pad(x, "", s.Float("constant_values", 0), padding...)
	case "reflect", "symmetric":
		return o.pad(x, strings.ToUpper(mode), 0, padding...)
	default:
		fail(ErrUnsupported, "mode %q", mode)
		return Value{}
	}
}

func opFlip(o *opCall) Value {
	x := o.tensor(0, "x")
	for _, a := range o.axes(x) {
		x = o.reverse(x, a)
	}
	return x
}

func opSwapAxes(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "axis1", "axis2")
	perm := identity(x.rank())
	i, j := x.axis(s.Int("axis1", 0)), x.axis(s.Int("axis2", 1))
	perm[i], perm[j] = j, i
	return o.transpose(x, perm...)
}

func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

func opMoveAxis(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "source", "destination")
	from, to := s.ints("source"), s.ints("destination")
	if len(from) != len(to) {
		fail(ErrFormat, "%d sources and %d destinations", len(from), len(to))
	}
	perm := slices.Repeat([]int{-1}, x.rank())
	used := map[int]bool{}
	for i := range from {
		perm[x.axis(to[i])] = x.axis(from[i])
		used[x.axis(from[i])] = true
	}
	next := 0
	for i, p := range perm {
		if p < 0 {
			for used[next] {
				next++
			}
			perm[i] = next
			next++
		}
	}
	return o.transpose(x, perm...)
}

func opBroadcastTo(o *opCall) Value {
	x := o.tensor(0, "x")
	target, ok := shapeOf(o.settings(1, "shape")["shape"])
	if !ok || slices.Contains(target, -1) {
		fail(ErrUnsupported, "a shape that is not constant")
	}
	return o.broadcastTo(x, known(target...)...)
}

func opGelu(o *opCall) Value {
	return o.gelu(o.tensor(0, "x", "features"), o.settings(1, "approximate").Bool("approximate", o.Layer.age == keras3))
}

func opLeaky(o *opCall) Value {
	return o.leakyReLU(o.tensor(0, "x", "features"), o.settings(1, "negative_slope|alpha").Float("negative_slope", 0.2))
}

func opElu(o *opCall) Value {
	return o.emitter.elu(o.tensor(0, "x", "features"), o.settings(1, "alpha").Float("alpha", 1))
}

func opCelu(o *opCall) Value {
	return o.celu(o.tensor(0, "x"), o.settings(1, "alpha").Float("alpha", 1))
}

func opGlu(o *opCall) Value { return o.glu(o.tensor(0, "x"), o.settings(1, "axis").Int("axis", -1)) }

func opNormalize(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "axis", "order", "epsilon")
	if s.Int("order", 2) != 2 {
		fail(ErrUnsupported, "order %v", s["order"])
	}
	sum := o.reduce("Sum", o.unary("Square", x), true, s.Int("axis", -1))
	return o.mul(x, o.binary("Minimum", o.unary("Rsqrt", sum), o.scalar(1/s.Float("epsilon", 1e-7), x.DType)))
}

func opNorm(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "ord", "axis", "keepdims")
	axes := s.ints("axis")
	if len(axes) != 1 || s.has("ord") && s["ord"] != 2.0 {
		fail(ErrUnsupported, "the norm %v over axes %v", s["ord"], s["axis"])
	}
	return o.unary("Sqrt", o.reduce("Sum", o.unary("Square", x), s.Bool("keepdims", false), axes...))
}

func opLogSumExp(o *opCall) Value {
	x := o.tensor(0, "x", "input_tensor")
	axes, keep := o.axes(x), o.settings(2, "keepdims").Bool("keepdims", false)
	largest := o.reduce("Max", x, true, slices.Clone(axes)...)
	y := o.add(o.unary("Log", o.reduce("Sum", o.unary("Exp", o.sub(x, largest)), true, slices.Clone(axes)...)), largest)
	if !keep {
		y = o.squeeze(y, axes...)
	}
	return y
}

func opPool(op string) func(*opCall) Value {
	return func(o *opCall) Value {
		x := o.tensor(0, "inputs")
		n := x.rank() - 2
		c := *o.Call
		l := *o.Layer
		l.Config = o.settings(1, "pool_size", "strides", "padding", "data_format")
		if !l.Config.has("strides") {
			delete(l.Config, "strides")
		}
		c.Layer, c.Inputs = &l, []Value{x}
		if n < 1 || n > 3 {
			fail(ErrFormat, "an input of shape %v", x.Shape)
		}
		return callPool(&c, n, op)[0]
	}
}

func opResize(o *opCall) Value {
	x := o.tensor(0, "images", "inputs")
	s := o.settings(1, "size", "interpolation", "antialias")
	if o.config().Bool("crop_to_aspect_ratio", false) || o.config().Bool("pad_to_aspect_ratio", false) {
		fail(ErrUnsupported, "an aspect ratio that is kept")
	}
	x.need(4)
	size := s.sizes("size", 2, 1)
	if o.config().channelsFirst() {
		y := o.resize(o.transpose(x, 0, 2, 3, 1), s.String("interpolation", "bilinear"), s.Bool("antialias", false), dim{n: size[0]}, dim{n: size[1]})
		return o.transpose(o.cast(y, x.DType), 0, 3, 1, 2)
	}
	y := o.resize(x, s.String("interpolation", "bilinear"), s.Bool("antialias", false), dim{n: size[0]}, dim{n: size[1]})
	return o.cast(y, x.DType)
}

func opTopK(o *opCall) []Value {
	x := o.tensor(0, "x", "input")
	s := o.settings(1, "k", "sorted")
	k := s.positive("k")
	x.last()
	shape := with(x.Shape, x.rank()-1, k)
	y := o.op("TopKV2", []Value{x, o.int(k)}, graph.Attrs{"T": x.DType, "sorted": s.Bool("sorted", true)}, x.DType, shape)
	return []Value{y, y.output(1, tensor.Int32, shape)}
}

func opCumsum(o *opCall) Value {
	x := o.tensor(0, "x")
	return o.op("Cumsum", []Value{x, o.int(x.axis(o.settings(1, "axis").Int("axis", 0)))}, graph.Attrs{"T": x.DType, "Tidx": tensor.Int32}, x.DType, x.Shape)
}

func opRavel(o *opCall) Value {
	x := o.tensor(0, "x")
	return o.reshape(x, o.times(o.dims(x)...))
}

func opRoll(o *opCall) Value {
	x := o.tensor(0, "x")
	s := o.settings(1, "shift", "axis")
	shift, axis := o.ints(s.ints("shift")...), s.ints("axis")
	for i, a := range axis {
		axis[i] = x.axis(a)
	}
	return o.op("Roll", []Value{x, shift, o.ints(axis...)}, graph.Attrs{"T": x.DType, "Tshift": tensor.Int32, "Taxis": tensor.Int32}, x.DType, x.Shape)
}

// tfOps gives the operations behind the functions that tf.keras records as TFOpLambda.
var tfOps = map[string]string{
	"math.add": "Add", "__operators__.add": "Add", "math.subtract": "Subtract", "math.multiply": "Multiply", "math.divide": "TrueDivide", "math.truediv": "TrueDivide",
	"math.pow": "Power", "math.maximum": "Maximum", "math.minimum": "Minimum", "math.floordiv": "FloorDivide", "math.abs": "Absolute", "math.negative": "Negative", "math.exp": "Exp",
	"math.log": "Log", "math.log1p": "Log1p", "math.sqrt": "Sqrt", "math.rsqrt": "Rsqrt", "math.square": "Square", "math.sigmoid": "Sigmoid", "math.tanh": "Tanh", "math.sin": "Sin", "math.cos": "Cos",
	"math.reduce_mean": "Mean", "math.reduce_sum": "Sum", "math.reduce_max": "Max", "math.reduce_min": "Min", "math.reduce_prod": "Prod", "math.reduce_variance": "Var", "math.reduce_std": "Std",
	"math.reduce_logsumexp": "Logsumexp", "math.argmax": "Argmax", "math.greater": "Greater", "math.less": "Less", "math.equal": "Equal", "math.not_equal": "NotEqual", "math.l2_normalize": "Normalize",
	"nn.relu": "Relu", "nn.relu6": "Relu6", "nn.softmax": "Softmax", "nn.softmax_v2": "Softmax", "nn.sigmoid": "Sigmoid", "nn.tanh": "Tanh", "nn.silu": "Silu", "nn.swish": "Silu", "nn.gelu": "Gelu", "nn.elu": "Elu", "nn.selu": "Selu",
	"nn.softplus": "Softplus", "nn.leaky_relu": "LeakyRelu", "nn.log_softmax": "LogSoftmax", "nn.l2_normalize": "Normalize", "nn.silu.<locals>.swish_impl": "Silu",
	"reshape": "Reshape", "transpose": "Transpose", "concat": "Concatenate", "stack": "Stack", "expand_dims": "ExpandDims", "squeeze": "Squeeze", "cast": "Cast", "tile": "Tile", "clip_by_value": "Clip", "one_hot": "OneHot", "identity": "Identity",
	"zeros_like": "ZerosLike", "ones_like": "OnesLike", "linalg.matmul": "Matmul", "math.logical_not": "LogicalNot", "math.logical_and": "LogicalAnd", "image.resize": "Resize", "stop_gradient": "StopGradient", "where": "Where", "pad": "Pad", "gather": "Take",
	"math.cumsum": "Cumsum", "__operators__.getitem": "GetItem", "broadcast_to": "BroadcastTo", "repeat": "Repeat", "unstack": "Unstack", "split": "Split", "reverse": "Flip",
}

// callTFOp is a TensorFlow function that was called on Keras tensors.
func callTFOp(c *Call) []Value {
	function := c.config().String("function", "")
	name, ok := tfOps[function]
	if !ok {
		fail(ErrUnsupported, "the TensorFlow function %q", function)
	}
	if name == "GetItem" {
		c.Kwargs["key"] = sliceSpec(c.Kwargs["slice_spec"])
	}
	delete(c.Kwargs, "name")
	return runOperation(c, operations[name])
}

// sliceSpec turns {"start": …, "stop": …, "step": …} into Keras 3's slices.
func sliceSpec(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = sliceSpec(x)
		}
		return out
	case map[string]any:
		if v["value"] == "..." || v["value"] == "Ellipsis" {
			return map[string]any{"class_name": "__ellipsis__", "config": map[string]any{}}
		}
		return map[string]any{"class_name": "__slice__", "config": v}
	case string:
		if v == "..." {
			return map[string]any{"class_name": "__ellipsis__", "config": map[string]any{}}
		}
	}
	return v
}
