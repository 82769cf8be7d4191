package finetune

import (
	"encoding/json"
	"math"

	"github.com/cambium-go/cambium/train"
)

// Report is what report.json holds.
type Report struct {
	Data            DataReport        `json:"data"`
	Hyperparameters Hyperparameters   `json:"hyperparameters"`
	History         train.History     `json:"history"`
	BestEpoch       int               `json:"best_epoch"`
	EarlyStopped    bool              `json:"early_stopped"`
	Validation      *Measures         `json:"validation,omitempty"`
	Test            *Measures         `json:"test,omitempty"`
	Overfitting     train.Overfitting `json:"overfitting"`
	Warnings        []string          `json:"warnings,omitempty"`
	Trials          []Trial           `json:"trials,omitempty"`
	Compare         *Comparison       `json:"compare,omitempty"`
	FineTuning      *FineTuning       `json:"fine_tuning,omitempty"`
	// Preprocess is how images become the exported model's input, by the names of infer run --preprocess; "" for tables.
	Preprocess string `json:"preprocess,omitempty"`
	// Engine is what trained the network, or the head of a base; FineTuning says what trained the base's layers.
	Engine  string  `json:"engine"`
	Seconds Seconds `json:"seconds"`
}

// DataReport counts samples.
type DataReport struct {
	Classes    []string `json:"classes"`
	Train      int      `json:"train"`
	Validation int      `json:"validation"`
	Test       int      `json:"test,omitempty"`
	Augmented  int      `json:"augmented,omitempty"` // variants of the training images, beside these
	Skipped    []string `json:"skipped,omitempty"`   // files that are no images
}

// Seconds says where the time went.
type Seconds struct {
	Features float64 `json:"features"` // reading and preparing the data
	Training float64 `json:"training"`
	Total    float64 `json:"total"`
}

// Measures are how good the trained model is on some samples: classes have Accuracy, PerClass and Confusion, a regression
// has MSE, MAE and R2, in the target's own unit.
type Measures struct {
	Loss      float64        `json:"loss"`
	Accuracy  float64        `json:"accuracy,omitempty"`
	PerClass  []ClassMeasure `json:"per_class,omitempty"`
	Confusion [][]int        `json:"confusion,omitempty"` // row: actual, column: predicted
	MSE       float64        `json:"mse,omitempty"`
	MAE       float64        `json:"mae,omitempty"`
	R2        float64        `json:"r2,omitempty"`
	Worst     []Mistake      `json:"worst,omitempty"` // the wrong predictions that the model is surest of
}

// MarshalJSON writes the measures that the kind of target has, those that are 0 too.
func (m Measures) MarshalJSON() ([]byte, error) {
	if m.Confusion == nil && m.PerClass == nil && (m.MSE != 0 || m.MAE != 0 || m.R2 != 0) {
		return json.Marshal(struct {
			Loss float64 `json:"loss"`
			MSE  float64 `json:"mse"`
			MAE  float64 `json:"mae"`
			R2   float64 `json:"r2"`
		}{m.Loss, m.MSE, m.MAE, m.R2})
	}
	return json.Marshal(struct {
		Loss      float64        `json:"loss"`
		Accuracy  float64        `json:"accuracy"`
		PerClass  []ClassMeasure `json:"per_class,omitempty"`
		Confusion [][]int        `json:"confusion,omitempty"`
		Worst     []Mistake      `json:"worst,omitempty"`
	}{m.Loss, m.Accuracy, m.PerClass, m.Confusion, m.Worst})
}

// ClassMeasure is how well one class is told from the others.
type ClassMeasure struct {
	Label     string  `json:"label"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`
}

func (r *Report) take(t *train.Result) {
	r.History, r.BestEpoch, r.EarlyStopped = t.History, t.BestEpoch, t.EarlyStopped
	r.Overfitting, r.Warnings = t.Overfitting, t.Warnings
	if t.Overfitting.Detected {
		r.Warnings = append(r.Warnings, t.Overfitting.Advice())
	}
}

// measure evaluates the trained model on the validation and the test samples.
func (s *session) measure(model train.Trainable) (err error) {
	if s.data.validation != nil {
		s.report.Validation, err = s.measures(model, s.data.validation, all(s.data.validation), s.data.pictures.validation)
	} else if len(s.held) > 0 {
		s.report.Validation, err = s.measures(model, s.data.training, s.held, s.data.pictures.training)
	}
	if err != nil || s.data.test == nil {
		return err
	}
	s.report.Test, err = s.measures(model, s.data.test, all(s.data.test), s.data.pictures.test)
	return err
}

func all(d *train.Dataset) []int32 {
	order := make([]int32, d.Samples())
	for i := range order {
		order[i] = int32(i)
	}
	return order
}

func (s *session) measures(model train.Trainable, d *train.Dataset, order []int32, pictures []picture) (*Measures, error) {
	unweighted := *d
	unweighted.Weights = nil
	bound, err := model.Bind(&unweighted)
	if err != nil {
		return nil, err
	}
	defer bound.Close()
	batch := s.evaluationBatch
	outputs, losses := make([]float32, len(order)*s.outputs), make([]float32, (len(order)+batch-1)/batch)
	if err := bound.Evaluate(order, batch, outputs, losses); err != nil {
		return nil, err
	}
	targets, err := d.Targets()
	if err != nil {
		return nil, err
	}
	y := make([]float32, len(order))
	for i, at := range order {
		y[i] = targets[at]
	}
	m := &Measures{}
	for i, l := range losses {
		m.Loss += float64(l) * float64(min(batch, len(order)-i*batch)) / float64(len(order))
	}
	if s.data.classes == nil {
		m.regression(y, outputs, s.data.target)
	} else {
		m.classification(y, outputs, s.outputs, s.data.classes)
		m.Worst = mistakes(y, outputs, s.outputs, order, s.data.classes, pictures)
	}
	return m, nil
}

func (m *Measures) classification(y, outputs []float32, width int, classes []string) {
	matrix := train.NewConfusionMatrix(len(classes))
	matrix.Update(y, outputs, width)
	m.Accuracy, m.Confusion = matrix.Accuracy(), matrix.Counts
	for c, r := range matrix.Report() {
		m.PerClass = append(m.PerClass, ClassMeasure{Label: classes[c], Precision: r.Precision, Recall: r.Recall, F1: r.F1, Support: r.Support})
	}
}

// regression measures predictions in the target's own unit.
func (m *Measures) regression(y, outputs []float32, unit standard) {
	scale, n, mean, spread := unit.Deviation[0], float64(len(y)), 0.0, 0.0
	for i := range y {
		e := float64(outputs[i]-y[i]) * scale
		m.MSE += e * e / n
		m.MAE += math.Abs(e) / n
		mean += float64(y[i]) / n
	}
	for i := range y {
		e := (float64(y[i]) - mean) * scale
		spread += e * e / n
	}
	if spread > 0 {
		m.R2 = 1 - m.MSE/spread
	}
}
