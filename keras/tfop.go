package keras

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
