package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/train"
)

// session is one call of Run.
type session struct {
	o         Options
	base      *base       // nil: the network is trained on the data themselves
	unfrozen  *unfrozen   // nil: the base stays as it is
	images    *imageStore // nil until the base is trained on images
	data      *data
	held      []int32
	engine    engine
	events    *events
	report    Report
	results   string // where the results are made; then they go to Out
	identity  string
	outputs   int
	output    string // activation of the last layer
	validated bool
	// drawn are the pictures that were written, by name, as PNG, and thumbnails those of the mistakes, small.
	drawn      map[string][]byte
	thumbnails []image.Image
	// evaluationBatch is how many samples are evaluated at once.
	evaluationBatch int
}

// Run trains on o.Data and fills o.Out. Errors wrap ErrOption and ErrData, with the file or the setting in them; an ended
// ctx leaves the last complete epoch in the checkpoint, from which Options.Resume goes on.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	began := time.Now()
	if ctx == nil {
		return nil, fmt.Errorf("%w: the context is nil; context.Background() never ends", ErrOption)
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := o.checkOut(); err != nil {
		return nil, err
	}
	engine, err := engineFor(&o)
	if err != nil {
		return nil, err
	}
	if usual, err := o.optimizer(); err == nil { // Validate has looked
		o.LearningRate = usual.LearningRate // the optimizer's own in place of 0
	}
	s := &session{o: o, engine: engine, evaluationBatch: 1024, drawn: map[string][]byte{}}
	if o.Base != "none" {
		if s.base, err = openBase(ctx, &s.o); err != nil {
			return nil, err
		}
		defer func() { _ = s.base.close() }()
	}
	if o.unfreezes() {
		if s.unfrozen, err = s.base.unfreeze(&s.o); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.images.close()) }()
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	if err := s.directory(); err != nil {
		return nil, err
	}
	if o.Tune > 0 {
		if err := s.tune(ctx); err != nil {
			return nil, err
		}
	}
	if s.events, err = openEvents(s.path("tensorboard"), s.validated); err != nil {
		return nil, err
	}
	err = s.events.hyperparameters(&s.o.Hyperparameters)
	if err == nil {
		err = s.train(ctx, began)
	}
	return &s.report, errors.Join(err, s.events.close())
}

// checkOut refuses a directory in which the results would take the place of something that is not an earlier run's.
func (o *Options) checkOut() error {
	if info, err := os.Stat(o.Out); err == nil && !info.IsDir() {
		return fmt.Errorf("%s: it is a file; the results need a directory", o.Out)
	}
	there := func(name string) bool {
		_, err := os.Lstat(filepath.Join(o.Out, name))
		return err == nil
	}
	earlier := there(reportFile) || there("checkpoint")
	for _, name := range []string{"saved_model", "model.keras"} {
		written := filepath.Join(o.Out, name)
		if o.Base != "none" && within(o.Base, written) {
			return fmt.Errorf("%w: the results in %s would take the place of the base, %s; choose another directory", ErrOption, o.Out, o.Base)
		}
		if !earlier && there(name) {
			return fmt.Errorf("%w: the results would take the place of %s, which no earlier run wrote; choose another directory", ErrOption, written)
		}
	}
	return nil
}

