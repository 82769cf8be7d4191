package train

import (
	"errors"
	"fmt"
	"math"
)

// Errors that callers branch on; errors of this package wrap them with what was wrong and where.
var (
	// ErrOption says that a setting is out of its range or does not fit another one.
	ErrOption = errors.New("train: wrong setting")
	// ErrData says that data cannot be trained on: NaN, labels out of range, shapes that do not meet, no samples.
	ErrData = errors.New("train: wrong data")
	// ErrNotFinite says that the loss became NaN or infinite.
	ErrNotFinite = errors.New("train: loss is not finite")
)

// Float is the arithmetic of a definition: float32 as in training, float64 for comparing with finite differences.
type Float interface{ ~float32 | ~float64 }

// LossName is Keras's name of a loss function.
type LossName string

// The losses. Each is the mean over a sample's width, then reduced over the batch as LossValue says.
const (
	MeanSquaredError              LossName = "mean_squared_error"              // (p-y)²
	MeanAbsoluteError             LossName = "mean_absolute_error"             // |p-y|
	Huber                         LossName = "huber"                           // ½e² up to Delta, then Delta·|e|-½Delta²
	LogCosh                       LossName = "log_cosh"                        // log(cosh(p-y))
	BinaryCrossentropy            LossName = "binary_crossentropy"             // -y·log p - (1-y)·log(1-p)
	CategoricalCrossentropy       LossName = "categorical_crossentropy"        // -Σ y·log p, y one-hot; a sum, not a mean, over the width
	SparseCategoricalCrossentropy LossName = "sparse_categorical_crossentropy" // the same, y a class index
)

// Epsilon is Keras's backend.epsilon(): cross-entropies from probabilities clip them to [Epsilon, 1-Epsilon].
const Epsilon = 1e-7

// Loss describes a loss function as keras.losses does.
type Loss struct {
	Name LossName
	// FromLogits says that predictions are logits, not probabilities. Cross-entropies only.
	FromLogits bool
	// LabelSmoothing s replaces a target y by (1-s)·y + s/width (binary: + s/2). Cross-entropies only; with the sparse one
	// it acts on the one-hot target, which Keras leaves to the user.
	LabelSmoothing float64
	// Delta is where Huber turns from quadratic to linear; 0 means 1.
	Delta float64
}

// ParseLoss returns the loss with the given Keras name or alias ("mse", "mae").
func ParseLoss(name string) (Loss, error) {
	switch name {
	case "mse":
		name = string(MeanSquaredError)
	case "mae":
		name = string(MeanAbsoluteError)
	case "logcosh":
		name = string(LogCosh)
	}
	l := Loss{Name: LossName(name)}
	return l, l.Validate()
}

// Validate returns an error that wraps ErrOption if the loss is unknown or its options are out of range.
func (l Loss) Validate() error {
	switch l.Name {
	case BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy:
		if !(l.LabelSmoothing >= 0 && l.LabelSmoothing <= 1) {
			return fmt.Errorf("%w: label smoothing %v is not between 0 and 1", ErrOption, l.LabelSmoothing)
		}
	case MeanSquaredError, MeanAbsoluteError, Huber, LogCosh:
		if l.LabelSmoothing != 0 || l.FromLogits {
			return fmt.Errorf("%w: %s has neither logits nor label smoothing", ErrOption, l.Name)
		}
		if !(l.Delta >= 0) || math.IsInf(l.Delta, 0) {
			return fmt.Errorf("%w: huber's delta %v is not positive", ErrOption, l.Delta)
		}
	default:
		return fmt.Errorf("%w: unknown loss %q: the losses are mean_squared_error, mean_absolute_error, huber, log_cosh, "+
			"binary_crossentropy, categorical_crossentropy and sparse_categorical_crossentropy", ErrOption, l.Name)
	}
	return nil
}

// Sparse reports whether targets are class indices: one number a sample rather than one an output.
func (l Loss) Sparse() bool { return l.Name == SparseCategoricalCrossentropy }

// TargetWidth returns the numbers of target that a sample has for predictions of the given width.
func (l Loss) TargetWidth(width int) int {
	if l.Sparse() {
		return 1
	}
	return width
}

// LossValue returns the loss of a batch, reduced as Keras's sum_over_batch_size: Σ weight·loss / samples (not / Σ weight).
// yTrue is [samples, l.TargetWidth(width)], yPred [samples, width], weights [samples] or nil for ones. The sum is in float64.
// Sparse targets must be in [0, width); Dataset.Validate checks that once for a whole data set.
func LossValue[T Float](l Loss, yTrue, yPred []T, width int, weights []float32) float64 {
	n, tw, sum := len(yPred)/width, l.TargetWidth(width), 0.0
	for i := range n {
		v := float64(SampleLoss(l, yTrue[i*tw:(i+1)*tw], yPred[i*width:(i+1)*width]))
		if weights != nil {
			v *= float64(weights[i])
		}
		sum += v
	}
	return sum / float64(n)
}

// LossGradient sets gradient, [samples, width], to the derivative of LossValue by yPred.
func LossGradient[T Float](gradient []T, l Loss, yTrue, yPred []T, width int, weights []float32) {
	n, tw := len(yPred)/width, l.TargetWidth(width)
	for i := range n {
		g := gradient[i*width : (i+1)*width]
		SampleGradient(l, g, yTrue[i*tw:(i+1)*tw], yPred[i*width:(i+1)*width])
		scale := T(1) / T(n)
		if weights != nil {
			scale *= T(weights[i])
		}
		for j := range g {
			g[j] *= scale
		}
	}
}

// SampleLoss returns one sample's loss: y is its target, [l.TargetWidth(len(p))], p its prediction, [width].
func SampleLoss[T Float](l Loss, y, p []T) T {
	switch l.Name {
	case CategoricalCrossentropy, SparseCategoricalCrossentropy:
		return categoricalLoss(l, y, p)
	default:
		sum := 0.0
		for j := range p {
			sum += elementLoss(l, y[j], p[j])
		}
		return T(sum / float64(len(p)))
	}
}

// SampleGradient sets gradient, [width], to the derivative of SampleLoss by p.
func SampleGradient[T Float](l Loss, gradient, y, p []T) {
	switch l.Name {
	case CategoricalCrossentropy, SparseCategoricalCrossentropy:
		categoricalGradient(l, gradient, y, p)
	default:
		for j := range p {
			gradient[j] = T(elementGradient(l, y[j], p[j]) / float64(len(p)))
		}
	}
}
