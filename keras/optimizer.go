package keras

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// The optimizer's state has three layouts. n is the number of trainable variables, k that of slots (Adam: momentum, velocity):
//
//	Keras 3            iterations, learning rate, then the slots as slotOrder has them
//	tf.keras           iterations, then the slots as slotOrder has them
//	tf.keras' legacy   iterations, then the first slot of all n variables, the second slot of all …
//
// Keras 2 has the legacy layout.

// SetOptimizer records the optimizer with which the model was trained: its class ("Adam"), its configuration, the number of
// steps and its slots, each with one tensor for every trainable variable in the order of [Model.Variables]: momentum for
// SGD; momentum and velocity for Adam; velocity for RMSprop. The slots are shared, not copied.
func (m *Model) SetOptimizer(class string, config Config, iterations int64, slots ...[]*tensor.Tensor) error {
	vars := m.trainable()
	rate, ok := number(config["learning_rate"])
	if !ok {
		return fmt.Errorf("%w: an optimizer without a learning_rate", ErrFormat)
	}
	state := []NamedTensor{{"iteration", tensor.Scalar(iterations)}, {"learning_rate", tensor.Scalar(float32(rate))}}
	for k, slot := range slots {
		if len(slot) != len(vars) {
			return fmt.Errorf("%w: slot %d of %s has %d tensors, the model has %d trainable variables", ErrWeights, k, class, len(slot), len(vars))
		}
		for i, v := range vars {
			if slot[i] == nil || !slices.Equal(slot[i].Shape(), v.Shape) {
				return fmt.Errorf("%w: slot %d of %s for %s is %v, %v is needed", ErrWeights, k, class, v.Path, slot[i], v.Shape)
			}
		}
	}
	for _, at := range slotOrder(class, len(slots), len(vars)) {
		state = append(state, NamedTensor{slotName(class, at.slot, vars[at.variable]), slots[at.slot][at.variable]})
	}
	if m.Compile == nil {
		m.Compile = &Compile{}
	}
	m.Compile.Optimizer, m.Compile.OptimizerConfig, m.OptimizerState = class, config, state
	return nil
}

// OptimizerSlots returns the optimizer's state as SetOptimizer takes it. Error: [ErrFormat] if the model has none, or if it
// does not fit the variables.
func (m *Model) OptimizerSlots() (iterations int64, slots [][]*tensor.Tensor, err error) {
	vars, state := m.trainable(), m.OptimizerState
	bad := fmt.Errorf("%w: the optimizer's state (%d tensors) does not fit %d trainable variables", ErrFormat, len(state), len(vars))
	if len(state) == 0 || state[0].Value.Len() != 1 || len(vars) == 0 {
		return 0, nil, bad
	}
	n, err := state[0].Value.Cast(tensor.Int64)
	if err != nil {
		return 0, nil, bad
	}
	count, err := tensor.Data[int64](n)
	if err != nil {
		return 0, nil, bad
	}
	rest := state[1:]
	interleaved := m.Compile != nil && m.Compile.OptimizerConfig["is_legacy_optimizer"] == false
	if len(rest) > 0 && rest[0].Value.Rank() == 0 && len(rest)%len(vars) == 1%len(vars) {
		rest, interleaved = rest[1:], true
	}
	k := len(rest) / len(vars)
	if k*len(vars) != len(rest) {
		return 0, nil, bad
	}
	class := ""
	if interleaved && m.Compile != nil {
		class = optimizerClass(m.Compile.Optimizer)
	}
	slots = make([][]*tensor.Tensor, k)
	for j := range slots {
		slots[j] = make([]*tensor.Tensor, len(vars))
	}
	for i, at := range slotOrder(class, k, len(vars)) {
		t := rest[i].Value
		if !slices.Equal(t.Shape(), vars[at.variable].Shape) {
			return 0, nil, bad
		}
		slots[at.slot][at.variable] = t
	}
	return count[0], slots, nil
}

