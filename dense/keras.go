package dense

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// ErrUnsupported says that a model has a layer or an op that the native engine does not have; the message names it.
var ErrUnsupported = errors.New("dense: unsupported")

// FromKeras returns the native model of a Keras model with its weights: a Sequential model, or a Functional one without
// branches, of the layers of this package, nested models included. It is not compiled. Weights of float16 and bfloat16
// are widened to float32; a model whose weights have no values gets new ones.
//
// Errors wrap ErrUnsupported and name the layer.
func FromKeras(k *keras.Model, c Config) (*Model, error) {
	if k == nil {
		return nil, fmt.Errorf("dense: %w: there is no Keras model", train.ErrOption)
	}
	if len(k.Inputs) != 1 || len(k.Outputs) != 1 {
		return nil, fmt.Errorf("%w: model %s has %d inputs and %d outputs, one of each is needed", ErrUnsupported, k.Name, len(k.Inputs), len(k.Outputs))
	}
	shape := k.Inputs[0].Shape
	if len(shape) < 2 || slices.Contains(shape[1:], -1) {
		return nil, fmt.Errorf("%w: model %s takes %v, the sizes of a sample must be known", ErrUnsupported, k.Name, shape)
	}
	chain, err := kerasChain(k)
	if err != nil {
		return nil, err
	}
	layers, weights := []Layer{Input(shape[1:]...)}, []*tensor.Tensor(nil)
	for _, l := range chain {
		layer, err := fromKerasLayer(k, l)
		if err != nil {
			return nil, fmt.Errorf("layer %s (%s): %w", l.Name, l.Class, err)
		}
		if layer != nil {
			layers = append(layers, layer)
			weights = append(weights, l.Weights()...)
		}
	}
	if c.Name == "" {
		c.Name = k.Name
	}
	m, err := New(c, layers...)
	if err != nil {
		return nil, err
	}
	if len(weights) > 0 && !slices.ContainsFunc(weights, func(w *tensor.Tensor) bool { return w != nil }) {
		return m, nil
	}
	if weights, err = widened(weights); err != nil {
		return nil, err
	}
	return m, m.SetWeights(weights)
}

// kerasChain returns the layers from the input to the output of a model in which each feeds the next.
func kerasChain(k *keras.Model) ([]*keras.Layer, error) {
	var chain []*keras.Layer
	last := ""
	for _, l := range k.Layers {
		if l.Class == "InputLayer" {
			last = l.Name
			continue
		}
		if k.Class != "Sequential" && (len(l.Inbound) != 1 || len(l.Inbound[0]) != 1 || (last != "" && l.Inbound[0][0] != last)) {
			return nil, fmt.Errorf("%w: layer %s (%s) is not fed by the layer before it alone; branches, merges and shared layers need the TensorFlow engine", ErrUnsupported, l.Name, l.Class)
		}
		last = l.Name
		if l.Model == nil {
			chain = append(chain, l)
			continue
		}
		inner, err := kerasChain(l.Model)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Name, err)
		}
		chain = append(chain, inner...)
	}
	return chain, nil
}

// fromKerasLayer returns the layer of this package, nil for one that does nothing.
func fromKerasLayer(k *keras.Model, l *keras.Layer) (Layer, error) {
	c := kerasConfig{l.Config, k.Version}
	layer, err := c.layer(l)
	if err != nil || layer == nil {
		return nil, err
	}
	if trainable, ok := l.Config["trainable"].(bool); ok && !trainable {
		layer = Frozen(layer)
	}
	return layer, nil
}

// kerasConfig is a layer's configuration and the version of Keras that wrote it.
type kerasConfig struct {
	config  keras.Config
	version string
}

