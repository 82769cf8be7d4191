package keras

import (
	"maps"
	"strconv"

	"github.com/cambium-go/cambium/tensor"
)

// LayerConfig describes a layer of a model that is made in Go. The functions of the layers' names make the usual ones; With
// changes a setting by Keras's name for it.
type LayerConfig struct {
	Class  string
	Config Config
}

// With returns a copy with one more setting: Dense(10, "softmax").With("name", "scores").
func (l LayerConfig) With(setting string, value any) LayerConfig {
	c := maps.Clone(l.Config)
	if c == nil {
		c = Config{}
	}
	if n, ok := value.(int); ok {
		value = float64(n) // as JSON has it
	}
	c[setting] = value
	return LayerConfig{l.Class, c}
}

// Input is the input of a model: the shape of one example, -1 for an unknown size. Its type is float32.
func Input(shape ...int) LayerConfig {
	return LayerConfig{"InputLayer", Config{"batch_shape": anyShape(append(tensor.Shape{-1}, shape...)), "dtype": "float32"}}
}

// Dense is activation(x·kernel + bias). An activation of "" is none.
func Dense(units int, activation string) LayerConfig {
	if activation == "" {
		activation = "linear"
	}
	return LayerConfig{"Dense", Config{"units": float64(units), "activation": activation, "use_bias": true}}
}

// Activation applies an activation by its name.
func Activation(name string) LayerConfig {
	return LayerConfig{"Activation", Config{"activation": name}}
}

// Dropout drops a share of the inputs in training.
func Dropout(rate float64) LayerConfig { return LayerConfig{"Dropout", Config{"rate": rate}} }

// Flatten makes each example a vector.
func Flatten() LayerConfig { return LayerConfig{"Flatten", Config{"data_format": "channels_last"}} }

// Reshape gives each example another shape.
func Reshape(shape ...int) LayerConfig {
	list := make([]any, len(shape))
	for i, d := range shape {
		list[i] = float64(d)
	}
	return LayerConfig{"Reshape", Config{"target_shape": list}}
}

// BatchNormalization normalizes over the batch, with Keras's settings.
func BatchNormalization() LayerConfig {
	return LayerConfig{"BatchNormalization", Config{"axis": -1.0, "momentum": 0.99, "epsilon": 0.001, "center": true, "scale": true}}
}

// LayerNormalization normalizes each example, with Keras's settings.
func LayerNormalization() LayerConfig {
	return LayerConfig{"LayerNormalization", Config{"axis": -1.0, "epsilon": 0.001, "center": true, "scale": true}}
}

// Rescaling is x·scale + offset.
func Rescaling(scale, offset float64) LayerConfig {
	return LayerConfig{"Rescaling", Config{"scale": scale, "offset": offset}}
}

// NewSequential makes a model whose layers follow one another, the first being an [Input]. Its weights have no values until
// [Model.SetWeights] sets them; [Model.Variables] says which there are.
func NewSequential(name string, layers ...LayerConfig) (m *Model, err error) {
	defer catch(&err)
	list, count := []any{}, map[string]int{}
	for _, l := range layers {
		c := maps.Clone(l.Config)
		if c == nil {
			c = Config{}
		}
		if !c.has("name") {
			c["name"] = numbered(snakeCase(l.Class), count)
		}
		if l.Class != "InputLayer" {
			if !c.has("trainable") {
				c["trainable"] = true
			}
			if !c.has("dtype") {
				c["dtype"] = "float32"
			}
		}
		list = append(list, map[string]any{"module": "keras.layers", "class_name": l.Class, "config": map[string]any(c), "registered_name": nil})
	}
	r := &reader{age: keras3, version: WrittenVersion, shared: map[float64]*Layer{}, paths: map[string]bool{}}
	m = r.model(map[string]any{"class_name": "Sequential", "config": map[string]any{"name": name, "layers": list}}, "")
	m.Version = WrittenVersion
	return m, m.buildVariables()
}

// numbered appends _1, _2 … to a name from its second use on.
func numbered(name string, count map[string]int) string {
	n := count[name]
	count[name]++
	if n > 0 {
		return name + "_" + strconv.Itoa(n)
	}
	return name
}
