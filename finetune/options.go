package finetune

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/train"
)

// Errors that callers branch on; errors of this package wrap them with what was wrong and where.
var (
	// ErrOption says that a setting is out of its range or does not fit another one.
	ErrOption = errors.New("wrong setting")
	// ErrData says that the data cannot be read or trained on.
	ErrData = errors.New("wrong data")
	// ErrUnsupported says that this build or this version cannot do what was asked.
	ErrUnsupported = errors.New("not supported")
)

// Options say what to train on what. Start from Default or, with a base, from DefaultHead, whose values are the defaults named
// here, and set Data, Out and Base; where a default is not named, it is the zero value.
type Options struct {
	// Base is the model whose features are used: a SavedModel's directory, a frozen graph, a .keras or .h5 file; or "none", Default's,
	// to train a multi-layer perceptron on the data itself. A base takes one batch of images, as float32; a SavedModel or a frozen
	// graph may take them as uint8 of 0 … 255, too.
	Base string
	// Data is a folder with one sub-folder of images per class, a folder of IDX files, a .csv file, "mnist" or
	// "fashion-mnist". It has no default.
	Data string
	// Out is the directory that everything is written to. It is made if it is not there. It has no default.
	Out string
	// Target is the label's column of a CSV file; "" is the last one.
	Target string

	Hyperparameters
	// ValidationSplit is the fraction of the training data held out, stratified by class. Data that bring a validation
	// set of their own are not split. 0 holds nothing out. Default: 0.1.
	ValidationSplit float64
	// Patience ends training when the validation loss has not fallen for so many epochs, and puts the best epoch's weights
	// back; after half as many epochs the learning rate is cut to 0.3 of itself. 0 trains all epochs at one learning rate
	// and keeps the last weights. Default: 5, of DefaultHead 20.
	Patience int
	// ClassWeights is "" or "balanced": every class counts the same in the loss.
	ClassWeights string
	// Layer names the layer or node of the base whose output is its features; "" finds them.
	Layer string
	// Unfreeze says which layers of the base are trained too, once the head has been: "" or "none", "all", a number N for the last N
	// that have weights, or the name of a layer for it and all after it. The head is trained on with them. It takes TensorFlow's
	// kernels, whatever Engine is.
	Unfreeze string
	// UnfreezeEpochs and UnfreezeLearningRate are those of that second training; 0 means 10, and a hundredth of the optimizer's
	// usual rate (Adam: 1e-5).
	UnfreezeEpochs       int
	UnfreezeLearningRate float64
	// UnfreezeBatchNorm lets the batch normalization of unfrozen layers normalize by the batch and move its statistics;
	// otherwise it goes on with those it has. It needs a Keras file as base.
	UnfreezeBatchNorm bool
	// Preprocess says how the base wants its images, by the names of images.ParsePreprocess; "" asks the base's files.
	Preprocess string
	// Cache is the folder that features are kept in; "" is a folder of the user's cache.
	Cache string
	// Device is "auto", "cpu", "gpu" or "gpu:N", for what runs on TensorFlow; "" is auto.
	Device string
	// Seed settles the split, the first weights, the shuffling, the dropout and the variants of images. Default: 1.
	Seed uint64
	// ImageSize is the side in pixels that images are resized to; 0 means what the base takes, and 28 for a folder of images without
	// one.
	ImageSize int

	// Engine is what trains the network, or the head: "auto", "native" or "tensorflow". Auto, the default, is native: it is the
	// faster for networks of this kind. Bases run, and are trained, on TensorFlow.
	Engine string
	// Compare trains the network on both engines too, from the same weights over the same batches, and reports how far apart
	// they end.
	Compare bool
	// Threads is the number of threads to compute with; 0 chooses.
	Threads int
	// Resume goes on from Out's checkpoint, if there is one.
	Resume bool
	// Tune tries so many settings of the hyperparameters that are not in Given, then trains with the best; 0 does not.
	Tune int
	// Given names the hyperparameters that Tune leaves as they are, by their JSON names.
	Given []string

	// Log gets a line for each thing that a person should know: skipped files, what is fetched, overfitting. nil: nothing does.
	Log io.Writer
	// OnFeatures hears how many images have gone through the base, or have been read to train on; with more of them to come it begins
	// anew.
	OnFeatures func(done, all int)
	// OnProgress and OnEpoch follow the training, as train.Config's.
	OnProgress func(train.Progress)
	OnEpoch    func(train.Epoch) error
}

