package finetune

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

// FineTuning reports the training of a base's layers together with the head, after the head's own.
type FineTuning struct {
	Unfreeze string `json:"unfreeze"`
	// Engine is what trained base and head together: always "tensorflow". Report.Engine is what trained the head before.
	Engine string `json:"engine"`
	// Layers are those of the base that were trained, in the order of the computation, and Parameters the numbers in them.
	Layers     []string `json:"layers"`
	Parameters int      `json:"parameters"`
	// Trace says that the base is no Keras file: what was trained is its inference, without dropout, its batch normalization with
	// the statistics that it has.
	Trace bool `json:"inference_trace"`
	// BatchNormalization is "frozen", with the statistics it has, or "batch", with those of the batch.
	BatchNormalization string  `json:"batch_normalization"`
	Epochs             int     `json:"epochs"`
	LearningRate       float64 `json:"learning_rate"`
	// FromEpoch is the first of its epochs in the history.
	FromEpoch int `json:"from_epoch"`
	// Kept says that the exported model is the fine-tuned one. It is not where the validation loss was lower before.
	Kept bool `json:"kept"`
	// FrozenValidation and FrozenTest are how good the head was on the base as it came.
	FrozenValidation *Measures `json:"frozen_validation,omitempty"`
	FrozenTest       *Measures `json:"frozen_test,omitempty"`
	Seconds          float64   `json:"seconds"`
}

const (
	// fineTuningEpochs is the default of Options.UnfreezeEpochs.
	fineTuningEpochs = 10
	// fineTuningRate is the share of an optimizer's usual learning rate that fine-tuning starts from: 1e-5 for Adam, as in
	// Keras's guide to transfer learning.
	fineTuningRate = 0.01
)

// fineTuning returns the hyperparameters of the training of base and head together.
func (o *Options) fineTuning() (Hyperparameters, error) {
	h := o.Hyperparameters
	if h.Epochs = o.UnfreezeEpochs; h.Epochs == 0 {
		h.Epochs = fineTuningEpochs
	}
	h.Warmup = min(h.Warmup, float64(h.Epochs))
	if h.LearningRate = o.UnfreezeLearningRate; h.LearningRate == 0 {
		usual, err := train.ParseOptimizer(h.Optimizer, 0)
		if err != nil {
			return h, wrap(ErrOption, err)
		}
		h.LearningRate = fineTuningRate * usual.LearningRate
	}
	return h, nil
}

// fineTune trains the unfrozen layers of the base and the head together, on the images themselves, from where the head's
// training ended. What it returns takes the place of the head, and the images that of their features.
func (s *session) fineTune(ctx context.Context, head train.Trainable) (model train.Trainable, err error) {
	began := time.Now()
	if err := s.measure(head); err != nil {
		return nil, err
	}
	h, err := s.o.fineTuning()
	if err != nil {
		return nil, err
	}
	r := &FineTuning{Unfreeze: s.o.Unfreeze, Engine: "tensorflow", Layers: s.unfrozen.layers, Parameters: s.unfrozen.weights, Trace: s.unfrozen.trace, BatchNormalization: "frozen",
		Epochs: h.Epochs, LearningRate: h.LearningRate, FromEpoch: len(s.report.History) + 1, FrozenValidation: s.report.Validation.brief(), FrozenTest: s.report.Test.brief()}
	if s.o.UnfreezeBatchNorm {
		r.BatchNormalization = "batch"
	}
	s.report.FineTuning = r
	if err := s.announce(r); err != nil {
		return nil, err
	}
	if err := s.storeImages(ctx); err != nil {
		return nil, err
	}
	start, err := weightValues(head)
	if err != nil {
		return nil, err
	}
	if model, err = s.newFineTuning(&h, start); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = model.Close() // the first error says more
		}
	}()
	if err := s.fitBoth(ctx, model, &h, start); err != nil {
		return model, err
	}
	r.Seconds = time.Since(began).Seconds()
	s.report.Seconds.Training += r.Seconds
	weights, err := model.Weights(true)
	if err != nil {
		return model, err
	}
	s.base.graph, err = s.unfrozen.trained(weights[:len(weights)-len(start)])
	return model, err
}

// announce says what is about to be trained, and marks where that begins in TensorBoard.
func (s *session) announce(r *FineTuning) error {
	text := fmt.Sprintf("fine-tuning %d of the base's %d layers with weights, %d numbers, from %s on, at learning rate %g", len(r.Layers), s.unfrozen.of, r.Parameters,
		r.Layers[0], r.LearningRate)
	s.o.logf("%s", text)
	if r.Trace {
		s.o.logf("the base is no Keras file: what is trained is the trace of its inference, without dropout, its batch normalization with the statistics that it has")
	}
	return s.events.training.Text("fine-tuning", int64(r.FromEpoch), text)
}