// prepare reads and splits the data.
func (s *session) prepare(ctx context.Context) (err error) {
	began := time.Now()
	if s.o.Augment.IsZero() {
		s.o.AugmentVariants = 0
	}
	var e *extractor // nil without a base
	if s.base != nil {
		e = newExtractor(&s.o, s.base)
		defer e.close()
	}
	if s.data, err = load(ctx, &s.o, e); err != nil {
		return err
	}
	if err := s.data.check(); err != nil {
		return fmt.Errorf("%s: %w", s.o.Data, err)
	}
	if s.held, err = s.data.split(&s.o); err != nil {
		return fmt.Errorf("%s: %w", s.o.Data, err)
	}
	if err := s.data.augment(ctx, &s.o, e, s.held); err != nil {
		return fmt.Errorf("%s: %w", s.o.Data, err)
	}
	if err := errors.Join(s.data.weigh(&s.o), s.data.standardize(s.held)); err != nil {
		return fmt.Errorf("%s: %w", s.o.Data, err)
	}
	if err := s.chooseLoss(); err != nil {
		return err
	}
	s.o.chooseL2(s.data.training.Features(), s.data.training.Samples()-len(s.held))
	s.validated = s.data.validation != nil || len(s.held) > 0
	s.report.Data = DataReport{Classes: s.data.classes, Skipped: s.data.skipped, Train: s.data.originals - len(s.held), Validation: len(s.held),
		Augmented: s.data.training.Samples() - s.data.originals}
	if s.data.validation != nil {
		s.report.Data.Validation = s.data.validation.Samples()
	}
	if s.data.test != nil {
		s.report.Data.Test = s.data.test.Samples()
	}
	s.report.Engine, s.report.Preprocess = s.engine.name, s.data.input.preprocess
	s.report.Seconds.Features = time.Since(began).Seconds()
	return nil
}

// chooseLoss settles the loss and the output layer: softmax over class indices, one sigmoid for binary cross-entropy, linear
// for a number. Categorical cross-entropy is computed from class indices: the values are the same.
func (s *session) chooseLoss() error {
	classes := len(s.data.classes)
	if s.o.Loss == "" {
		s.o.Loss = string(train.SparseCategoricalCrossentropy)
		if classes == 0 {
			s.o.Loss = string(train.MeanSquaredError)
		}
	}
	l, err := train.ParseLoss(s.o.Loss)
	if err != nil {
		return wrap(ErrOption, err)
	}
	s.outputs, s.output = max(classes, 1), "softmax"
	switch {
	case classes == 0 && crossentropy(l), classes > 0 && !crossentropy(l):
		return fmt.Errorf("%w: loss %s does not suit %s", ErrOption, l.Name, map[bool]string{true: "a number as the target", false: "classes"}[classes == 0])
	case classes == 0:
		s.output = "linear"
	case l.Name == train.BinaryCrossentropy && classes != 2:
		return fmt.Errorf("%w: binary_crossentropy needs 2 classes, the data have %d", ErrOption, classes)
	case l.Name == train.BinaryCrossentropy:
		s.outputs, s.output = 1, "sigmoid"
	}
	if s.o.LabelSmoothing > 0 && classes == 0 {
		return fmt.Errorf("%w: label smoothing needs classes", ErrOption)
	}
	return nil
}

func (s *session) loss() train.Loss {
	l := train.Loss{Name: train.LossName(s.o.Loss), LabelSmoothing: s.o.LabelSmoothing}
	if l.Name == train.CategoricalCrossentropy {
		l.Name = train.SparseCategoricalCrossentropy
	}
	return l
}

// metrics are those that the history holds beside the loss.
func (s *session) metrics() []train.Metric {
	if m := train.AccuracyFor(s.loss()); m != nil {
		return []train.Metric{m}
	}
	return []train.Metric{train.MSE(), train.MAE()}
}

func (s *session) path(name string) string { return filepath.Join(s.o.Out, name) }