func (c kerasConfig) layer(l *keras.Layer) (Layer, error) {
	switch l.Class {
	case "Dense":
		return c.dense(l)
	case "Activation":
		return c.activationLayer(c.config["activation"])
	case "Flatten":
		return Flatten(), c.onlyChannelsLast()
	case "Reshape":
		shape, err := c.shape("target_shape")
		return Reshape(shape...), err
	case "Dropout":
		return Dropout(c.number("rate", 0)), nil
	case "ActivityRegularization", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D", "Identity":
		return nil, nil // nothing in inference
	case "BatchNormalization", "LayerNormalization":
		return c.normalization(l)
	case "Rescaling":
		return Rescaling(float32(c.number("scale", 1)), float32(c.number("offset", 0))), nil
	case "Normalization":
		return c.constants(l)
	case "Softmax":
		return Activation(Softmax), c.onlyAxis("axis")
	case "ReLU":
		return c.relu()
	case "LeakyReLU":
		return Activation(LeakyReLU(float32(c.number("negative_slope", c.number("alpha", 0.3))))), nil
	case "ELU":
		return Activation(ELU(float32(c.number("alpha", 1)))), nil
	default:
		return nil, fmt.Errorf("%w by the native engine; use the TensorFlow engine", ErrUnsupported)
	}
}

func (c kerasConfig) dense(l *keras.Layer) (Layer, error) {
	if c.config["quantization_config"] != nil || len(l.Weights()) > 2 {
		return nil, fmt.Errorf("%w: its weights are quantized or adapted", ErrUnsupported)
	}
	activation, err := c.activation(c.config["activation"])
	if err != nil {
		return nil, err
	}
	options := []DenseOption{activation}
	if bias, ok := c.config["use_bias"].(bool); ok && !bias {
		options = append(options, NoBias)
	}
	for key, with := range map[string]func(Regularizer) DenseOption{
		"kernel_regularizer": WithKernelRegularizer, "bias_regularizer": WithBiasRegularizer, "activity_regularizer": WithActivityRegularizer,
	} {
		if r, ok := c.regularizer(key); ok {
			options = append(options, with(r))
		}
	}
	return Dense(int(c.number("units", 0)), options...), nil
}

// regularizer reads {"class_name": "L2", "config": {"l2": 0.01}}.
func (c kerasConfig) regularizer(key string) (Regularizer, bool) {
	object, _ := c.config[key].(map[string]any)
	config, _ := object["config"].(map[string]any)
	if config == nil {
		return Regularizer{}, false
	}
	inner := kerasConfig{config: config}
	return Regularizer{L1: float32(inner.number("l1", 0)), L2: float32(inner.number("l2", 0))}, true
}

func (c kerasConfig) activation(v any) (ActivationFunction, error) {
	name := ""
	switch v := v.(type) {
	case nil:
	case string:
		name = v
	case map[string]any: // an activation that is a layer, or a registered function
		config, _ := v["config"].(map[string]any)
		class, _ := v["class_name"].(string)
		switch inner := (kerasConfig{config: config}); class {
		case "LeakyReLU":
			return LeakyReLU(float32(inner.number("negative_slope", inner.number("alpha", 0.3)))), nil
		case "ELU":
			return ELU(float32(inner.number("alpha", 1))), nil
		default:
			name, _ = v["config"].(string)
			if name == "" {
				name = strings.ToLower(class)
			}
		}
	}
	if name == "hard_sigmoid" && !strings.HasPrefix(c.version, "3") {
		return Linear, fmt.Errorf("%w: the hard_sigmoid of Keras %s; use the TensorFlow engine", ErrUnsupported, c.version)
	}
	a, err := ParseActivation(name)
	if err != nil {
		return Linear, fmt.Errorf("%w: activation %q", ErrUnsupported, name)
	}
	return a, nil
}

func (c kerasConfig) activationLayer(v any) (Layer, error) {
	a, err := c.activation(v)
	return Activation(a), err
}

