package train

import "math"

// counts is a metric of true and false positives and negatives at one threshold, over all outputs.
type counts struct {
	name           string
	threshold      float32
	figure         func(c *counts) float64
	tp, fp, fn, tn float64
}

// Precision returns true positives / predicted positives over all outputs (0 where there are none); an output above the
// threshold is positive. For multi-class reports see ConfusionMatrix.
func Precision(threshold float64) Metric {
	return &counts{name: "precision", threshold: float32(threshold), figure: func(c *counts) float64 { return ratio(c.tp, c.tp+c.fp) }}
}

// Recall returns true positives / actual positives over all outputs (0 where there are none).
func Recall(threshold float64) Metric {
	return &counts{name: "recall", threshold: float32(threshold), figure: func(c *counts) float64 { return ratio(c.tp, c.tp+c.fn) }}
}

// F1 returns the harmonic mean of Precision and Recall, Keras's F1Score(average="micro", threshold=…).
func F1(threshold float64) Metric {
	return &counts{name: "f1", threshold: float32(threshold), figure: func(c *counts) float64 { return ratio(2*c.tp, 2*c.tp+c.fp+c.fn) }}
}

// Name returns the key in the history.
func (c *counts) Name() string { return c.name }

// Rises returns true.
func (c *counts) Rises() bool { return true }

// Reset forgets everything.
func (c *counts) Reset() { c.tp, c.fp, c.fn, c.tn = 0, 0, 0, 0 }

// Result returns the figure.
func (c *counts) Result() float64 { return c.figure(c) }

// Update adds a batch.
func (c *counts) Update(yTrue, yPred []float32, width int, weights []float32) {
	eachOutput(yTrue, yPred, width, weights, func(positive bool, p float32, w float64) {
		switch {
		case positive && p > c.threshold:
			c.tp += w
		case positive:
			c.fn += w
		case p > c.threshold:
			c.fp += w
		default:
			c.tn += w
		}
	})
}

// eachOutput calls f with every output of every sample; class indices are seen as one-hot.
func eachOutput(yTrue, yPred []float32, width int, weights []float32, f func(positive bool, p float32, w float64)) {
	n := len(yPred) / width
	sparse := len(yTrue) == n && width > 1
	for i := range yPred {
		w := 1.0
		if weights != nil {
			w = float64(weights[i/width])
		}
		var positive bool
		if sparse {
			positive = int(yTrue[i/width]) == i%width
		} else {
			positive = yTrue[i] != 0
		}
		f(positive, yPred[i], w)
	}
}

// curveThresholds is the number of thresholds of Keras's AUC.
const curveThresholds = 200

// auc counts outputs by the interval between two thresholds they lie in.
type auc struct {
	precisionRecall    bool
	positive, negative [curveThresholds]float64
}

// AUC returns the area under the ROC curve of outputs in [0, 1], as keras.metrics.AUC(): 200 evenly spaced thresholds,
// trapezoids between them.
func AUC() Metric { return &auc{} }

// PRAUC returns the area under the precision-recall curve, as keras.metrics.AUC(curve="PR"), which interpolates as Davis and
// Goadrich (2006) do.
func PRAUC() Metric { return &auc{precisionRecall: true} }

// Name returns "auc" or "pr_auc".
func (a *auc) Name() string {
	if a.precisionRecall {
		return "pr_auc"
	}
	return "auc"
}

// Rises returns true.
func (a *auc) Rises() bool { return true }

// Reset forgets everything.
func (a *auc) Reset() { *a = auc{precisionRecall: a.precisionRecall} }

// Update adds a batch. Output p lies above thresholds 0 to ⌈199·p⌉-1.
func (a *auc) Update(yTrue, yPred []float32, width int, weights []float32) {
	eachOutput(yTrue, yPred, width, weights, func(positive bool, p float32, w float64) {
		at := int(math.Ceil(float64(p*(curveThresholds-1)))) - 1
		at = min(max(at, 0), curveThresholds-1)
		if positive {
			a.positive[at] += w
		} else {
			a.negative[at] += w
		}
	})
}

// Result returns the area.
func (a *auc) Result() float64 {
	var tp, fp [curveThresholds]float64 // with a prediction above threshold i
	var positives, negatives float64
	for i := curveThresholds - 1; i >= 0; i-- {
		positives, negatives = positives+a.positive[i], negatives+a.negative[i]
		tp[i], fp[i] = positives, negatives
	}
	area := 0.0
	for i := range curveThresholds - 1 {
		if a.precisionRecall {
			area += prArea(tp[i], tp[i+1], fp[i], fp[i+1], positives)
			continue
		}
		height := (ratio(tp[i], positives) + ratio(tp[i+1], positives)) / 2
		area += (ratio(fp[i], negatives) - ratio(fp[i+1], negatives)) * height
	}
	return area
}

// prArea returns the area between two thresholds of the precision-recall curve: true positives a fall to b, false positives
// c to d; between them precision follows slope and intercept of the straight line in true against predicted positives.
func prArea(a, b, c, d, positives float64) float64 {
	dtp, p, next := a-b, a+c, b+d
	slope := ratio(dtp, max(p-next, 0))
	intercept := b - slope*next
	relative := 1.0
	if p > 0 && next > 0 {
		relative = ratio(p, max(next, 0))
	}
	return ratio(slope*(dtp+intercept*math.Log(relative)), positives)
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
