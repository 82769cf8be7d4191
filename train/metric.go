package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Metric accumulates a figure over batches, as keras.metrics do.
type Metric interface {
	// Name is the key in the history: "accuracy".
	Name() string
	// Rises reports whether a larger result is a better one.
	Rises() bool
	// Reset forgets everything, at the start of an epoch.
	Reset()
	// Update adds a batch: yPred is [samples, width]; yTrue [samples, width], or [samples] class indices; weights [samples]
	// or nil for ones.
	Update(yTrue, yPred []float32, width int, weights []float32)
	// Result returns the figure over everything since Reset; NaN before the first sample.
	Result() float64
}

// mean is a metric that averages a number a sample.
type mean struct {
	name       string
	rises      bool
	sample     func(y, p []float32) float64
	sum, count float64
}

// Name returns the key in the history.
func (m *mean) Name() string { return m.name }

// Rises reports whether larger is better.
func (m *mean) Rises() bool { return m.rises }

// Reset forgets everything.
func (m *mean) Reset() { m.sum, m.count = 0, 0 }

// Result returns the weighted mean.
func (m *mean) Result() float64 { return m.sum / m.count }

// Update adds a batch.
func (m *mean) Update(yTrue, yPred []float32, width int, weights []float32) {
	n := len(yPred) / width
	tw := len(yTrue) / max(n, 1)
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		m.sum += w * m.sample(yTrue[i*tw:(i+1)*tw], yPred[i*width:(i+1)*width])
		m.count += w
	}
}

// MeanLoss returns the mean of a loss's terms as a metric, without regularization penalties.
func MeanLoss(name string, l Loss) Metric {
	return &mean{name: name, sample: func(y, p []float32) float64 { return float64(SampleLoss(l, y, p)) }}
}

// MSE returns the mean squared error.
func MSE() Metric { return MeanLoss("mse", Loss{Name: MeanSquaredError}) }

// MAE returns the mean absolute error.
func MAE() Metric { return MeanLoss("mae", Loss{Name: MeanAbsoluteError}) }

// BinaryAccuracy returns the share of outputs on the right side of a threshold (0.5 for probabilities, 0 for logits):
// above it counts as 1.
func BinaryAccuracy(threshold float64) Metric {
	limit := float32(threshold)
	return &mean{name: "accuracy", rises: true, sample: func(y, p []float32) float64 {
		right := 0
		for j := range p {
			if (p[j] > limit) == (y[j] == 1) {
				right++
			}
		}
		return float64(right) / float64(len(p))
	}}
}

// CategoricalAccuracy returns the share of samples whose largest prediction is at the right class; targets are one-hot or
// class indices (then it is Keras's sparse_categorical_accuracy). The first of equal predictions counts.
func CategoricalAccuracy() Metric { return &categoricalAccuracy{} }

// categoricalAccuracy is a mean like the others, written out since every epoch of a classifier computes it.
type categoricalAccuracy struct{ right, count float64 }

// Name returns the key in the history.
func (a *categoricalAccuracy) Name() string { return "accuracy" }

// Rises returns true.
func (a *categoricalAccuracy) Rises() bool { return true }

// Reset forgets everything.
func (a *categoricalAccuracy) Reset() { *a = categoricalAccuracy{} }

// Result returns the weighted share of right predictions.
func (a *categoricalAccuracy) Result() float64 { return a.right / a.count }

// Update adds a batch.
func (a *categoricalAccuracy) Update(yTrue, yPred []float32, width int, weights []float32) {
	n := len(yPred) / width
	tw := len(yTrue) / max(n, 1)
	for i := range n {
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		a.count += w
		if p := yPred[i*width : (i+1)*width]; isLargest(p, classOf(yTrue[i*tw:(i+1)*tw], width)) {
			a.right += w
		}
	}
}

// isLargest reports whether Argmax(p) is at, a NaN at that place aside.
func isLargest(p []float32, at int) bool {
	top := p[at]
	for _, v := range p[:at] {
		if v >= top {
			return false
		}
	}
	for _, v := range p[at:] {
		if v > top {
			return false
		}
	}
	return top == top // no NaN
}

// TopKAccuracy returns the share of samples with fewer than k predictions above that of the right class, as
// tf.math.in_top_k.
func TopKAccuracy(k int) Metric {
	return &mean{name: fmt.Sprintf("top_%d_accuracy", k), rises: true, sample: func(y, p []float32) float64 {
		c, above := classOf(y, len(p)), 0
		for _, v := range p {
			if v > p[c] {
				above++
			}
		}
		return truth(above < k && p[c]-p[c] == 0)
	}}
}

// AccuracyFor returns the accuracy that suits a loss, as Keras's "accuracy" does: binary, categorical, or nil for
// regression. For logits of a binary loss the threshold is 0 (Keras keeps 0.5 there).
func AccuracyFor(l Loss) Metric {
	switch l.Name {
	case BinaryCrossentropy:
		if l.FromLogits {
			return BinaryAccuracy(0)
		}
		return BinaryAccuracy(0.5)
	case CategoricalCrossentropy, SparseCategoricalCrossentropy:
		return CategoricalAccuracy()
	default:
		return nil
	}
}

// ParseMetric returns the metric with a Keras name: accuracy (the one for the loss), mse, mae, precision, recall, f1, auc,
// top_K.
func ParseMetric(name string, l Loss) (Metric, error) {
	switch strings.ToLower(name) {
	case "accuracy", "acc":
		if m := AccuracyFor(l); m != nil {
			return m, nil
		}
		return nil, fmt.Errorf("%w: accuracy does not suit %s; mse and mae do", ErrOption, l.Name)
	case "mse", "mean_squared_error":
		return MSE(), nil
	case "mae", "mean_absolute_error":
		return MAE(), nil
	case "precision":
		return Precision(0.5), nil
	case "recall":
		return Recall(0.5), nil
	case "f1":
		return F1(0.5), nil
	case "auc":
		return AUC(), nil
	}
	if number, ok := strings.CutPrefix(strings.TrimSuffix(name, "_accuracy"), "top_"); ok {
		if k, err := strconv.Atoi(number); err == nil && k > 0 {
			return TopKAccuracy(k), nil
		}
	}
	return nil, fmt.Errorf("%w: unknown metric %q: the metrics are accuracy, mse, mae, precision, recall, f1, auc and top_K", ErrOption, name)
}

// Argmax returns the index of the largest value, the first of equal ones; a NaN is never the largest. 0 if all are NaN.
func Argmax(p []float32) int {
	best, at := float32(math.Inf(-1)), 0
	for j, v := range p {
		if v > best {
			best, at = v, j
		}
	}
	return at
}

// classOf returns the class of a target: an index, or one-hot over width classes.
func classOf(y []float32, width int) int {
	if len(y) == 1 && width > 1 {
		return int(y[0])
	}
	return Argmax(y)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
