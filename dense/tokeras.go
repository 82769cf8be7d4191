package dense

import (
	"fmt"
	"strings"

	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// Store gives a Keras model, the one that m was made from or one of the same layers, m's weights and, if m is compiled, its
// loss, metrics and optimizer with the optimizer's state. From what keras.Write then writes, Python goes on training as m would. A
// learning rate schedule is stored as the rate that it has now.
func (m *Model) Store(k *keras.Model) error {
	if k == nil {
		return fmt.Errorf("dense: %w: there is no Keras model to store the weights in", train.ErrOption)
	}
	weights, err := m.Weights(true)
	if err != nil {
		return err
	}
	values := make([]*tensor.Tensor, len(weights))
	for i, w := range weights {
		values[i] = w.Value
	}
	if err := k.SetWeights(values); err != nil {
		return err
	}
	if !m.compiled {
		return nil
	}
	state, err := m.State()
	if err != nil {
		return err
	}
	variables, _ := m.slotVariables()
	slots := make([][]*tensor.Tensor, len(m.optimizer.Slots()))
	for _, kind := range []int{0, 1, 2} { // slot by slot, each over the variables in order
		for i, v := range variables {
			if v.Slot == kind {
				slots[kind] = append(slots[kind], state.Slots[i].Value)
			}
		}
	}
	class, config := kerasOptimizer(m.optimizer, state.LearningRate)
	if err := k.SetOptimizer(class, config, state.Iterations, slots...); err != nil {
		return err
	}
	k.Compile.Loss, k.Compile.Metrics = kerasLoss(m.loss), nil
	var names []any
	for _, metric := range m.metrics {
		names = append(names, metric.Name())
	}
	if names != nil {
		k.Compile.Metrics = names
	}
	return nil
}

// optimizerClasses are Keras's classes.
var optimizerClasses = map[train.OptimizerName]string{train.SGDName: "SGD", train.RMSpropName: "RMSprop", train.AdagradName: "Adagrad",
	train.AdamName: "Adam", train.AdamWName: "AdamW"}

// optimizerSettings are the fields of an optimizer, by Keras's names.
func optimizerSettings(o *train.Optimizer) map[string]any {
	settings := map[string]any{"weight_decay": &o.WeightDecay, "clipnorm": &o.ClipNorm, "global_clipnorm": &o.GlobalClipNorm, "clipvalue": &o.ClipValue}
	if o.Name != train.SGDName {
		settings["epsilon"] = &o.Epsilon
	}
	switch o.Name {
	case train.SGDName:
		settings["momentum"], settings["nesterov"] = &o.Momentum, &o.Nesterov
	case train.RMSpropName:
		settings["rho"], settings["momentum"], settings["centered"] = &o.Rho, &o.Momentum, &o.Centered
	case train.AdagradName:
		settings["initial_accumulator_value"] = &o.InitialAccumulator
	case train.AdamName, train.AdamWName:
		settings["beta_1"], settings["beta_2"], settings["amsgrad"] = &o.Beta1, &o.Beta2, &o.AMSGrad
	}
	return settings
}

// kerasOptimizer writes an optimizer as Keras's class and configuration. What is off is left out, as Keras takes it for off.
func kerasOptimizer(o train.Optimizer, rate float64) (class string, c keras.Config) {
	c = keras.Config{"learning_rate": rate}
	for key, field := range optimizerSettings(&o) {
		switch v := field.(type) {
		case *float64:
			if *v != 0 || !strings.HasPrefix(key, "clip") && key != "weight_decay" && key != "global_clipnorm" {
				c[key] = *v
			}
		case *bool:
			c[key] = *v
		}
	}
	return optimizerClasses[o.Name], c
}

// kerasLoss writes a loss by its name or, where it has settings, as an object.
func kerasLoss(l train.Loss) any {
	config := map[string]any{}
	if l.FromLogits {
		config["from_logits"] = true
	}
	if l.LabelSmoothing != 0 && l.Name != train.SparseCategoricalCrossentropy {
		config["label_smoothing"] = l.LabelSmoothing
	}
	if l.Delta != 0 {
		config["delta"] = l.Delta
	}
	if len(config) == 0 {
		return string(l.Name)
	}
	class := ""
	for word := range strings.SplitSeq(string(l.Name), "_") {
		class += strings.ToUpper(word[:1]) + word[1:]
	}
	return map[string]any{"class_name": class, "config": config}
}

// CompileLike compiles m with the loss and the optimizer that a Keras model was compiled with, and gives the optimizer the state
// that the file has: training goes on where Python left it.
//
// Errors wrap ErrUnsupported and say what the native engine does not have: another optimizer, a learning rate schedule, another
// loss.
func (m *Model) CompileLike(k *keras.Model, metrics ...train.Metric) error {
	if k.Compile == nil {
		return fmt.Errorf("%w: the Keras model %s was not compiled", ErrUnsupported, k.Name)
	}
	o, err := nativeOptimizer(k.Compile)
	if err != nil {
		return err
	}
	l, err := nativeLoss(k.Compile.Loss)
	if err != nil {
		return err
	}
	if err := m.Compile(o, l, metrics...); err != nil || len(k.OptimizerState) == 0 {
		return err
	}
	iterations, slots, err := k.OptimizerSlots()
	if err != nil {
		return err
	}
	variables, _ := m.slotVariables()
	state := train.State{Iterations: iterations, LearningRate: o.LearningRate}
	if rate, ok := k.LearningRate(); ok {
		state.LearningRate = rate
	}
	for _, v := range variables {
		if v.Slot >= len(slots) || v.Variable >= len(slots[v.Slot]) {
			return fmt.Errorf("%w: the state of %s has %d slots of variables, %s is missing", ErrUnsupported, k.Compile.Optimizer, len(slots), v.Name)
		}
		value, err := slots[v.Slot][v.Variable].Cast(tensor.Float32)
		if err != nil {
			return err
		}
		state.Slots = append(state.Slots, train.Weight{Name: v.Name, Value: value})
	}
	return m.SetState(state)
}

// nativeOptimizer reads Keras's class and configuration of an optimizer.
func nativeOptimizer(c *keras.Compile) (train.Optimizer, error) {
	class := c.Optimizer[strings.LastIndexByte(c.Optimizer, '>')+1:]
	config := c.OptimizerConfig
	rate, ok := config["learning_rate"].(float64)
	if !ok {
		if rate, ok = config["lr"].(float64); !ok { // as Keras 1 and 2 say
			return train.Optimizer{}, fmt.Errorf("%w: the learning rate %v of %s", ErrUnsupported, config["learning_rate"], class)
		}
	}
	o, err := train.ParseOptimizer(class, rate)
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	for key, field := range optimizerSettings(&o) {
		switch f := field.(type) {
		case *float64:
			if v, ok := config[key].(float64); ok {
				*f = v
			}
		case *bool:
			if v, ok := config[key].(bool); ok {
				*f = v
			}
		}
	}
	return o, nil
}

// nativeLoss reads a loss of a training configuration: a name, or an object.
func nativeLoss(v any) (train.Loss, error) {
	switch v := v.(type) {
	case string:
		l, err := train.ParseLoss(v)
		if err != nil {
			return l, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
		return l, nil
	case map[string]any:
		class, _ := v["class_name"].(string)
		config, _ := v["config"].(map[string]any)
		for _, name := range []train.LossName{train.MeanSquaredError, train.MeanAbsoluteError, train.Huber, train.LogCosh, train.BinaryCrossentropy,
			train.CategoricalCrossentropy, train.SparseCategoricalCrossentropy} {
			if !strings.EqualFold(strings.ReplaceAll(string(name), "_", ""), class) {
				continue
			}
			l := train.Loss{Name: name}
			l.FromLogits, _ = config["from_logits"].(bool)
			l.LabelSmoothing, _ = config["label_smoothing"].(float64)
			l.Delta, _ = config["delta"].(float64)
			return l, l.Validate()
		}
	}
	return train.Loss{}, fmt.Errorf("%w: the loss %v", ErrUnsupported, v)
}
