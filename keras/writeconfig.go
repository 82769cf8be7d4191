package keras

import (
	"slices"
	"strings"
)

// written returns the model's configuration in the words that Keras 3 and tf_keras have in common, as far as they do:
// batch_input_shape, dtype by name, calls as nested lists where they have one argument, no settings of one of the two that
// are at their default. functional is the class of a functional model: both find Model in archives and within another model,
// Functional at the top of an HDF5 file.
func (m *Model) written(functional string) map[string]any {
	class := m.Class
	if class != "Sequential" {
		class = functional
	}
	layers := []any{}
	for _, l := range m.Layers {
		layers = append(layers, m.writtenLayer(l, class == "Sequential"))
	}
	config := map[string]any{"name": m.Name, "trainable": true, "layers": layers}
	if class != "Sequential" {
		config["input_layers"], config["output_layers"] = m.writtenEnds(m.Inputs), m.writtenEnds(m.Outputs)
	}
	return map[string]any{"class_name": class, "config": config}
}

// writtenWithin is the configuration of a model that is a layer.
func (m *Model) writtenWithin() map[string]any {
	out := m.written("Model")
	out["module"], out["registered_name"] = "keras", nil
	return out
}

// writtenEnds writes endpoints as a list, or as a dictionary where their names are not those of layers.
func (m *Model) writtenEnds(ends []Endpoint) any {
	list, named := []any{}, map[string]any{}
	dictionary := false
	for _, e := range ends {
		t := []any{e.at.layer, m.writtenCall(e.at), e.at.tensor}
		list = append(list, t)
		named[e.Name] = t
		base := e.Name
		if i := strings.LastIndexByte(base, '_'); i > 0 && base[:i] == e.at.layer {
			base = base[:i]
		}
		dictionary = dictionary || base != e.at.layer
	}
	switch {
	case dictionary:
		return named
	case len(list) == 1:
		return list[0] // in a list of one, Keras 3 would call and answer with lists
	}
	return list
}

func (m *Model) writtenLayer(l *Layer, sequential bool) map[string]any {
	out := map[string]any{"class_name": l.Class, "name": l.Name}
	switch {
	case l.Model != nil:
		out = l.Model.writtenWithin()
		out["config"].(map[string]any)["name"], out["name"] = l.Name, l.Name
	default:
		out["config"] = l.writtenConfig()
		out["module"], out["registered_name"] = "keras.layers", nil
		switch {
		case l.rawModule != "" && l.rawModule != "keras.layers":
			out["module"], out["registered_name"] = l.rawModule, l.registered
		case l.isOperation():
			out["module"], out["registered_name"] = operationModule(l.Class), l.Class
		}
		if b, ok := l.Config["build_config"]; ok && l.age == keras3 {
			out["build_config"] = b
		}
	}
	if sequential {
		delete(out, "name")
		return out
	}
	nodes := []any{}
	for _, n := range m.nodes[l.Name] {
		written := m.writtenNode(n, l.isOperation())
		nodes = append(nodes, written)
		if l.Model != nil { // see writtenCall
			nodes = append(nodes, written)
		}
	}
	out["inbound_nodes"] = nodes
	return out
}

// writtenCall is the number of the call that made a tensor. tf_keras counts the calls of a nested model from 1, Keras 3 from 0
// (from 1 where a functional model is an output), and tf_keras never returns from a number that it does not find. With each
// call written twice, the odd numbers mean the same to both.
func (m *Model) writtenCall(t tensorRef) int {
	if l := m.byName[t.layer]; l != nil && l.Model != nil {
		return 2*t.node + 1
	}
	return t.node
}

// writtenNode writes a call: as a list where it has one argument and settings that are no tensors, which every version reads,
// else, and for the operations of Keras 3, which need what is null, as Keras 3 does.
func (m *Model) writtenNode(n node, operation bool) any {
	if operation {
		return map[string]any{"args": m.writtenArgument(n.args), "kwargs": m.writtenArgument(n.kwargs)}
	}
	first, kwargs := []any{}, withoutNulls(n.kwargs)
	if m.age == keras3 && kwargs["training"] == true {
		delete(kwargs, "training") // what Keras 3 notes of every layer, and does not follow; tf_keras would
	}
	if len(n.args) == 1 && len(refs(n.kwargs)) == 0 {
		list, ok := n.args[0].([]any)
		if t, single := n.args[0].(tensorRef); single {
			list, ok = []any{t}, true
		}
		for _, a := range list {
			t, isTensor := a.(tensorRef)
			ok = ok && isTensor
			if isTensor {
				first = append(first, []any{t.layer, m.writtenCall(t), t.tensor, kwargs})
			}
		}
		if ok && len(first) > 0 {
			return first
		}
	}
	return map[string]any{"args": m.writtenArgument(n.args), "kwargs": m.writtenArgument(kwargs)}
}