// LearningRate is the learning rate in the optimizer's state, which can be another than that of the configuration; false where
// the state has none, as that of tf.keras.
func (m *Model) LearningRate() (float64, bool) {
	if len(m.OptimizerState) < 2 || m.OptimizerState[1].Value.Rank() != 0 || len(m.trainable()) == 1 && m.trainable()[0].Shape.Equal(tensor.Shape{}) {
		return 0, false
	}
	t, err := m.OptimizerState[1].Value.Cast(tensor.Float64)
	if err != nil {
		return 0, false
	}
	v, err := tensor.Data[float64](t)
	if err != nil {
		return 0, false
	}
	return v[0], true
}

// place is one tensor of an optimizer's state.
type place struct{ slot, variable int }

// pairs are the optimizers that make their first two slots together, variable by variable.
var pairs = []string{"adam", "adamw", "adamax", "nadam", "lamb", "ftrl", "adadelta"}

// slotOrder is the order in which an optimizer makes its slots: the first two together, or each over all variables.
func slotOrder(class string, slots, variables int) []place {
	var order []place
	first := 0
	if slots >= 2 && slices.Contains(pairs, strings.ToLower(class)) {
		first = 2
		for v := range variables {
			order = append(order, place{0, v}, place{1, v})
		}
	}
	for s := first; s < slots; s++ {
		for v := range variables {
			order = append(order, place{s, v})
		}
	}
	return order
}

