package keras

import "strings"

// tfOps gives the operations behind the functions that tf.keras records as TFOpLambda, without the package compat.v1.
var tfOps = map[string]string{
	"__operators__.add": "Add", "__operators__.getitem": "GetItem",
	"math.add": "Add", "math.subtract": "Subtract", "math.multiply": "Multiply", "math.divide": "TrueDivide", "math.truediv": "TrueDivide", "realdiv": "TrueDivide", "div": "TrueDivide",
	"math.pow": "Power", "math.maximum": "Maximum", "math.minimum": "Minimum", "math.floordiv": "FloorDivide", "floor_div": "FloorDivide", "math.floormod": "Mod", "math.mod": "Mod",
	"math.squared_difference": "SquaredDifference", "math.add_n": "AddN", "add_n": "AddN", "math.atan2": "Arctan2",
	"math.abs": "Absolute", "math.negative": "Negative", "math.exp": "Exp", "math.expm1": "Expm1", "math.log": "Log", "math.log1p": "Log1p", "math.sqrt": "Sqrt", "math.rsqrt": "Rsqrt",
	"math.square": "Square", "math.reciprocal": "Reciprocal", "math.sign": "Sign", "sign": "Sign", "math.round": "Round", "math.floor": "Floor", "math.ceil": "Ceil", "math.erf": "Erf",
	"math.sin": "Sin", "math.cos": "Cos", "math.tan": "Tan", "math.asin": "Arcsin", "math.acos": "Arccos", "math.atan": "Arctan", "math.sinh": "Sinh", "math.cosh": "Cosh",
	"math.asinh": "Arcsinh", "math.acosh": "Arccosh", "math.atanh": "Arctanh", "math.is_nan": "Isnan", "math.is_inf": "Isinf", "math.is_finite": "Isfinite",
	"math.sigmoid": "Sigmoid", "math.tanh": "Tanh", "math.softplus": "Softplus", "math.softsign": "Softsign",
	"math.reduce_mean": "Mean", "math.reduce_sum": "Sum", "math.reduce_max": "Max", "math.reduce_min": "Min", "math.reduce_prod": "Prod", "math.reduce_variance": "Var", "math.reduce_std": "Std",
	"math.reduce_any": "Any", "math.reduce_all": "All", "math.reduce_logsumexp": "Logsumexp", "math.argmax": "Argmax", "math.argmin": "Argmin", "math.cumsum": "Cumsum", "math.cumprod": "Cumprod",
	"math.greater": "Greater", "math.greater_equal": "GreaterEqual", "math.less": "Less", "math.less_equal": "LessEqual", "math.equal": "Equal", "math.not_equal": "NotEqual",
	"math.logical_not": "LogicalNot", "math.logical_and": "LogicalAnd", "math.logical_or": "LogicalOr", "math.logical_xor": "LogicalXor",
	"math.l2_normalize": "Normalize", "nn.l2_normalize": "Normalize", "linalg.l2_normalize": "Normalize", "norm": "Norm", "linalg.matmul": "Matmul", "einsum": "Einsum",
	"nn.relu": "Relu", "nn.relu6": "Relu6", "nn.softmax": "Softmax", "nn.softmax_v2": "Softmax", "nn.sigmoid": "Sigmoid", "nn.tanh": "Tanh", "nn.silu": "Silu", "nn.swish": "Silu", "nn.gelu": "Gelu", "nn.elu": "Elu", "nn.selu": "Selu",
	"nn.softplus": "Softplus", "nn.softsign": "Softsign", "nn.leaky_relu": "LeakyRelu", "nn.log_softmax": "LogSoftmax", "nn.silu.<locals>.swish_impl": "Silu",
	"nn.depth_to_space": "DepthToSpace", "nn.space_to_depth": "SpaceToDepth", "nn.bias_add": "Add", "math.top_k": "TopK", "nn.top_k": "TopK",
	"nn.max_pool1d": "MaxPool", "nn.max_pool2d": "MaxPool", "nn.max_pool3d": "MaxPool", "nn.avg_pool1d": "AveragePool", "nn.avg_pool2d": "AveragePool", "nn.avg_pool3d": "AveragePool",
	"nn.max_pool": "MaxPool", "nn.avg_pool": "AveragePool",
	"reshape": "Reshape", "transpose": "Transpose", "concat": "Concatenate", "stack": "Stack", "expand_dims": "ExpandDims", "squeeze": "Squeeze", "cast": "Cast", "tile": "Tile", "clip_by_value": "Clip", "one_hot": "OneHot", "identity": "Identity",
	"zeros_like": "ZerosLike", "ones_like": "OnesLike", "image.resize": "Resize", "stop_gradient": "StopGradient", "where": "Where", "pad": "Pad", "gather": "Take", "shape": "Shape",
	"broadcast_to": "BroadcastTo", "repeat": "Repeat", "unstack": "Unstack", "split": "Split", "reverse": "Flip", "roll": "Roll", "keras.backend.batch_flatten": "BatchFlatten",
}

// callTFOp is a TensorFlow function that was called on Keras tensors.
func callTFOp(c *Call) []Value {
	function := strings.TrimPrefix(c.config().String("function", ""), "compat.v1.")
	name, ok := tfOps[function]
	if !ok {
		fail(ErrUnsupported, "the TensorFlow function %q", c.config().String("function", c.Layer.Class))
	}
	if v, ok := c.Kwargs["slice_spec"]; ok {
		c.Kwargs["key"] = sliceSpec(v)
	}
	delete(c.Kwargs, "name")
	switch f := operations[name]; name {
	case "Split":
		return runOperation(c, splitSizes)
	case "MaxPool", "AveragePool":
		poolSettings(c)
		return runOperation(c, f)
	default:
		return runOperation(c, f)
	}
}

// splitSizes is tf.split, whose list says how long the parts are, where Keras's says where they end.
func splitSizes(o *opCall) []Value {
	sizes, isList := o.settings(1, "num_or_size_splits")["num_or_size_splits"].([]any)
	if !isList {
		return opSplit(o)
	}
	x := o.tensor(0, "value")
	axis := x.axis(o.settings(2, "axis").Int("axis", 0))
	var out []Value
	begin := 0
	for _, n := range (Config{"sizes": sizes}).ints("sizes") {
		if n < 0 {
			fail(ErrUnsupported, "a part of size %d", n)
		}
		out = append(out, o.strided(x, axis, begin, begin+n, 1, false))
		begin += n
	}
	return out
}

// poolSettings gives the settings of TensorFlow's pooling functions the names of Keras's.
func poolSettings(c *Call) {
	for from, to := range map[string]string{"ksize": "pool_size", "input": "inputs"} {
		if v, ok := c.Kwargs[from]; ok {
			c.Kwargs[to] = v
		}
	}
	c.Args = c.Args[:min(len(c.Args), 1)]
	if s, ok := c.Kwargs["padding"].(string); ok {
		c.Kwargs["padding"] = strings.ToLower(s)
	}
	if f, _ := c.Kwargs["data_format"].(string); strings.HasPrefix(f, "NC") {
		c.Kwargs["data_format"] = "channels_first"
	} else {
		delete(c.Kwargs, "data_format")
	}
	for _, key := range []string{"pool_size", "strides"} { // a size for each axis, batch and channels too
		if list, ok := c.Kwargs[key].([]any); ok && len(c.Inputs) > 0 && len(list) == c.Inputs[0].rank() && len(list) > 2 {
			c.Kwargs[key] = list[1 : len(list)-1]
		}
	}
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