func withoutNulls(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if v != nil {
			out[k] = v
		}
	}
	return out
}

func (m *Model) writtenArgument(v any) any {
	switch v := v.(type) {
	case tensorRef:
		shape, dtype := []any{}, "float32"
		if l := m.byName[v.layer]; l != nil && v.tensor < len(l.outputTypes) {
			shape, dtype = anyShape(l.OutputShapes[v.tensor]), l.outputTypes[v.tensor].String()
		}
		return map[string]any{"class_name": "__keras_tensor__", "config": map[string]any{"shape": shape, "dtype": dtype,
			"keras_history": []any{v.layer, m.writtenCall(v), v.tensor}}}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = m.writtenArgument(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = m.writtenArgument(x)
		}
		return out
	}
	return v
}

// operationModules are the modules of operations that are not in keras.src.ops.numpy.
var operationModules = map[string][]string{
	"nn": {"AdaptiveAveragePool", "AdaptiveMaxPool", "AveragePool", "BatchNorm", "BinaryCrossentropy", "CategoricalCrossentropy", "Celu", "Conv",
		"ConvTranspose", "DepthToSpace", "DepthwiseConv", "DotProductAttention", "Elu", "Gelu", "Glu", "HardShrink", "HardSigmoid", "HardSilu", "HardTanh",
		"LayerNorm", "LeakyRelu", "LogSigmoid", "LogSoftmax", "MaxPool", "Moments", "MultiHot", "Normalize", "OneHot", "RMSNorm", "Relu", "Relu6", "Selu",
		"SeparableConv", "Sigmoid", "Silu", "SoftShrink", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "SparseCategoricalCrossentropy", "SparsePlus",
		"SparseSigmoid", "Sparsemax", "Squareplus", "TanhShrink", "Threshold"},
	"core": {"Cast", "ConvertToTensor", "SaturateCast", "Scatter", "ScatterUpdate", "Slice", "SliceUpdate", "StopGradient", "Unstack"},
	"math": {"CDist", "Erf", "Erfc", "Erfinv", "ExtractSequences", "FFT", "FFT2", "IFFT2", "IRFFT", "InTopK", "Logdet", "Logsumexp", "RFFT", "Rsqrt",
		"SegmentMax", "SegmentMin", "SegmentProd", "SegmentSum", "TopK"},
	"linalg": {"Cholesky", "CholeskyInverse", "Det", "Eigh", "Inv", "Norm", "Qr", "SVD", "Solve", "SolveTriangular"},
	"image":  {"CropImages", "ExtractPatches", "HSVToRGB", "PadImages", "RGBToGrayscale", "RGBToHSV", "Resize"},
}

func operationModule(class string) string {
	for module, names := range operationModules {
		if slices.Contains(names, class) {
			return "keras.src.ops." + module
		}
	}
	return "keras.src.ops.numpy"
}

// meaningfulNulls are settings whose null is not their default.
var meaningfulNulls = []string{"axis", "merge_mode", "standardize", "split"}

// noFormat are classes that have a data_format in Keras 3 only.
var noFormat = []string{"ZeroPadding1D", "Resizing", "CenterCrop", "Rescaling"}

// newDefaults are settings that only Keras 3 has, with the value that can be left out.
var newDefaults = map[string]any{"renorm": false, "renorm_momentum": 0.99, "rms_scaling": false, "use_gate": false, "pad_to_aspect_ratio": false,
	"antialias": false, "fill_mode": "constant", "fill_value": 0.0, "optional": false, "sparse": false, "ragged": false, "ensure_shape": false, "oov_method": "floormod"}

// oldSettings are settings of Keras 1 and 2 that Keras 3 refuses.
var oldSettings = []string{"time_major", "input_dtype", "input_length", "batch_input_shape", "forget_bias_init", "consume_less", "W_regularizer",
	"b_regularizer", "U_regularizer", "W_constraint", "b_constraint", "p", "sigma", "mode", "nb_row", "nb_col", "dim_ordering", "gamma_init",
	"beta_init", "gamma_regularizer_", "length", "alpha", "fused", "virtual_batch_size", "adjustment", "dropout_W", "dropout_U", "init",
	"kernel_dim1", "kernel_dim2", "kernel_dim3", "weights", "batch_size"}