func (m *Model) trainable() []*Variable {
	var out []*Variable
	for _, v := range m.Variables() {
		if v.Trainable && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// slotNames are Keras's names of the slots.
var slotNames = map[string][]string{"adam": {"momentum", "velocity"}, "adamw": {"momentum", "velocity"}, "sgd": {"momentum"},
	"rmsprop": {"velocity", "momentum"}, "nadam": {"momentum", "velocity"}, "adamax": {"momentum", "norm"}}

func slotName(class string, k int, v *Variable) string {
	name := "slot" + strconv.Itoa(k)
	if names := slotNames[strings.ToLower(class)]; k < len(names) {
		name = names[k]
	}
	return strings.ToLower(class) + "/" + strings.ReplaceAll(v.Path, "/", "_") + "_" + name
}

// stateFor is the optimizer's state in the layout of Keras 3 or of the legacy optimizers; as it is, where it is unknown.
func (m *Model) stateFor(legacy bool) []NamedTensor {
	iterations, slots, err := m.OptimizerSlots()
	if err != nil || m.Compile == nil {
		return m.OptimizerState
	}
	class, vars := optimizerClass(m.Compile.Optimizer), m.trainable()
	if !legacy {
		c := &Model{Layers: m.Layers}
		config := m.optimizerConfig(false)
		if _, ok := number(config["learning_rate"]); !ok {
			config = Config{"learning_rate": 0.001} // a schedule: Keras computes the rate
		}
		if c.SetOptimizer(class, config, iterations, slots...) != nil {
			return m.OptimizerState
		}
		return c.OptimizerState
	}
	out := []NamedTensor{{class + "/iter", tensor.Scalar(iterations)}}
	for k, slot := range slots {
		for i, t := range slot {
			out = append(out, NamedTensor{slotName(class, k, vars[i]), t})
		}
	}
	return out
}

// optimizerSettings are the settings that an optimizer has in Keras 3 and in tf.keras' legacy optimizers, as which tf.keras
// opens an HDF5 file that does not say otherwise.
var optimizerSettings = map[string][]string{
	"adam": {"learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad"}, "sgd": {"learning_rate", "momentum", "nesterov"},
	"rmsprop": {"learning_rate", "rho", "momentum", "epsilon", "centered"}, "adagrad": {"learning_rate", "initial_accumulator_value", "epsilon"},
	"adadelta": {"learning_rate", "rho", "epsilon"}, "adamax": {"learning_rate", "beta_1", "beta_2", "epsilon"},
	"nadam": {"learning_rate", "beta_1", "beta_2", "epsilon"},
}

// optimizerClass is the class name of an optimizer, without the package by which tf.keras qualifies it.
func optimizerClass(name string) string {
	if _, short, ok := strings.Cut(name, ">"); ok {
		name = short
	}
	for _, c := range []string{"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Adafactor", "Lion", "Lamb", "Muon"} {
		if strings.EqualFold(c, name) {
			return c
		}
	}
	return name
}

// optimizerConfig is the optimizer's configuration as Keras 3 takes it; common leaves only what tf.keras takes, too.
func (m *Model) optimizerConfig(common bool) Config {
	out := Config{}
	allowed := optimizerSettings[strings.ToLower(optimizerClass(m.Compile.Optimizer))]
	for k, v := range m.Compile.OptimizerConfig {
		if k == "lr" {
			k = "learning_rate"
		}
		switch {
		case v == nil || k == "is_legacy_optimizer" || k == "jit_compile" || k == "decay" || k == "name":
		case common && allowed != nil && !slices.Contains(allowed, k) && !strings.HasPrefix(k, "clip") && k != "global_clipnorm":
		default:
			out[k] = v
		}
	}
	return out
}

// fullNames are losses and metrics whose short names Keras 3 does not find when it opens an HDF5 file.
var fullNames = map[string]string{"mse": "mean_squared_error", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
	"msle": "mean_squared_logarithmic_error", "kld": "kl_divergence", "kullback_leibler_divergence": "kl_divergence", "cosine_proximity": "cosine_similarity"}

// writtenLoss is a loss as both Keras 3 and tf.keras read it.
func writtenLoss(v any) any {
	switch v := v.(type) {
	case string:
		if full, ok := fullNames[strings.ToLower(v)]; ok {
			return full
		}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = writtenLoss(x)
		}
		return out
	case map[string]any:
		class, config, ok := objectOf(v)
		if _, name := v["config"].(string); ok && name {
			return v // a function of the user's own, by name
		}
		out := map[string]any{}
		if !ok {
			for k, x := range v {
				out[k] = writtenLoss(x)
			}
			return out
		}
		for k, x := range config {
			if x != nil && k != "fn" && k != "dtype" && !(k == "reduction" && x == "auto") && !(k == "axis" && x == -1.0) {
				out[k] = x
			}
		}
		return map[string]any{"module": "keras.losses", "class_name": class, "config": out, "registered_name": nil}
	}
	return v
}

// writtenMetrics keeps the metrics that are plain names; other forms differ from version to version.
func writtenMetrics(v any) any {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	var out []any
	for _, x := range list {
		switch x := x.(type) {
		case string:
			out = append(out, writtenLoss(x))
		case []any:
			if inner, ok := writtenMetrics(x).([]any); ok {
				out = append(out, inner...)
			}
		}
	}
	if out == nil {
		return nil
	}
	return out
}

// realNumber is a JSON number that Python reads as a float even where it is whole.
type realNumber float64

// MarshalJSON writes 0 as 0.0.
func (f realNumber) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(float64(f))
	if err == nil && !strings.ContainsAny(string(b), ".e") {
		b = append(b, ".0"...)
	}
	return b, err
}

// realSettings are settings of layers, optimizers and regularizers that Python expects as floats.
var realSettings = []string{"learning_rate", "momentum", "rho", "beta_1", "beta_2", "epsilon", "weight_decay", "ema_momentum", "rate", "dropout",
	"recurrent_dropout", "alpha", "negative_slope", "threshold", "max_value", "l1", "l2", "stddev", "mask_value", "theta", "mean", "gain", "factor",
	"initial_accumulator_value", "learning_rate_power", "renorm_momentum", "fill_value", "label_smoothing", "initial_learning_rate", "decay_rate"}

// reals marks such settings anywhere in a configuration.
func reals(v any) any {
	switch v := v.(type) {
	case Config:
		return reals(map[string]any(v))
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			if f, ok := x.(float64); ok && slices.Contains(realSettings, k) && !(k == "mask_value" && v["num_bins"] != nil) { // Hashing's is a token
				out[k] = realNumber(f)
				continue
			}
			out[k] = reals(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = reals(x)
		}
		return out
	}
	return v
}