func (c kerasConfig) relu() (Layer, error) {
	most, slope, threshold := c.number("max_value", 0), c.number("negative_slope", 0), c.number("threshold", 0)
	switch {
	case threshold != 0:
		return nil, fmt.Errorf("%w: a threshold of %g", ErrUnsupported, threshold)
	case c.config["max_value"] == nil && slope == 0:
		return Activation(ReLU), nil
	case c.config["max_value"] == nil:
		return Activation(LeakyReLU(float32(slope))), nil
	case most == 6 && slope == 0:
		return Activation(ReLU6), nil
	default:
		return nil, fmt.Errorf("%w: max_value %g with negative_slope %g", ErrUnsupported, most, slope)
	}
}

func (c kerasConfig) normalization(l *keras.Layer) (Layer, error) {
	o := NormOptions{Epsilon: float32(c.number("epsilon", 0.001)), Momentum: float32(c.number("momentum", 0.99))}
	if center, ok := c.config["center"].(bool); ok {
		o.NoCenter = !center
	}
	if scale, ok := c.config["scale"].(bool); ok {
		o.NoScale = !scale
	}
	if rms, _ := c.config["rms_scaling"].(bool); rms {
		return nil, fmt.Errorf("%w: rms_scaling", ErrUnsupported)
	}
	if err := c.lastAxis("axis", l); err != nil {
		return nil, err
	}
	if l.Class == "LayerNormalization" {
		return LayerNormalization(o), nil
	}
	return BatchNormalization(o), nil
}

// constants is a Normalization layer, whose mean and variance are in its weights or, as arguments, in its configuration.
func (c kerasConfig) constants(l *keras.Layer) (Layer, error) {
	if invert, _ := c.config["invert"].(bool); invert || len(l.Weights()) == 0 {
		return nil, fmt.Errorf("%w: invert, or mean and variance given as arguments", ErrUnsupported)
	}
	return Normalization(nil, nil), c.lastAxis("axis", l)
}

// lastAxis reports an axis that is not the last one of the layer's output.
func (c kerasConfig) lastAxis(key string, l *keras.Layer) error {
	rank := 0
	if len(l.OutputShapes) > 0 {
		rank = len(l.OutputShapes[0])
	}
	axes, ok := c.config[key].([]any)
	if !ok && c.config[key] != nil {
		axes = []any{c.config[key]}
	}
	for _, a := range axes {
		if axis, ok := a.(float64); !ok || (axis != -1 && int(axis) != rank-1) || len(axes) > 1 {
			return fmt.Errorf("%w: axis %v; the native engine normalizes along the last one", ErrUnsupported, c.config[key])
		}
	}
	return nil
}

func (c kerasConfig) onlyAxis(key string) error {
	if axis, ok := c.config[key].(float64); ok && axis != -1 {
		return fmt.Errorf("%w: axis %v", ErrUnsupported, axis)
	}
	return nil
}

func (c kerasConfig) onlyChannelsLast() error {
	if c.config["data_format"] == "channels_first" {
		return fmt.Errorf("%w: channels_first", ErrUnsupported)
	}
	return nil
}

func (c kerasConfig) number(key string, otherwise float64) float64 {
	if f, ok := c.config[key].(float64); ok {
		return f
	}
	return otherwise
}

func (c kerasConfig) shape(key string) ([]int, error) {
	list, ok := c.config[key].([]any)
	shape := make([]int, len(list))
	for i, d := range list {
		f, isNumber := d.(float64)
		ok = ok && isNumber
		shape[i] = int(f)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s %v", ErrUnsupported, key, c.config[key])
	}
	return shape, nil
}

// widened returns the weights as float32.
func widened(weights []*tensor.Tensor) ([]*tensor.Tensor, error) {
	wide := make([]*tensor.Tensor, len(weights))
	for i, w := range weights {
		var err error
		if wide[i], err = w.Cast(tensor.Float32); err != nil {
			return nil, fmt.Errorf("%w: weights of %v", ErrUnsupported, w.DType())
		}
	}
	return wide, nil
}