// writtenConfig is a layer's configuration for writing.
func (l *Layer) writtenConfig() map[string]any {
	out := map[string]any{}
	for k, v := range l.Config {
		switch {
		case k == "build_config" || k == "implicit" || k == "cudnn":
		case k == "lora_rank" || k == "lora_alpha": // adapters are merged when they are read
		case v == nil && !slices.Contains(meaningfulNulls, k) && l.Class != "TextVectorization":
		case k == "data_format" && v == "channels_last" && (slices.Contains(noFormat, l.Class) || strings.HasPrefix(l.Class, "Random")):
		case newDefaults[k] != nil && newDefaults[k] == v:
		case l.age < keras3 && (slices.Contains(oldSettings, k) || strings.HasSuffix(k, "_constraint")):
		case l.age < keras3 && k == "input_dim" && l.Class != "Embedding":
		case l.Class == "DepthwiseConv2D" && (k == "groups" || k == "filters"):
		case k == "batch_shape" && l.Class != "InputLayer":
		case k == "trainable" && strings.HasPrefix(l.Class, "SpatialDropout"): // Keras 3 refuses it
		case k == "dtype":
			out[k] = dtypeName(v)
		default:
			out[k] = l.writtenSetting(k, v)
		}
	}
	if l.Class == "ELU" && l.Config["alpha"] != nil {
		out["alpha"] = l.Config["alpha"]
	}
	if slope, ok := out["negative_slope"]; ok && l.Class == "LeakyReLU" { // Keras 3 knows the old name, too
		out["alpha"] = slope
		delete(out, "negative_slope")
	}
	if s, ok := out["batch_shape"]; ok {
		out["batch_input_shape"] = s
		delete(out, "batch_shape")
	}
	out["name"] = l.Name
	return out
}

// writtenCells is the configuration of several cells in a row.
func (l *Layer) writtenCells() map[string]any {
	cells := []any{}
	for _, s := range l.sublayers {
		cells = append(cells, map[string]any{"module": "keras.layers", "class_name": s.Class, "config": s.writtenConfig(), "registered_name": nil})
	}
	return map[string]any{"module": "keras.layers", "class_name": l.Class, "config": map[string]any{"name": l.Name, "trainable": true, "cells": cells}, "registered_name": nil}
}

// dtypeName writes a policy by its name where it has one.
func dtypeName(v any) any {
	if class, config, ok := objectOf(v); ok && (class == "DTypePolicy" || class == "Policy") && config["name"] != nil {
		return config["name"]
	}
	return v
}

// writtenSetting writes one value: nested objects without nulls, wrapped layers as layers.
func (l *Layer) writtenSetting(key string, v any) any {
	for _, s := range l.sublayers {
		if s.attribute == key || s.attribute == "forward_layer" && key == "layer" {
			inner := s.writtenConfig()
			if s.Model != nil {
				return s.Model.writtenWithin()
			}
			if prefix := strings.TrimSuffix(s.attribute, "layer"); s.attribute == "forward_layer" || s.attribute == "backward_layer" {
				if s.attribute == "forward_layer" {
					inner["name"] = strings.TrimPrefix(s.Name, prefix)
				}
			}
			if s.Class == "StackedRNNCells" {
				return s.writtenCells()
			}
			return map[string]any{"module": "keras.layers", "class_name": s.Class, "config": inner, "registered_name": nil}
		}
	}
	if strings.HasSuffix(key, "activation") && l.age < keras3 && v == "hard_sigmoid" {
		fail(ErrUnsupported, "layer %s has the hard_sigmoid of Keras 1 and 2; Keras 3 computes another function by that name", l.path)
	}
	if m, ok := v.(map[string]any); ok {
		out := map[string]any{}
		for k, x := range m {
			if x == nil && k != "registered_name" {
				continue
			}
			if inner, ok := x.(map[string]any); ok && k == "config" && strings.HasSuffix(key, "_initializer") {
				inner = withoutNulls(inner)
				delete(inner, "dtype")
				out[k] = inner
				continue
			}
			out[k] = x
		}
		return out
	}
	return v
}
