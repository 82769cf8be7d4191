package keras

import (
	"slices"
	"strings"
)

// age is the generation of Keras that wrote a file.
type age int

const (
	keras1 age = 1 // Keras 1.x: nb_filter, border_mode, dim_ordering
	keras2 age = 2 // Keras 2.x and tf.keras: batch_input_shape, nested lists of inbound nodes
	keras3 age = 3 // Keras 3: batch_shape, __keras_tensor__, DTypePolicy
)

// ageOf tells the generation from the version, or, where the file has none, from the configuration.
func ageOf(version string, config any) age {
	switch {
	case strings.HasPrefix(version, "0.") || strings.HasPrefix(version, "1."):
		return keras1
	case strings.HasPrefix(version, "2."):
		return keras2
	case version != "":
		return keras3
	}
	found := keras2
	var look func(v any, depth int)
	look = func(v any, depth int) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				look(x, depth+1)
			}
		case map[string]any:
			for k, x := range v {
				switch k {
				case "module", "batch_shape", "registered_name", "keras_history":
					found = keras3
				case "nb_filter", "border_mode", "dim_ordering", "input_dtype", "inner_activation", "W_regularizer":
					found = keras1
				}
				look(x, depth+1)
			}
		}
	}
	look(config, 0)
	return found
}

// classes1 and classes2 give the Keras 3 names of classes that were called something else.
var classes1 = map[string]string{
	"Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D", "Deconvolution2D": "Conv2DTranspose",
	"Deconvolution3D": "Conv3DTranspose", "AtrousConvolution1D": "Conv1D", "AtrousConvolution2D": "Conv2D",
	"SeparableConvolution2D": "SeparableConv2D", "TimeDistributedDense": "Dense",
}

var classes2 = map[string]string{
	"Model": "Functional", "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D",
	"Convolution2DTranspose": "Conv2DTranspose", "Convolution3DTranspose": "Conv3DTranspose", "Convolution1DTranspose": "Conv1DTranspose",
	"SeparableConvolution1D": "SeparableConv1D", "SeparableConvolution2D": "SeparableConv2D", "DepthwiseConvolution2D": "DepthwiseConv2D",
	"BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization", "SyncBatchNormalization": "BatchNormalization",
	"GroupedQueryAttention": "GroupQueryAttention", "LSTMV2": "LSTM", "GRUV2": "GRU", "CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "Swish": "Activation", "GlobalMaxPool1D": "GlobalMaxPooling1D",
	"GlobalMaxPool2D": "GlobalMaxPooling2D", "MaxPool1D": "MaxPooling1D", "MaxPool2D": "MaxPooling2D", "MaxPool3D": "MaxPooling3D",
	"AvgPool1D": "AveragePooling1D", "AvgPool2D": "AveragePooling2D", "AvgPool3D": "AveragePooling3D",
}

// renames1 gives the Keras 2 names of the settings of Keras 1.
var renames1 = map[string]string{
	"nb_filter": "filters", "border_mode": "padding", "bias": "use_bias", "init": "kernel_initializer", "W_regularizer": "kernel_regularizer",
	"b_regularizer": "bias_regularizer", "W_constraint": "kernel_constraint", "b_constraint": "bias_constraint",
	"U_regularizer": "recurrent_regularizer", "inner_init": "recurrent_initializer", "inner_activation": "recurrent_activation",
	"subsample": "strides", "subsample_length": "strides", "filter_length": "kernel_size", "atrous_rate": "dilation_rate",
	"pool_length": "pool_size", "stride": "strides", "dropout_W": "dropout", "dropout_U": "recurrent_dropout",
}

// modernize brings a layer's class and configuration to what Keras 3 calls them.
func modernize(class string, c Config, a age) (string, Config) {
	c = c.clone()
	if a == keras1 {
		class = modernize1(class, c)
	}
	if class == "Swish" {
		c["activation"] = "swish"
	}
	if a == keras2 {
		modernize2(class, c)
	}
	if (class == "CuDNNLSTM" || class == "CuDNNGRU") && a < keras3 {
		c["recurrent_activation"], c["activation"] = "sigmoid", "tanh"
		c["reset_after"] = true
		c["cudnn"] = true
	}
	if to, ok := classes2[class]; ok {
		class = to
	}
	if s, ok := c["batch_input_shape"]; ok && !c.has("batch_shape") {
		c["batch_shape"] = s
	}
	delete(c, "batch_input_shape")
	return class, c
}

func modernize1(class string, c Config) string {
	for from, to := range renames1 {
		if v, ok := c[from]; ok && !c.has(to) {
			c[to] = v
			delete(c, from)
		}
	}
	switch c["dim_ordering"] {
	case "th":
		c["data_format"] = "channels_first"
	case "tf":
		c["data_format"] = "channels_last"
	}
	delete(c, "dim_ordering")
	if s, ok := c["strides"].([]any); ok && len(s) == 0 {
		c["strides"] = nil
	}
	switch class {
	case "Dense", "TimeDistributedDense", "SimpleRNN", "LSTM", "GRU", "MaxoutDense", "Highway":
		if v, ok := c["output_dim"]; ok {
			c["units"] = v
			delete(c, "output_dim")
		}
	case "Convolution2D", "AtrousConvolution2D", "Deconvolution2D", "SeparableConvolution2D":
		c["kernel_size"] = []any{c["nb_row"], c["nb_col"]}
		delete(c, "nb_row")
		delete(c, "nb_col")
	case "Convolution3D":
		c["kernel_size"] = []any{c["kernel_dim1"], c["kernel_dim2"], c["kernel_dim3"]}
	case "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout":
		if v, ok := c["p"]; ok {
			c["rate"] = v
		}
	case "GaussianNoise":
		if v, ok := c["sigma"]; ok {
			c["stddev"] = v
		}
	case "UpSampling1D":
		if v, ok := c["length"]; ok {
			c["size"] = v
		}
	case "BatchNormalization":
		if m, ok := number(c["mode"]); ok && m == 1 {
			fail(ErrUnsupported, "BatchNormalization of mode 1 (Keras 1)")
		}
	case "Embedding":
		if d, ok := number(c["dropout"]); ok && d == 0 {
			delete(c, "dropout")
		}
	}
	if to, ok := classes1[class]; ok {
		return to
	}
	return class
}

func modernize2(class string, c Config) {
	switch class {
	case "Concatenate", "BatchNormalization", "Softmax":
		if list, ok := unwrapList(c["axis"]).([]any); ok && len(list) == 1 {
			c["axis"] = list[0]
		}
	case "GRU", "GRUCell", "CuDNNGRU":
		if !c.has("reset_after") {
			c["reset_after"] = class == "CuDNNGRU"
		}
	}
	if c["padding"] == "same" || c["padding"] == "SAME" {
		c["padding"] = "same"
	}
}

// legacyDefaults are the settings whose default changed, for configurations that leave them out.
var convKernels = []string{"Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "SeparableConv1D",
	"SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D", "ConvLSTM2D"}

// convolutional reports whether a class holds kernels that Theano flips.
func convolutional(class string) bool { return slices.Contains(convKernels, class) }