// Hyperparameters are what a person sets before training, as opposed to the weights, which training finds.
type Hyperparameters struct {
	// Epochs is how often the training data are gone through. Default: 10, of DefaultHead 200 at most, see Options.Patience.
	Epochs int `json:"epochs"`
	// Batch is the number of samples a step. Default: 128, of DefaultHead 32.
	Batch int `json:"batch"`
	// LearningRate is the size of a step; 0 means the optimizer's usual: 0.001, of SGD and momentum 0.01. Default: 0.001.
	LearningRate float64 `json:"learning_rate"`
	// Optimizer is "sgd", "momentum", "rmsprop", "adam", the default, or "adamw".
	Optimizer string `json:"optimizer"`
	// Loss is what is minimized, by Keras's names; "" suits the data: cross-entropy for classes, the mean squared error for numbers.
	Loss string `json:"loss"`
	// Hidden are the units of the hidden layers. Default: one of 128, of DefaultHead none.
	Hidden []int `json:"hidden"`
	// Activation is that of the hidden layers. Default: "relu".
	Activation string `json:"activation"`
	// Dropout is the share of the hidden layers' outputs that is dropped while training.
	Dropout float64 `json:"dropout"`
	// L1 and L2 are penalties on the kernels. DefaultHead's L2 is AutoL2.
	L1 float64 `json:"l1"`
	L2 float64 `json:"l2"`
	// LabelSmoothing is the share of a label that is spread over all classes.
	LabelSmoothing float64 `json:"label_smoothing"`
	// Warmup is the number of epochs in which the learning rate rises from nearly 0 to LearningRate.
	Warmup float64 `json:"warmup,omitempty"`
	// Decay is "plateau": the learning rate is cut when the validation loss stops falling; "cosine": it falls to 0 along half a
	// cosine; "none"; or "" for plateau without a warm-up, and none after one.
	Decay string `json:"decay,omitempty"`
	// Augment says how variants of training images are made, and AugmentVariants how many of each, 4 by default; the zero Augment makes
	// none. They are made once, or, for a training of the base, anew for each epoch.
	Augment         images.Augmentation `json:"augment,omitzero"`
	AugmentVariants int                 `json:"augment_variants,omitempty"`
}

// Default returns the settings that Run starts from: 784-128-10 on MNIST with Adam, a tenth held out.
func Default() Options {
	return Options{
		Base: "none", Engine: "auto", ValidationSplit: 0.1, Patience: 5, Seed: 1,
		Hyperparameters: Hyperparameters{Epochs: 10, Batch: 128, LearningRate: 0.001, Optimizer: "adam", Hidden: []int{128}, Activation: "relu", AugmentVariants: 4},
	}
}

// AutoL2 is the value of Hyperparameters.L2 that lets Run choose the penalty of a head by the number of features and that of the
// training samples.
const AutoL2 = -1

// headC is the inverse strength of the penalty that AutoL2 stands for, in scikit-learn's terms: LogisticRegression(C=10) on
// features whose variances sum to 1.
const headC = 10

// DefaultHead returns the settings that a head on a base's features starts from: one Dense layer with softmax, a logistic
// regression, trained until the validation loss stops falling.
func DefaultHead() Options {
	o := Default()
	o.Hidden, o.Epochs, o.Batch, o.Patience, o.L2 = nil, 200, 32, 20, AutoL2
	return o
}

// chooseL2 puts a number in place of AutoL2. The loss is a mean over samples where scikit-learn's is a sum, so that its
// 1/(2C) becomes 1/(2C·samples); features of variance 1 each, not 1 in all, take a penalty larger by their number. A head with
// hidden layers gets none: early stopping and dropout are its regularization.
func (h *Hyperparameters) chooseL2(features, samples int) {
	if h.L2 != AutoL2 {
		return
	}
	h.L2 = 0
	if len(h.Hidden) == 0 {
		h.L2 = float64(features) / (2 * headC * float64(samples))
	}
}

