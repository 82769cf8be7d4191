package keras_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
)

// TestConfigurations reads configurations of every age and checks what became of them.
func TestConfigurations(t *testing.T) {
	tests := []struct {
		name, config string
		inputs       []string
		output       tensor.Shape
		parameters   int
	}{
		{"Keras 1 Sequential is a list", `{"class_name": "Sequential", "config": [
			{"class_name": "Convolution2D", "config": {"name": "c", "batch_input_shape": [null, 3, 8, 8], "nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "same",
			 "subsample": [2, 2], "dim_ordering": "th", "activation": "relu", "bias": true, "W_regularizer": null}},
			{"class_name": "Flatten", "config": {"name": "f"}}, {"class_name": "Dense", "config": {"name": "d", "output_dim": 5, "activation": "softmax"}}]}`,
			[]string{"c_input"}, tensor.Shape{-1, 5}, 3*2*3*4 + 4 + 64*5 + 5},
		{"Keras 1 Merge of two Sequentials", `{"class_name": "Sequential", "config": [{"class_name": "Merge", "config": {"name": "m", "mode": "concat", "concat_axis": -1, "layers": [
			{"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": "a", "batch_input_shape": [null, 3], "output_dim": 2, "W_regularizer": null}}]},
			{"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": "b", "batch_input_shape": [null, 4], "output_dim": 3, "W_regularizer": null}}]}]}},
			{"class_name": "Dense", "config": {"name": "d", "output_dim": 1}}]}`,
			[]string{"a_input", "b_input"}, tensor.Shape{-1, 1}, 8 + 15 + 6},
		{"Keras 1 recurrent", `{"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": {"name": "l", "batch_input_shape": [null, 5, 3], "output_dim": 4,
			"inner_activation": "hard_sigmoid", "return_sequences": true, "consume_less": "cpu"}}]}`,
			[]string{"l_input"}, tensor.Shape{-1, 5, 4}, 4 * (3 + 4 + 1) * 4},
		{"Keras 2 Sequential without an input layer", `{"class_name": "Sequential", "config": {"name": "s", "build_input_shape": [null, 6], "layers": [
			{"class_name": "Dense", "config": {"name": "d", "units": 2, "use_bias": false}}]}}`, []string{"d_input"}, tensor.Shape{-1, 2}, 12},
		{"tf.keras inbound nodes that keep their structure", `{"class_name": "Functional", "config": {"name": "f", "layers": [
			{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4], "name": "i"}, "name": "i", "inbound_nodes": []},
			{"class_name": "Dense", "config": {"name": "d", "units": 3}, "name": "d", "inbound_nodes": [["i", 0, 0, {}]]},
			{"class_name": "Add", "config": {"name": "a"}, "name": "a", "inbound_nodes": [[["d", 0, 0, {}], ["d", 0, 0, {}]]]}],
			"input_layers": {"x": ["i", 0, 0]}, "output_layers": ["a", 0, 0]}}`, []string{"x"}, tensor.Shape{-1, 3}, 15},
		{"TFOpLambda with a tensor in its settings", `{"class_name": "Functional", "config": {"name": "f", "layers": [
			{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4], "name": "i"}, "name": "i", "inbound_nodes": []},
			{"class_name": "Dense", "config": {"name": "d", "units": 4}, "name": "d", "inbound_nodes": [[["i", 0, 0, {}]]]},
			{"class_name": "TFOpLambda", "config": {"name": "tf.math.add", "function": "math.add"}, "name": "tf.math.add", "inbound_nodes": [["i", 0, 0, {"y": ["d", 0, 0], "name": null}]]},
			{"class_name": "TFOpLambda", "config": {"name": "r", "function": "math.reduce_mean"}, "name": "r", "inbound_nodes": [["tf.math.add", 0, 0, {"axis": 1, "keepdims": true}]]}],
			"input_layers": [["i", 0, 0]], "output_layers": [["r", 0, 0]]}}`, []string{"i"}, tensor.Shape{-1, 1}, 20},
		{"Keras 3 with NaN and Infinity", `{"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [
			{"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 4], "dtype": "float32", "name": "i"}},
			{"module": "keras.layers", "class_name": "ReLU", "config": {"name": "r", "max_value": Infinity, "note": "NaN, \"Infinity\"", "x": [NaN, -Infinity]}}]}}`,
			[]string{"i"}, tensor.Shape{-1, 4}, 0},
		{"unknown sizes", `{"class_name": "Sequential", "config": {"name": "s", "layers": [
			{"class_name": "InputLayer", "config": {"batch_shape": [null, null, null, 3], "name": "i"}},
			{"class_name": "Conv2D", "config": {"name": "c", "filters": 2, "kernel_size": 3, "padding": "same"}}, {"class_name": "GlobalMaxPooling2D", "config": {"name": "g"}}]}}`,
			[]string{"i"}, tensor.Shape{-1, 2}, 56},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := keras.FromConfig([]byte(tt.config))
			require.NoError(t, err)
			var names []string
			for _, in := range m.Inputs {
				names = append(names, in.Name)
			}
			require.Equal(t, tt.inputs, names)
			require.Equal(t, tt.output, m.Outputs[0].Shape)
			require.Equal(t, tt.parameters, m.Parameters())
			_, err = m.Graph()
			if tt.parameters > 0 {
				require.ErrorIs(t, err, keras.ErrWeights, "the weights have no values yet")
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// TestBadConfigurations must be refused with an error that names the place.
func TestBadConfigurations(t *testing.T) {
	sequential := func(layers string) string {
		return `{"class_name": "Sequential", "config": {"name": "s", "layers": [{"class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "i"}}, ` + layers + `]}}`
	}
	functional := func(layers, outputs string) string {
		return `{"class_name": "Functional", "config": {"name": "f", "layers": [{"class_name": "InputLayer", "config": {"batch_shape": [null, 4]}, "name": "i", "inbound_nodes": []}, ` +
			layers + `], "input_layers": [["i", 0, 0]], "output_layers": ` + outputs + `}}`
	}
	tests := []struct {
		name, config string
		want         error
		text         string
	}{
		{"no JSON", `{`, keras.ErrFormat, "configuration"},
		{"null", `null`, keras.ErrFormat, "null"},
		{"no layers", `{"class_name": "Sequential", "config": {"name": "s"}}`, keras.ErrFormat, "layers"},
		{"a subclassed model", `{"class_name": "MyModel", "config": {"name": "m", "layers": []}}`, keras.ErrUnsupported, "MyModel"},
		{"Lambda", sequential(`{"class_name": "Lambda", "config": {"name": "odd", "trainable": true, "function": {"class_name": "__lambda__"}}}`), keras.ErrCustomObject, "odd"},
		{"unknown class", sequential(`{"class_name": "Own>Layer", "config": {"name": "mine", "trainable": true}}`), keras.ErrCustomObject, "mine"},
		{"unknown activation", sequential(`{"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "zap"}}`), keras.ErrCustomObject, "zap"},
		{"units of 0", sequential(`{"class_name": "Dense", "config": {"name": "d", "units": 0}}`), keras.ErrFormat, "units"},
		{"units of half", sequential(`{"class_name": "Dense", "config": {"name": "d", "units": 1.5}}`), keras.ErrFormat, "units"},
		{"units that overflow", sequential(`{"class_name": "Dense", "config": {"name": "d", "units": 1e300}}`), keras.ErrFormat, "units"},
		{"the wrong rank", sequential(`{"class_name": "Conv2D", "config": {"name": "c", "filters": 2, "kernel_size": 3}}`), keras.ErrFormat, "layer c (Conv2D)"},
		{"a cycle", functional(`{"class_name": "Dense", "config": {"units": 4}, "name": "d", "inbound_nodes": [[["d", 0, 0]]]}`, `[["d", 0, 0]]`), keras.ErrFormat, "feeds itself"},
		{"a missing layer", functional(`{"class_name": "Dense", "config": {"units": 4}, "name": "d", "inbound_nodes": [[["x", 0, 0]]]}`, `[["d", 0, 0]]`), keras.ErrFormat, `"x"`},
		{"a missing output", functional(`{"class_name": "Dense", "config": {"units": 4}, "name": "d", "inbound_nodes": [[["i", 0, 0]]]}`, `[["d", 0, 3]]`), keras.ErrFormat, "output 3"},
		{"shapes that do not broadcast", functional(`{"class_name": "Dense", "config": {"units": 3}, "name": "d", "inbound_nodes": [[["i", 0, 0]]]},
			{"class_name": "Add", "config": {"trainable": true}, "name": "a", "inbound_nodes": [[["i", 0, 0], ["d", 0, 0]]]}`, `[["a", 0, 0]]`), keras.ErrFormat, "broadcast"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := keras.FromConfig([]byte(tt.config))
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.text)
		})
	}
}

// TestSummary agrees with Keras on names, shapes and numbers of parameters.
func TestSummary(t *testing.T) {
	data, err := os.ReadFile("testdata/models/summary.json")
	require.NoError(t, err)
	var summaries map[string][]summaryRow
	require.NoError(t, json.Unmarshal(data, &summaries))
	require.NotEmpty(t, summaries)
	for file, rows := range summaries {
		m, err := keras.Load(filepath.Join("testdata/models", file))
		require.NoError(t, err, file)
		requireSummary(t, rows, m)
	}
}

// summaryRow is a row of model.summary() as scripts/keras_cases.py writes it: name, number of parameters, and output shape, which
// can be null.
type summaryRow [3]any

func requireSummary(t *testing.T, rows []summaryRow, m *keras.Model) {
	t.Helper()
	listed := m.Listed()
	require.Equal(t, rows[0][0], listed[0].Name, m.Name)
	for _, row := range rows {
		i := slices.IndexFunc(listed, func(l *keras.Layer) bool { return l.Name == row[0] })
		require.NotEqual(t, -1, i, "%s: %v", m.Name, row)
		listed = listed[i+1:] // operations stand between layers
		l, err := m.Layer(row[0].(string))
		require.NoError(t, err, m.Name)
		require.EqualValues(t, row[1], l.Parameters(), "%s, layer %s", m.Name, l.Name)
		shape, ok := row[2].([]any)
		if !ok {
			continue
		}
		got := l.StatedShapes()[0]
		require.Len(t, got, len(shape), "%s, layer %s", m.Name, l.Name)
		for i, d := range shape {
			if d == nil {
				d = -1.0
			}
			require.EqualValues(t, d, got[i], "%s, layer %s: %v", m.Name, l.Name, got)
		}
	}
}

// TestRegister supplies a class and a Lambda in Go.
func TestRegister(t *testing.T) {
	keras.Register("Test>Scale", func(c *keras.Call) ([]keras.Value, error) {
		x := c.Inputs[0]
		w := c.Weight("factor", tensor.Shape{x.Shape[1]}, true)
		return []keras.Value{c.Op("Mul", []keras.Value{x, w}, graph.Attrs{"T": x.DType}, x.DType, x.Shape)}, nil
	})
	keras.Register("Lambda:negate", func(c *keras.Call) ([]keras.Value, error) {
		if len(c.Inputs) != 1 {
			return nil, fmt.Errorf("%d inputs", len(c.Inputs))
		}
		x := c.Inputs[0]
		minus := c.Constant(tensor.Scalar[float32](-1))
		return []keras.Value{c.Op("Mul", []keras.Value{x, minus}, graph.Attrs{"T": x.DType}, x.DType, x.Shape)}, nil
	})
	m, err := keras.FromConfig([]byte(`{"class_name": "Sequential", "config": {"name": "s", "layers": [
		{"class_name": "InputLayer", "config": {"batch_shape": [null, 3], "name": "i"}},
		{"module": "m", "registered_name": "Test>Scale", "class_name": "Test>Scale", "config": {"name": "scale", "trainable": true}},
		{"class_name": "Lambda", "config": {"name": "negate", "trainable": true}}]}}`))
	require.NoError(t, err)
	require.Equal(t, 3, m.Parameters())
	require.NoError(t, m.SetWeights([]*tensor.Tensor{tensor.Must(tensor.Of([]float32{1, 2, 3}))}))
	g, err := m.Graph()
	require.NoError(t, err)
	require.Contains(t, g.Variables, "scale/factor")
	var constants []*tensor.Tensor
	for _, n := range g.Def.Node {
		if n.Op == "Const" {
			constants = append(constants, tensor.Must(graph.Value(n)))
		}
	}
	require.Equal(t, []*tensor.Tensor{tensor.Scalar[float32](-1)}, constants)
}

// TestNewSequential makes a model of each layer that has a function of its own.
func TestNewSequential(t *testing.T) {
	m, err := keras.NewSequential("all", keras.Input(2, 3), keras.Rescaling(2, 1), keras.Reshape(3, 2), keras.LayerNormalization(), keras.Flatten(),
		keras.BatchNormalization(), keras.Activation("relu"), keras.Dropout(0.5), keras.Dense(4, "").With("name", "scores"))
	require.NoError(t, err)
	require.Equal(t, "all", m.Config().String("name", ""))
	require.Equal(t, 2*2+4*6+6*4+4, m.Parameters())
	var got []string
	for _, l := range m.Listed() {
		got = append(got, fmt.Sprint(l.Name, " ", l.Class, " ", l.OutputShapes[0]))
	}
	require.Equal(t, []string{"rescaling Rescaling [?,2,3]", "reshape Reshape [?,3,2]", "layer_normalization LayerNormalization [?,3,2]", "flatten Flatten [?,6]",
		"batch_normalization BatchNormalization [?,6]", "activation Activation [?,6]", "dropout Dropout [?,6]", "scores Dense [?,4]"}, got)
	_, err = keras.NewSequential("no", keras.Input(4), keras.Reshape(3))
	require.ErrorIs(t, err, keras.ErrFormat)
	_, err = keras.NewSequential("no", keras.Input(4), keras.Activation("warp"))
	require.ErrorIs(t, err, keras.ErrUnsupported)
}

// TestSetWeights refuses what does not fit and leaves the model as it was.
func TestSetWeights(t *testing.T) {
	m := classifier(t)
	before := m.Weights()
	for name, values := range map[string][]*tensor.Tensor{
		"too few":    before[:1],
		"wrong size": append([]*tensor.Tensor{before[1]}, before[1:]...),
		"nil":        append([]*tensor.Tensor{nil}, before[1:]...),
	} {
		require.ErrorIs(t, m.SetWeights(values), keras.ErrWeights, name)
		require.Equal(t, before, m.Weights(), name)
	}
}
