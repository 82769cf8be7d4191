package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

// Dataset is samples with their targets, held in memory.
type Dataset struct {
	// X is [samples, …], float32 or uint8. An engine multiplies uint8 features by Scale, so that images stay bytes:
	// the feature is float32(byte)·Scale, in float32.
	X *tensor.Tensor
	// Scale belongs to uint8 features; 0 means 1. 1.0/255 gives 0 to 1.
	Scale float32
	// Y is the targets: [samples] or [samples, 1] class indices of an integer type for a sparse loss; float32
	// [samples, width] (or [samples] where the width is 1) for the others. Nil for data to predict on.
	Y *tensor.Tensor
	// Weights weigh samples in the loss; nil for 1 each.
	Weights []float32
}

// Samples returns the number of samples.
func (d *Dataset) Samples() int {
	if d == nil || d.X == nil || d.X.Rank() == 0 {
		return 0
	}
	return d.X.Shape()[0]
}

// Features returns the numbers of a sample: the product of X's dimensions after the first.
func (d *Dataset) Features() int {
	n := 1
	for _, s := range d.X.Shape()[1:] {
		n *= s
	}
	return n
}

// FeatureScale returns Scale, or 1 where it is 0.
func (d *Dataset) FeatureScale() float32 {
	if d.Scale == 0 {
		return 1
	}
	return d.Scale
}

// Targets returns the targets as float32, [samples, l.TargetWidth(width)]: the memory of Y where it is float32, else a
// converted copy. Class indices are exact.
func (d *Dataset) Targets() ([]float32, error) {
	if d.Y == nil {
		return nil, fmt.Errorf("%w: the data set has no targets", ErrData)
	}
	switch d.Y.DType() {
	case tensor.Float32:
		return tensor.Data[float32](d.Y)
	case tensor.Float64:
		return targetsOf[float64](d.Y)
	case tensor.Uint8:
		return targetsOf[uint8](d.Y)
	case tensor.Int32:
		return targetsOf[int32](d.Y)
	case tensor.Int64:
		return targetsOf[int64](d.Y)
	default:
		return nil, fmt.Errorf("%w: targets are %v; float32, float64, uint8, int32 and int64 can be used", ErrData, d.Y.DType())
	}
}

func targetsOf[T float64 | uint8 | int32 | int64](t *tensor.Tensor) ([]float32, error) {
	values, err := tensor.Data[T](t)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out, nil
}

// Validate checks that the data set can be trained on with a loss over predictions of the given width: samples there,
// shapes that meet, no NaN or infinity among features, targets and weights, class indices in [0, width). The error names
// the first sample that is wrong.
func (d *Dataset) Validate(l Loss, width int) error {
	if err := d.validateFeatures(); err != nil {
		return err
	}
	return d.ValidateTargets(l, width)
}

// ValidateTargets is Validate without a look at the features, which may be more than fits into memory.
func (d *Dataset) ValidateTargets(l Loss, width int) error {
	n, tw := d.Samples(), l.TargetWidth(width)
	y, err := d.Targets()
	if err != nil {
		return err
	}
	if rows := d.Y.Shape(); len(rows) == 0 || rows[0] != n || len(y) != n*tw {
		return fmt.Errorf("%w: %d samples with targets of shape %v; %s over %d outputs needs [%d,%d]", ErrData, n, d.Y.Shape(),
			l.Name, width, n, tw)
	}
	for i, v := range y {
		switch {
		case math.IsNaN(float64(v)) || math.IsInf(float64(v), 0):
			return fmt.Errorf("%w: the target of sample %d is %v", ErrData, i/tw, v)
		case l.Sparse() && (v < 0 || v >= float32(width) || v != float32(int(v))):
			return fmt.Errorf("%w: the label of sample %d is %v, not a class from 0 to %d", ErrData, i, v, width-1)
		case (l.Name == BinaryCrossentropy || l.Name == CategoricalCrossentropy) && (v < 0 || v > 1):
			return fmt.Errorf("%w: the target of sample %d is %v; %s needs 0 to 1", ErrData, i/tw, v, l.Name)
		}
	}
	if d.Weights != nil && len(d.Weights) != n {
		return fmt.Errorf("%w: %d samples with %d sample weights", ErrData, n, len(d.Weights))
	}
	for i, w := range d.Weights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return fmt.Errorf("%w: the weight of sample %d is %v", ErrData, i, w)
		}
	}
	return nil
}

func (d *Dataset) validateFeatures() error {
	if d.Samples() == 0 {
		return fmt.Errorf("%w: there are no samples", ErrData)
	}
	switch d.X.DType() {
	case tensor.Uint8:
		return nil
	case tensor.Float32:
	default:
		return fmt.Errorf("%w: features are %v; float32 and uint8 can be trained on", ErrData, d.X.DType())
	}
	x, err := tensor.Data[float32](d.X)
	if err != nil {
		return err
	}
	if at := firstNotFinite(x); at >= 0 {
		return fmt.Errorf("%w: feature %d of sample %d is %v", ErrData, at%d.Features(), at/d.Features(), x[at])
	}
	return nil
}

// CheckFeatures returns an error that names the first sample with a NaN or infinity among its features; x is the samples whose
// numbers are in order.
func CheckFeatures(x []float32, order []int32) error {
	at := firstNotFinite(x)
	if at < 0 {
		return nil
	}
	features := len(x) / len(order)
	return fmt.Errorf("%w: feature %d of sample %d is %v", ErrData, at%features, order[at/features], x[at])
}

// firstNotFinite returns the index of the first NaN or infinity, -1 if there is none. v-v is 0 for every other number.
func firstNotFinite(x []float32) int {
	const block = 1024
	for from := 0; from < len(x); from += block {
		part := x[from:min(from+block, len(x))]
		var a, b, c, d float32
		i := 0
		for ; i+4 <= len(part); i += 4 {
			p := part[i : i+4 : i+4]
			a, b, c, d = a+(p[0]-p[0]), b+(p[1]-p[1]), c+(p[2]-p[2]), d+(p[3]-p[3])
		}
		for ; i < len(part); i++ {
			a += part[i] - part[i]
		}
		if a+b+c+d != 0 {
			return from + slices.IndexFunc(part, notFinite)
		}
	}
	return -1
}

// BalancedWeights returns a weight a sample, samples / (classes · samples of its class), as scikit-learn's
// class_weight="balanced": every class counts the same. Labels must be in [0, classes).
func BalancedWeights(labels []int32, classes int) []float32 {
	count := make([]int, classes)
	for _, l := range labels {
		count[l]++
	}
	w := make([]float32, len(labels))
	for i, l := range labels {
		w[i] = float32(float64(len(labels)) / (float64(classes) * float64(count[l])))
	}
	return w
}