// directory makes Out ready: empty of an earlier run's checkpoint and curves, unless this one goes on from there.
func (s *session) directory() error {
	if !s.o.Resume {
		for _, name := range []string{"checkpoint", "tensorboard"} {
			if err := os.RemoveAll(s.path(name)); err != nil {
				return err
			}
		}
	}
	for _, pattern := range []string{atomicfile.MergeTemporary, "saved_model.old-*", "checkpoint/.*.tmp-*", "checkpoint/trials-*"} { // of a run that was killed
		left, err := fs.Glob(os.DirFS(s.o.Out), pattern)
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := os.RemoveAll(s.path(name)); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(s.path("checkpoint"), 0o755); err != nil {
		return fmt.Errorf("%s: no directory for the results: %w", s.o.Out, err)
	}
	return nil
}

// newModel builds the network of some hyperparameters.
func (s *session) newModel(h *Hyperparameters) (train.Trainable, error) {
	o, err := h.optimizer()
	if err != nil {
		return nil, wrap(ErrOption, err)
	}
	o.Schedule = h.schedule(o.LearningRate, s.o.Epochs, s.steps(h))
	m := h.network(s.data.training.Features(), s.outputs, s.output)
	model, err := s.engine.new(m, s.loss(), o, s.o.Seed)
	if err != nil {
		if err = fmt.Errorf("%s engine: %w", s.engine.name, err); errors.Is(err, train.ErrOption) {
			err = wrap(ErrOption, err)
		}
		return nil, err
	}
	return model, nil
}

// steps is how many a training takes in an epoch.
func (s *session) steps(h *Hyperparameters) int {
	return (s.data.training.Samples() - len(s.held) + h.Batch - 1) / h.Batch
}

// config is what a training of some hyperparameters shares with every other.
func (s *session) config(h *Hyperparameters, checkpoint string) train.Config {
	settings, err := json.Marshal(h)
	if err != nil {
		settings = nil // numbers, strings and a slice of them always marshal
	}
	if s.identity == "" {
		s.identity = s.data.identity()
	}
	c := train.Config{Epochs: h.Epochs, BatchSize: h.Batch, Seed: s.o.Seed, Validation: s.data.validation, ValidationIndices: s.held,
		Metrics: s.metrics(), OverfittingPatience: max(s.o.Patience, 3), Checkpoint: checkpoint, Resume: true,
		Identity: "data " + s.identity + ", hyperparameters " + string(withoutEpochs(settings))}
	return c
}

// withoutEpochs drops the number of epochs from settings, which a resumed run may raise.
func withoutEpochs(settings []byte) []byte {
	var m map[string]any
	if json.Unmarshal(settings, &m) != nil {
		return settings
	}
	delete(m, "epochs")
	out, err := json.Marshal(m)
	if err != nil {
		return settings
	}
	return out
}

// stopEarly lets a training end, or its learning rate fall, when it gets no better.
func (s *session) stopEarly(c *train.Config, h *Hyperparameters) {
	if s.o.Patience > 0 {
		c.EarlyStopping = &train.EarlyStopping{Patience: s.o.Patience}
		if s.validated && h.onPlateau() {
			c.ReduceLROnPlateau = &train.ReduceLROnPlateau{Patience: max(s.o.Patience/2, 1), Factor: 0.3, MinDelta: 1e-4}
		}
	}
}

func (s *session) train(ctx context.Context, began time.Time) error {
	h := &s.o.Hyperparameters
	model, err := s.newModel(h)
	if err != nil {
		return err
	}
	defer func() { _ = model.Close() }()
	s.report.Hyperparameters = *h
	c := s.config(h, filepath.Join(s.path("checkpoint"), "training.npz"))
	s.stopEarly(&c, h)
	c.OnProgress, c.OnEpoch = s.o.OnProgress, s.onEpoch
	fitted := time.Now()
	result, err := train.Fit(ctx, model, s.data.training, c)
	s.report.Seconds.Training = time.Since(fitted).Seconds()
	if result != nil {
		s.report.take(result)
	}
	if err != nil {
		return err
	}
	if s.o.Compare {
		if err := s.compareEngines(); err != nil {
			return err
		}
	}
	if s.unfrozen != nil {
		both, err := s.fineTune(ctx, model)
		if err != nil {
			return err
		}
		_ = model.Close() // the head's own
		model = both
	}
	if err := s.measure(model); err != nil {
		return err
	}
	for _, w := range s.report.Warnings {
		s.o.logf("%s", w)
	}
	s.report.Seconds.Total = time.Since(began).Seconds()
	return s.write(model)
}

// onEpoch follows the training: event files and history.csv grow with it.
func (s *session) onEpoch(e train.Epoch) error {
	if err := s.events.epoch(e); err != nil {
		return err
	}
	if s.o.OnEpoch != nil {
		return s.o.OnEpoch(e)
	}
	return nil
}
