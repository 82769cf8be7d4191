package train

import (
	"fmt"
	"math"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// OptimizerName is Keras's name of an optimizer, in lower case.
type OptimizerName string

// The optimizers; keras/src/optimizers/NAME.py has each one's formula, Optimizer.Update writes it out.
const (
	SGDName     OptimizerName = "sgd" // with Momentum and Nesterov
	RMSpropName OptimizerName = "rmsprop"
	AdagradName OptimizerName = "adagrad"
	AdamName    OptimizerName = "adam"
	AdamWName   OptimizerName = "adamw" // Adam with WeightDecay set
)

// Optimizer describes an optimizer as keras.optimizers does. Make one with SGD, Momentum, RMSprop, Adagrad, Adam or AdamW,
// which fill in Keras's defaults, and change its fields.
type Optimizer struct {
	Name         OptimizerName
	LearningRate float64
	Schedule     Schedule // where set, it gives the learning rate of each step and LearningRate is not used

	Momentum           float64 // SGD, RMSprop
	Nesterov           bool    // SGD
	Rho                float64 // RMSprop
	Centered           bool    // RMSprop
	InitialAccumulator float64 // Adagrad
	Beta1, Beta2       float64 // Adam, AdamW
	AMSGrad            bool    // Adam, AdamW
	Epsilon            float64 // all but SGD

	// WeightDecay w subtracts learning rate · w · variable from every trainable variable before the update (decoupled weight
	// decay, every optimizer).
	WeightDecay float64
	// ClipNorm scales each variable's gradient to at most this L2 norm, GlobalClipNorm all of them together; ClipValue cuts
	// each element to [-ClipValue, ClipValue]. 0 is off; one of the three at most.
	ClipNorm, GlobalClipNorm, ClipValue float64
}

// SGD returns stochastic gradient descent; Keras's default learning rate is 0.01.
func SGD(learningRate float64) Optimizer {
	return Optimizer{Name: SGDName, LearningRate: learningRate}
}

// Momentum returns SGD with momentum (0.9 is usual).
func Momentum(learningRate, momentum float64) Optimizer {
	return Optimizer{Name: SGDName, LearningRate: learningRate, Momentum: momentum}
}

// Nesterov returns SGD with Nesterov's momentum.
func Nesterov(learningRate, momentum float64) Optimizer {
	return Optimizer{Name: SGDName, LearningRate: learningRate, Momentum: momentum, Nesterov: true}
}

// RMSprop returns RMSprop with rho 0.9 and epsilon 1e-7; Keras's default learning rate is 0.001.
func RMSprop(learningRate float64) Optimizer {
	return Optimizer{Name: RMSpropName, LearningRate: learningRate, Rho: 0.9, Epsilon: Epsilon}
}

// Adagrad returns Adagrad with an initial accumulator of 0.1 and epsilon 1e-7; Keras's default learning rate is 0.001.
func Adagrad(learningRate float64) Optimizer {
	return Optimizer{Name: AdagradName, LearningRate: learningRate, InitialAccumulator: 0.1, Epsilon: Epsilon}
}

// Adam returns Adam with beta 0.9 and 0.999 and epsilon 1e-7; Keras's default learning rate is 0.001.
func Adam(learningRate float64) Optimizer {
	return Optimizer{Name: AdamName, LearningRate: learningRate, Beta1: 0.9, Beta2: 0.999, Epsilon: Epsilon}
}

// AdamW returns Adam with decoupled weight decay 0.004; Keras's default learning rate is 0.001.
func AdamW(learningRate float64) Optimizer {
	o := Adam(learningRate)
	o.Name, o.WeightDecay = AdamWName, 0.004
	return o
}

// ParseOptimizer returns the optimizer with the given name, as the commands spell it: sgd, momentum (SGD with 0.9),
// nesterov, rmsprop, adagrad, adam or adamw. A learning rate of 0 means Keras's default.
func ParseOptimizer(name string, learningRate float64) (Optimizer, error) {
	rate := func(standard float64) float64 {
		if learningRate == 0 {
			return standard
		}
		return learningRate
	}
	var o Optimizer
	switch strings.ToLower(name) {
	case "sgd":
		o = SGD(rate(0.01))
	case "momentum":
		o = Momentum(rate(0.01), 0.9)
	case "nesterov":
		o = Nesterov(rate(0.01), 0.9)
	case "rmsprop":
		o = RMSprop(rate(0.001))
	case "adagrad":
		o = Adagrad(rate(0.001))
	case "adam":
		o = Adam(rate(0.001))
	case "adamw":
		o = AdamW(rate(0.001))
	default:
		return o, fmt.Errorf("%w: unknown optimizer %q: the optimizers are sgd, momentum, nesterov, rmsprop, adagrad, adam and adamw",
			ErrOption, name)
	}
	return o, o.Validate()
}

// Validate returns an error that wraps ErrOption if the optimizer is unknown or a number is out of its range.
func (o Optimizer) Validate() error {
	switch o.Name {
	case SGDName, RMSpropName, AdagradName, AdamName, AdamWName:
	default:
		return fmt.Errorf("%w: unknown optimizer %q", ErrOption, o.Name)
	}
	check := func(what string, v float64, ok bool) error {
		if ok && !math.IsInf(v, 0) {
			return nil
		}
		return fmt.Errorf("%w: %s: %s %v is out of range", ErrOption, o.Name, what, v)
	}
	clips := 0
	for _, c := range []float64{o.ClipNorm, o.GlobalClipNorm, o.ClipValue} {
		if c != 0 {
			clips++
		}
	}
	if clips > 1 {
		return fmt.Errorf("%w: only one of clipnorm, global_clipnorm and clipvalue can be set", ErrOption)
	}
	for _, err := range []error{
		check("learning rate", o.LearningRate, o.LearningRate >= 0 && (o.LearningRate > 0 || o.Schedule != nil)),
		check("momentum", o.Momentum, o.Momentum >= 0 && o.Momentum <= 1),
		check("rho", o.Rho, o.Rho >= 0 && o.Rho < 1),
		check("beta_1", o.Beta1, o.Beta1 >= 0 && o.Beta1 < 1),
		check("beta_2", o.Beta2, o.Beta2 >= 0 && o.Beta2 < 1),
		check("epsilon", o.Epsilon, o.Epsilon >= 0),
		check("initial_accumulator_value", o.InitialAccumulator, o.InitialAccumulator >= 0),
		check("weight_decay", o.WeightDecay, o.WeightDecay >= 0),
		check("clipnorm", o.ClipNorm, o.ClipNorm >= 0),
		check("global_clipnorm", o.GlobalClipNorm, o.GlobalClipNorm >= 0),
		check("clipvalue", o.ClipValue, o.ClipValue >= 0),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// Slots returns the names of the state that the optimizer keeps for each variable, in the order that Update takes them.
func (o Optimizer) Slots() []string {
	var s []string
	switch o.Name {
	case SGDName:
		if o.Momentum != 0 {
			s = append(s, "momentum")
		}
	case RMSpropName:
		s = append(s, "velocity")
		if o.Momentum > 0 {
			s = append(s, "momentum")
		}
		if o.Centered {
			s = append(s, "average_gradient")
		}
	case AdagradName:
		s = append(s, "accumulator")
	case AdamName, AdamWName:
		s = append(s, "momentum", "velocity")
		if o.AMSGrad {
			s = append(s, "velocity_hat")
		}
	}
	return s
}

// InitialSlot returns the value that every element of a slot starts with.
func (o Optimizer) InitialSlot(slot string) float32 {
	if slot == "accumulator" {
		return float32(o.InitialAccumulator)
	}
	return 0
}

// SlotVariable is one variable of an optimizer: a slot of one model variable.
type SlotVariable struct {
	Variable int          // index into the trainable variables
	Slot     int          // index into Slots
	Name     string       // Keras's name: "sequential_dense_kernel_momentum"
	Shape    tensor.Shape // the model variable's
}

// SlotVariables returns the slots of trainable variables in the order of Keras's optimizer.variables, after its iteration
// and learning_rate: Adam's momentum and velocity alternate, every other slot runs over all variables before the next.
func (o Optimizer) SlotVariables(trainable []Weight) []SlotVariable {
	slots := o.Slots()
	var list []SlotVariable
	add := func(v, s int) {
		name := strings.ReplaceAll(trainable[v].Name, "/", "_") + "_" + slots[s]
		list = append(list, SlotVariable{Variable: v, Slot: s, Name: name, Shape: trainable[v].Value.Shape()})
	}
	first := 0
	if o.Name == AdamName || o.Name == AdamWName {
		first = 2
		for v := range trainable {
			add(v, 0)
			add(v, 1)
		}
	}
	for s := first; s < len(slots); s++ {
		for v := range trainable {
			add(v, s)
		}
	}
	return list
}
