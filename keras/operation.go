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
		return o.Args[i], o.Args[i] != nil
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
		y := o.reduce(op, x, keep, axes...)
		if first, ok := number(o.settings(-1, "initial")["initial"]); ok && (op == "Max" || op == "Min") {
			y = o.binary(op+"imum", y, o.scalar(first, y.DType))
		}
		return y
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
	"Round": simple("Round"), "Sign": simple("Sign"), "Reciprocal": simple("Reciprocal"), "Erf": simple("Erf"), "ZerosLike": like("ZerosLike"), "OnesLike": like("OnesLike"),
	"StopGradient": simple("StopGradient"), "Identity": simple("Identity"), "ConvertToTensor": one(opConvert), "SaturateCast": one(opSaturate), "EmptyLike": like("ZerosLike"),
	"Fmax": one(opPresent("Maximum")), "Fmin": one(opPresent("Minimum")), "Heaviside": one(opHeaviside), "Logaddexp2": one(opLogAddExp2), "Sinc": one(opSinc), "DivideNoNan": one(opDivideNoNan),
	"Isposinf": one(opIsInfinite(1)), "Isneginf": one(opIsInfinite(-1)), "Conjugate": simple("Identity"),
	"Nansum": one(opNumbers("Sum", 0)), "Nanprod": one(opNumbers("Prod", 1)), "Nanmax": one(opNumbers("Max", math.Inf(-1))), "Nanmin": one(opNumbers("Min", math.Inf(1))), "Nanmean": one(opNumbersMean),
	"Append": one(opAppend), "Dstack": one(opDepthStack), "Fliplr": one(opFlipAxis(1)), "Flipud": one(opFlipAxis(0)), "Slice": one(opSlice), "Moments": opMoments,
	"ArraySplit": opArraySplit(-1), "Vsplit": opArraySplit(0), "Hsplit": opArraySplit(1), "Dsplit": opArraySplit(2), "RGBToHSV": one(opColors("RGBToHSV")), "HSVToRGB": one(opColors("HSVToRGB")),
	"BitwiseAnd": elementwise("BitwiseAnd"), "BitwiseOr": elementwise("BitwiseOr"), "BitwiseXor": elementwise("BitwiseXor"), "BitwiseNot": simple("Invert"), "BitwiseInvert": simple("Invert"),
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
	"MaxPool": one(opPool("MaxPool")), "AveragePool": one(opPool("AvgPool")), "Resize": one(opResize), "TopK": opTopK, "Cumsum": one(opRunning("Cumsum")), "Cumprod": one(opRunning("Cumprod")), "Ravel": one(opRavel), "Roll": one(opRoll),
	"Sort": one(opSort(false)), "Argsort": one(opSort(true)), "Median": one(opMedian), "Quantile": one(opQuantile), "TakeAlongAxis": one(opTakeAlongAxis),
	"Diff": one(opDiff), "Rot90": one(opRotate), "Tril": one(opTriangle(true)), "Triu": one(opTriangle(false)), "Diagonal": one(opDiagonal), "Trace": one(opTrace),
	"Arcsinh": simple("Asinh"), "Arccosh": simple("Acosh"), "Arctanh": simple("Atanh"), "Erfinv": simple("Erfinv"), "Erfc": simple("Erfc"), "Conj": simple("Identity"),
	"Real": simple("Identity"), "Copy": simple("Identity"), "Fabs": simple("Abs"), "Isnan": test("IsNan"), "Isinf": test("IsInf"), "Isfinite": test("IsFinite"),
	"Log2": logarithm(2), "Log10": logarithm(10), "Exp2": one(func(o *opCall) Value { return o.unary("Exp", o.scale(o.tensor(0, "x"), math.Ln2)) }),
	"Deg2rad": scaled(math.Pi / 180), "Rad2deg": scaled(180 / math.Pi), "Cbrt": one(opCubeRoot), "Trunc": one(opTruncate), "NanToNum": one(opNanToNum),
	"LogicalXor": one(opExclusiveOr), "Isclose": one(opIsClose), "Hypot": one(opHypotenuse), "Logaddexp": one(opLogAddExp), "SquaredDifference": elementwise("SquaredDifference"),
	"CountNonzero": one(opCountNonzero), "Ptp": one(opRange), "Average": one(opAverage), "Tensordot": one(opTensordot), "Inner": one(opInner), "Outer": one(opOuter),
	"Hstack": one(opJoin(1)), "Vstack": one(opJoin(0)), "FullLike": one(opFullLike), "MultiHot": one(opMultiHot), "LayerNorm": one(opLayerNorm), "RMSNorm": one(opRMSNorm),
	"DotProductAttention": one(opDotProductAttention), "SoftShrink": one(opShrink(true)), "HardShrink": one(opShrink(false)), "Threshold": one(opThreshold), "Sparsemax": one(opSparsemax),
	"SpaceToDepth": one(opBlocks("SpaceToDepth")), "DepthToSpace": one(opBlocks("DepthToSpace")), "RGBToGrayscale": one(opGrayscale), "AddN": one(opAddN), "Shape": one(opShape),
	"BatchFlatten": one(func(o *opCall) Value { return o.reshapeTo(o.tensor(0, "x"), []int{-1}) }),
}

// test gives true or false for each element.
func test(op string) operation {
	return one(func(o *opCall) Value {
		x := o.tensor(0, "x")
		return o.op(op, []Value{x}, graph.Attrs{"T": x.DType}, tensor.Bool, x.Shape)
	})
}

// like makes a tensor of the same shape, and of another type where one is given.
func like(op string) operation {
	return one(func(o *opCall) Value {
		y := o.unary(op, o.tensor(0, "x", "input"))
		if name := o.config().String("dtype", ""); name != "" {
			y = o.cast(y, dtypeNamed(name))
		}
		return y
	})
}

func logarithm(base float64) operation {
	return one(func(o *opCall) Value { return o.scale(o.unary("Log", o.tensor(0, "x")), 1/math.Log(base)) })
}

func scaled(by float64) operation {
	return one(func(o *opCall) Value { return o.scale(o.tensor(0, "x"), by) })
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