// newFineTuning builds the network of base and head.
func (s *session) newFineTuning(h *Hyperparameters, head []*tensor.Tensor) (train.Trainable, error) {
	o, err := h.optimizer()
	if err != nil {
		return nil, wrap(ErrOption, err)
	}
	o.Schedule = h.schedule(o.LearningRate, h.Epochs, s.steps(h))
	b := s.unfrozen.base
	for _, g := range []**graph.Graph{&b.Inference, &b.Training} {
		if *g, err = standardized(*g, s.data.input.table); err != nil {
			return nil, err
		}
	}
	model, err := tfbridge.NewFineTuning(b, h.network(s.base.width, s.outputs, s.output), head, s.loss(), o, s.o.Seed, s.o.tensorflow())
	if err != nil {
		return nil, fmt.Errorf("base %s: unfreeze %s: %w", s.o.Base, s.o.Unfreeze, err)
	}
	return model, nil
}

// fitBoth trains base and head, goes on with the history, and puts the weights back to those from before where the validation
// loss has not become lower.
func (s *session) fitBoth(ctx context.Context, model train.Trainable, h *Hyperparameters, head []*tensor.Tensor) error {
	before, err := weightValues(model)
	if err != nil {
		return err
	}
	c := s.config(h, filepath.Join(s.path("checkpoint"), "finetuning.npz"))
	c.Identity += fmt.Sprintf(", base %s, layers %v, batch normalization %s, head %s", s.base.hash, s.unfrozen.layers, s.report.FineTuning.BatchNormalization, fingerprintOf(head))
	s.stopEarly(&c, h)
	c.Block = h.Batch // a step takes long
	if !s.o.Augment.IsZero() {
		c.BeforeEpoch = func(epoch int) error { return s.varyImages(ctx, epoch) }
	}
	from := len(s.report.History)
	c.OnEpoch = func(e train.Epoch) error {
		e.Epoch += from
		return s.onEpoch(e)
	}
	if s.o.OnProgress != nil {
		c.OnProgress = func(p train.Progress) {
			p.Epoch, p.Epochs = p.Epoch+from, p.Epochs+from
			s.o.OnProgress(p)
		}
	}
	result, err := train.Fit(ctx, model, s.data.training, c)
	if result == nil || len(result.History) == 0 {
		return err
	}
	frozen, best := s.report.History[s.report.BestEpoch-1], result.History[max(result.BestEpoch, 1)-1]
	r := s.report.FineTuning
	r.Kept = c.EarlyStopping == nil || !s.validated || best.Logs["val_loss"] < frozen.Logs["val_loss"]
	s.report.goOn(result, r.Kept)
	if err != nil || r.Kept {
		return err
	}
	s.report.Warnings = append(s.report.Warnings, fmt.Sprintf("fine-tuning did not lower the validation loss (%.4g before, at best %.4g): the model keeps the base as it was; "+
		"another learning rate, or fewer layers, may help", frozen.Logs["val_loss"], best.Logs["val_loss"]))
	return model.SetWeights(before)
}

// goOn takes the result of a second training, whose epochs are counted on from the first one's.
func (r *Report) goOn(t *train.Result, kept bool) {
	from := len(r.History)
	for _, e := range t.History {
		e.Epoch += from
		r.History = append(r.History, e)
	}
	if kept {
		r.BestEpoch = from + t.BestEpoch
	}
	r.EarlyStopped = t.EarlyStopped
	r.Warnings = append(r.Warnings, t.Warnings...)
	if t.Overfitting.Detected {
		r.Overfitting = t.Overfitting
		r.Overfitting.Epoch += from
		r.Warnings = append(r.Warnings, r.Overfitting.Advice())
	}
}

// brief is the loss and the accuracy alone.
func (m *Measures) brief() *Measures {
	if m == nil {
		return nil
	}
	return &Measures{Loss: m.Loss, Accuracy: m.Accuracy}
}

// storeImages puts the pictures themselves in the place of their features.
func (s *session) storeImages(ctx context.Context) (err error) {
	p := &s.data.pictures
	all := slices.Concat(p.training, p.validation, p.test)
	if s.images, err = newImageStore(ctx, s.path("checkpoint"), s.base, all, s.o.OnFeatures); err != nil {
		return err
	}
	at := 0
	for _, set := range []struct {
		of       *train.Dataset
		pictures []picture
	}{{s.data.training, p.training}, {s.data.validation, p.validation}, {s.data.test, p.test}} {
		if set.of == nil {
			continue
		}
		if set.of.X, err = s.images.rows(at, at+len(set.pictures)); err != nil {
			return err
		}
		at += len(set.pictures)
	}
	s.evaluationBatch = s.o.Batch
	return nil
}

// trained returns the base with the weights that it has after training, as constants.
func (u *unfrozen) trained(weights []train.Weight) (*graph.Graph, error) {
	g := *u.base.Inference
	g.Variables = maps.Clone(g.Variables)
	for _, w := range weights {
		if g.Variables[w.Name] == nil {
			return nil, fmt.Errorf("%w: the base has no variable %s", graph.ErrMalformed, w.Name)
		}
		g.Variables[w.Name] = w.Value
	}
	frozen, kept, err := graph.Freeze(&g)
	if err == nil && len(kept) > 0 {
		err = fmt.Errorf("%w: variable %s of the base cannot become a constant: %s", graph.ErrUnsupported, kept[0].Variable, kept[0].Reason)
	}
	return frozen, err
}
