package train

import (
	"fmt"

	"github.com/cambium-go/cambium/tensor"
)

// ConfusionMatrix counts samples by their class (row) and the class predicted for them (column), as scikit-learn's.
type ConfusionMatrix struct {
	Counts [][]int
}

// NewConfusionMatrix returns an empty matrix.
func NewConfusionMatrix(classes int) *ConfusionMatrix {
	m := &ConfusionMatrix{Counts: make([][]int, classes)}
	cells := make([]int, classes*classes)
	for i := range m.Counts {
		m.Counts[i] = cells[i*classes : (i+1)*classes : (i+1)*classes]
	}
	return m
}

// Update adds a batch: yPred is [samples, width]; yTrue [samples, width] one-hot or [samples] class indices. With a width of
// 1 (a sigmoid) the classes are 0 and 1, and a prediction above 0.5 is 1.
func (m *ConfusionMatrix) Update(yTrue, yPred []float32, width int) {
	n := len(yPred) / width
	tw := len(yTrue) / max(n, 1)
	for i := range n {
		y, p := yTrue[i*tw:(i+1)*tw], yPred[i*width:(i+1)*width]
		if width == 1 {
			m.Counts[int(truth(y[0] != 0))][int(truth(p[0] > 0.5))]++
		} else {
			m.Counts[classOf(y, width)][Argmax(p)]++
		}
	}
}

// ClassReport is how well one class is told from the others.
type ClassReport struct {
	Precision, Recall, F1 float64 // 0 where nothing was predicted, or nothing is there
	Support               int     // samples of the class
}

// Report returns each class's precision, recall and F1, as scikit-learn's precision_recall_fscore_support with
// zero_division=0.
func (m *ConfusionMatrix) Report() []ClassReport {
	report := make([]ClassReport, len(m.Counts))
	for c := range m.Counts {
		right, predicted, support := m.Counts[c][c], 0, 0
		for other := range m.Counts {
			predicted += m.Counts[other][c]
			support += m.Counts[c][other]
		}
		report[c] = ClassReport{
			Precision: ratio(float64(right), float64(predicted)),
			Recall:    ratio(float64(right), float64(support)),
			F1:        ratio(2*float64(right), float64(predicted+support)),
			Support:   support,
		}
	}
	return report
}

// Macro returns the unweighted mean of the classes' figures and the number of samples, as average="macro".
func (m *ConfusionMatrix) Macro() ClassReport {
	var r ClassReport
	classes := float64(len(m.Counts))
	for _, c := range m.Report() {
		r.Precision += c.Precision / classes
		r.Recall += c.Recall / classes
		r.F1 += c.F1 / classes
		r.Support += c.Support
	}
	return r
}

// Accuracy returns the share of samples on the diagonal.
func (m *ConfusionMatrix) Accuracy() float64 {
	right, all := 0, 0
	for i, row := range m.Counts {
		right += row[i]
		for _, n := range row {
			all += n
		}
	}
	return ratio(float64(right), float64(all))
}

// Labels returns class indices as int32 from a tensor of any integer type, [samples] or [samples, 1], checking that each is
// in [0, classes); with classes 0 the upper end is open.
func Labels(y *tensor.Tensor, classes int) ([]int32, error) {
	values, err := (&Dataset{Y: y}).Targets()
	if err != nil {
		return nil, err
	}
	labels := make([]int32, len(values))
	for i, v := range values {
		if v < 0 || v != float32(int32(v)) || (classes > 0 && v >= float32(classes)) {
			return nil, fmt.Errorf("%w: the label of sample %d is %v, not a class from 0 to %d", ErrData, i, v, classes-1)
		}
		labels[i] = int32(v)
	}
	return labels, nil
}