// Validate returns an error that wraps ErrOption or ErrUnsupported, before anything is read.
func (o *Options) Validate() error {
	switch {
	case o.Data == "":
		return fmt.Errorf("%w: no data was given", ErrOption)
	case o.Out == "":
		return fmt.Errorf("%w: no directory for the results was given", ErrOption)
	case o.Base == "":
		return fmt.Errorf("%w: no base was given; \"none\" trains a network on the data itself", ErrOption)
	case o.Base == "none" && o.L2 == AutoL2:
		return fmt.Errorf("%w: L2 is chosen for heads on a base only", ErrOption)
	case o.Base == "none" && (o.Layer != "" || o.Preprocess != ""):
		return fmt.Errorf("%w: layer and preprocess need a base", ErrOption)
	case o.Base == "none" && o.unfreezes():
		return fmt.Errorf("%w: unfreeze %s: there is no base whose layers could be trained", ErrOption, o.Unfreeze)
	case o.UnfreezeEpochs < 0 || !(o.UnfreezeLearningRate >= 0):
		return fmt.Errorf("%w: fine-tuning for %d epochs at learning rate %v; 0 is the default of both", ErrOption, o.UnfreezeEpochs, o.UnfreezeLearningRate)
	case !o.unfreezes() && (o.UnfreezeEpochs > 0 || o.UnfreezeLearningRate > 0 || o.UnfreezeBatchNorm):
		return fmt.Errorf("%w: epochs, learning rate or batch normalization of a fine-tuning are set, but nothing is unfrozen", ErrOption)
	case !(o.ValidationSplit >= 0 && o.ValidationSplit < 1):
		return fmt.Errorf("%w: validation split %v is not in [0, 1)", ErrOption, o.ValidationSplit)
	case o.Patience < 0:
		return fmt.Errorf("%w: patience %d is negative", ErrOption, o.Patience)
	case o.ClassWeights != "" && o.ClassWeights != "balanced":
		return fmt.Errorf("%w: class weights %q: only \"balanced\" is known", ErrOption, o.ClassWeights)
	case o.ImageSize < 0 || o.ImageSize > 4096:
		return fmt.Errorf("%w: image size %d is not between 1 and 4096", ErrOption, o.ImageSize)
	case o.Tune < 0:
		return fmt.Errorf("%w: %d trials", ErrOption, o.Tune)
	case o.Tune > 0 && o.ValidationSplit == 0:
		return fmt.Errorf("%w: trials are compared on validation data, and the validation split is 0", ErrOption)
	case o.Threads < 0 || o.Threads > mostThreads:
		return fmt.Errorf("%w: %d threads are not between 0, which chooses, and %d", ErrOption, o.Threads, mostThreads)
	}
	if err := known("engine", o.Engine, "auto", "native", "tensorflow"); err != nil {
		return err
	}
	if err := o.validateDevice(); err != nil {
		return err
	}
	return o.validate()
}

// mostThreads is more than machines have, and less than a process may start.
const mostThreads = 1024

// validateDevice returns an error for a name of no device, and for a GPU where nothing would run on it.
func (o *Options) validateDevice() error {
	number, gpu := strings.CutPrefix(o.Device, "gpu")
	if !gpu {
		return known("device", o.Device, "", "auto", "cpu", "gpu", "gpu:N")
	}
	if number != "" {
		if _, err := strconv.ParseUint(strings.TrimPrefix(number, ":"), 10, 16); err != nil || number[0] != ':' {
			return fmt.Errorf("%w: unknown device %q: the choices are auto, cpu, gpu and gpu:N", ErrOption, o.Device)
		}
	}
	if !o.NeedsTensorFlow() {
		return fmt.Errorf("%w: device %s: the native engine computes on the CPU; engine tensorflow uses a GPU", ErrOption, o.Device)
	}
	return nil
}

func (h *Hyperparameters) validate() error {
	if h.Epochs < 1 || h.Batch < 1 {
		return fmt.Errorf("%w: %d epochs with batch size %d: at least 1 of both", ErrOption, h.Epochs, h.Batch)
	}
	if _, err := h.optimizer(); err != nil {
		return wrap(ErrOption, err)
	}
	if err := checkActivation(h.Activation); err != nil {
		return err
	}
	if h.Loss != "" {
		if _, err := train.ParseLoss(h.Loss); err != nil {
			return wrap(ErrOption, err)
		}
	}
	if !(h.Warmup >= 0 && h.Warmup <= float64(h.Epochs)) {
		return fmt.Errorf("%w: a warm-up of %v epochs in a training of %d", ErrOption, h.Warmup, h.Epochs)
	}
	if err := known("decay", h.Decay, "", "none", "plateau", "cosine"); err != nil {
		return err
	}
	if h.Decay == "plateau" && h.Warmup > 0 {
		return fmt.Errorf("%w: decay plateau does not go with a warm-up; cosine and none do", ErrOption)
	}
	if !(h.LabelSmoothing >= 0 && h.LabelSmoothing <= 1) {
		return fmt.Errorf("%w: label smoothing %v is not between 0 and 1", ErrOption, h.LabelSmoothing)
	}
	if err := h.Augment.Validate(); err != nil {
		return wrap(ErrOption, err)
	}
	if h.AugmentVariants < 1 && !h.Augment.IsZero() {
		return fmt.Errorf("%w: %d variants of each image: augmentation needs 1 at least", ErrOption, h.AugmentVariants)
	}
	m := h.network(1, 1, "linear")
	if h.L2 == AutoL2 {
		m.L2 = 0
	}
	if err := m.Validate(); err != nil {
		return wrap(ErrOption, err)
	}
	return nil
}

// checkActivation returns an error if hidden layers cannot be trained and exported with an activation.
func checkActivation(name string) error {
	a, err := dense.ParseActivation(name)
	switch {
	case err != nil:
		return wrap(ErrOption, err)
	case a.Name() == dense.Step.Name():
		return fmt.Errorf("%w: the activation step has slope 0 everywhere: nothing before it could learn", ErrOption)
	case a.Name() == dense.GELUTanh.Name():
		return fmt.Errorf("%w: Keras knows no activation %s by its name, so that the model could not be exported; gelu is close to it", ErrOption, name)
	}
	return nil
}

func (h *Hyperparameters) optimizer() (train.Optimizer, error) {
	o, err := train.ParseOptimizer(h.Optimizer, h.LearningRate)
	if err == nil && h.LearningRate < 0 {
		err = fmt.Errorf("learning rate %v is negative", h.LearningRate)
	}
	return o, err
}

// onPlateau says that the learning rate is cut when the validation loss stops falling; otherwise schedule settles it.
func (h *Hyperparameters) onPlateau() bool {
	return h.Decay == "plateau" || h.Decay == "" && h.Warmup == 0
}

// schedule returns how the learning rate goes over a training: nil for one rate.
func (h *Hyperparameters) schedule(rate float64, epochs, stepsPerEpoch int) train.Schedule {
	var s train.Schedule
	warm := int64(math.Round(h.Warmup * float64(stepsPerEpoch)))
	if h.Decay == "cosine" {
		s = train.CosineDecay{Initial: rate, Steps: max(int64(epochs)*int64(stepsPerEpoch)-warm, 1)}
	}
	if warm > 0 {
		s = train.Warmup{Target: rate, Steps: warm, After: s}
	}
	return s
}

func (h *Hyperparameters) network(inputs, outputs int, output string) train.MLP {
	return train.MLP{Inputs: inputs, Hidden: h.Hidden, Activation: h.Activation, Dropout: h.Dropout, L1: h.L1, L2: h.L2,
		Outputs: outputs, OutputActivation: output}
}

func known(what, value string, choices ...string) error {
	if slices.Contains(choices, value) {
		return nil
	}
	choices = slices.DeleteFunc(choices, func(c string) bool { return c == "" })
	return fmt.Errorf("%w: unknown %s %q: the choices are %s", ErrOption, what, value, strings.Join(choices, ", "))
}

// wrapped is an error of another package that is also one of this package's kinds.
type wrapped struct{ kind, err error }

func wrap(kind, err error) error { return &wrapped{kind, err} }

// Error returns the other package's message without its own prefix.
func (w *wrapped) Error() string {
	text := w.err.Error()
	for _, kind := range []error{train.ErrOption, train.ErrData, images.ErrOptions} {
		text = strings.TrimPrefix(text, kind.Error()+": ")
	}
	return w.kind.Error() + ": " + text
}

// Unwrap returns both.
func (w *wrapped) Unwrap() []error { return []error{w.kind, w.err} }

// logf writes a line to Log.
func (o *Options) logf(format string, args ...any) {
	if o.Log != nil {
		fmt.Fprintf(o.Log, format+"\n", args...)
	}
}
