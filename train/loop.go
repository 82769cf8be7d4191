package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/cambium-go/cambium/tensor"
)

// blockSamples is Config.Block's default.
const blockSamples = 16384

// run is one call of Fit.
type run struct {
	c      Config
	model  Trainable
	bound  Bound
	result Result

	training, held  []int32
	order           []int32
	targets         []float32 // of the data set, [samples, TargetWidth]
	weights         []float32
	validation      Bound // the same as bound where samples of one data set are held out
	heldTargets     []float32
	heldWeights     []float32
	monitorRises    map[string]bool
	outputs, losses []float32
	batchTargets    []float32
	batchWeights    []float32

	saver     *saver // nil: no checkpoints
	rate      float64
	early     watch
	plateau   watch
	best      []*tensor.Tensor // weights of the best epoch
	epoch     int              // the last complete one
	untrained float64          // the loss of the first batch of all
	finished  bool
}

func newRun(m Trainable, d *Dataset, c Config) (*run, error) {
	r := &run{c: c, model: m}
	width := m.OutputWidth()
	err := d.Validate(m.Loss(), width)
	if err != nil {
		return nil, err
	}
	if r.training, r.held, err = c.split(d.Samples()); err != nil {
		return nil, err
	}
	if r.targets, err = d.Targets(); err != nil {
		return nil, err
	}
	if err := r.manyClasses(m.Loss()); err != nil {
		return nil, err
	}
	if err := weighed(d.Weights, r.training); err != nil {
		return nil, err
	}
	r.weights, r.order = d.Weights, slices.Clone(r.training)
	m.Seed(c.Seed)
	if r.bound, err = m.Bind(d); err != nil {
		return nil, err
	}
	r.validation, r.heldTargets, r.heldWeights = r.bound, r.targets, r.weights
	if c.Validation != nil {
		err = r.bindValidation(c.Validation)
	}
	if err == nil {
		err = weighed(r.heldWeights, r.held)
	}
	if err != nil {
		r.close()
		return nil, fmt.Errorf("validation data: %w", err)
	}
	r.monitorRises = map[string]bool{"loss": false, "val_loss": false}
	for _, metric := range c.Metrics {
		r.monitorRises[metric.Name()], r.monitorRises["val_"+metric.Name()] = metric.Rises(), metric.Rises()
	}
	samples := min(max(c.Block, c.BatchSize), max(len(r.training), len(r.held)))
	r.losses = make([]float32, samples)
	if len(c.Metrics) > 0 {
		r.outputs = make([]float32, samples*width)
		r.batchTargets = make([]float32, samples*m.Loss().TargetWidth(width))
		r.batchWeights = make([]float32, samples)
	}
	return r, nil
}

func (r *run) bindValidation(d *Dataset) (err error) {
	if err = d.Validate(r.model.Loss(), r.model.OutputWidth()); err != nil {
		return err
	}
	if r.heldTargets, err = d.Targets(); err != nil {
		return err
	}
	r.heldWeights = d.Weights
	for i := range d.Samples() {
		r.held = append(r.held, int32(i))
	}
	r.validation, err = r.model.Bind(d)
	return err
}

func (r *run) close() {
	if r.validation != nil && r.validation != r.bound {
		_ = r.validation.Close() // the result is already known
	}
	_ = r.bound.Close()
}

// manyClasses returns an error if a classifier is given one class only.
func (r *run) manyClasses(l Loss) error {
	tw := l.TargetWidth(r.model.OutputWidth())
	if !l.Sparse() && l.Name != CategoricalCrossentropy && (l.Name != BinaryCrossentropy || tw > 1) {
		return nil
	}
	first := r.targets[int(r.training[0])*tw : (int(r.training[0])+1)*tw]
	for _, i := range r.training {
		if !slices.Equal(first, r.targets[int(i)*tw:(int(i)+1)*tw]) {
			return nil
		}
	}
	return fmt.Errorf("%w: all %d training samples are of class %d: two classes at least are needed", ErrData, len(r.training), classOfTarget(first))
}

// weighed returns an error if all of some samples, of which there are any, have weight 0.
func weighed(weights []float32, samples []int32) error {
	if weights == nil || len(samples) == 0 || slices.ContainsFunc(samples, func(i int32) bool { return weights[i] > 0 }) {
		return nil
	}
	return fmt.Errorf("%w: all %d samples have weight 0", ErrData, len(samples))
}

func classOfTarget(y []float32) int {
	if len(y) == 1 {
		return int(y[0])
	}
	return Argmax(y)
}

// all runs the epochs, then puts the best weights back.
func (r *run) all(ctx context.Context) error {
	state, err := r.model.State()
	if err != nil {
		return err
	}
	r.rate, r.result.Steps = state.LearningRate, state.Iterations
	if r.c.Resume {
		if err := r.load(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := r.epochs(ctx); err != nil {
		return err
	}
	r.result.BestEpoch = r.epoch
	if r.best != nil {
		r.result.BestEpoch = max(r.early.BestEpoch, r.c.EarlyStopping.StartFromEpoch+1)
		return r.model.SetWeights(r.best)
	}
	return nil
}

// epochs runs those that are left, and waits until their checkpoints are written.
func (r *run) epochs(ctx context.Context) (err error) {
	if r.c.Checkpoint != "" {
		r.saver = newSaver(r.c.Checkpoint)
		defer func() {
			if failed := r.saver.close(); err == nil {
				err = failed
			}
		}()
	}
	for !r.finished && r.epoch < r.c.Epochs {
		if err := r.oneEpoch(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) oneEpoch(ctx context.Context) error {
	epoch, began := r.epoch+1, time.Now()
	if r.c.BeforeEpoch != nil {
		if err := r.c.BeforeEpoch(epoch); err != nil {
			return err
		}
	}
	logs := map[string]float64{"learning_rate": r.rate}
	if s := r.model.Optimizer().Schedule; s != nil {
		logs["learning_rate"] = s.At(r.result.Steps)
	}
	if err := r.train(ctx, epoch, began, logs); err != nil {
		return err
	}
	if len(r.held) > 0 {
		if err := r.validate(ctx, logs); err != nil {
			return fmt.Errorf("epoch %d, validation: %w", epoch, err)
		}
	}
	e := Epoch{Epoch: epoch, Logs: logs, Seconds: time.Since(began).Seconds()}
	r.result.History = append(r.result.History, e)
	r.epoch = epoch
	if err := r.decide(e); err != nil {
		return err
	}
	if r.c.OnEpoch != nil {
		if err := r.c.OnEpoch(e); err != nil {
			return err
		}
	}
	return r.save()
}

// train runs an epoch's steps.
func (r *run) train(ctx context.Context, epoch int, began time.Time, logs map[string]float64) error {
	copy(r.order, r.training)
	if !r.c.NoShuffle {
		NewRandom(r.c.Seed, streamShuffle+uint64(epoch)).Shuffle(r.order)
	}
	for _, m := range r.c.Metrics {
		m.Reset()
	}
	block, sum, done := max(r.c.Block/r.c.BatchSize, 1)*r.c.BatchSize, 0.0, 0
	for done < len(r.order) {
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("train: interrupted in epoch %d: %w", epoch, err)
		}
		part := r.order[done:min(done+block, len(r.order))]
		outputs, losses := r.room(part, r.c.BatchSize)
		err := r.bound.Train(part, r.c.BatchSize, outputs, losses)
		if err != nil && !errors.Is(err, ErrNotFinite) {
			return fmt.Errorf("epoch %d: %w", epoch, err)
		}
		if at := slices.IndexFunc(losses, notFinite); at >= 0 || err != nil {
			return fmt.Errorf("%w: epoch %d, batch %d of %d (learning rate %g): a lower learning rate or gradient clipping helps", ErrNotFinite,
				epoch, done/r.c.BatchSize+max(at, 0)+1, (len(r.order)+r.c.BatchSize-1)/r.c.BatchSize, logs["learning_rate"])
		}
		if r.result.Steps == 0 {
			r.untrained = float64(losses[0])
		}
		sum += lossSum(losses, len(part), r.c.BatchSize)
		r.measure(part, outputs, r.targets, r.weights)
		done += len(part)
		r.result.Steps += int64(len(losses))
		if r.c.OnProgress != nil {
			r.c.OnProgress(Progress{Epoch: epoch, Epochs: r.c.Epochs, Samples: done, Of: len(r.order), Loss: sum / float64(done),
				Seconds: time.Since(began).Seconds()})
		}
	}
	logs["loss"] = sum / float64(done)
	r.results("", logs)
	return nil
}

// validate evaluates the samples held out. The batch size changes nothing but the speed.
func (r *run) validate(ctx context.Context, logs map[string]float64) error {
	for _, m := range r.c.Metrics {
		m.Reset()
	}
	block := r.c.Block
	batch, sum := min(1024, block, len(r.held)), 0.0
	for from := 0; from < len(r.held); from += block {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		part := r.held[from:min(from+block, len(r.held))]
		outputs, losses := r.room(part, batch)
		if err := r.validation.Evaluate(part, batch, outputs, losses); err != nil {
			return err
		}
		if at := slices.IndexFunc(losses, notFinite); at >= 0 {
			return fmt.Errorf("%w: among samples %d to %d", ErrNotFinite, from+at*batch, min(from+(at+1)*batch, len(r.held))-1)
		}
		sum += lossSum(losses, len(part), batch)
		r.measure(part, outputs, r.heldTargets, r.heldWeights)
	}
	logs["val_loss"] = sum / float64(len(r.held))
	r.results("val_", logs)
	return nil
}

// room returns where an engine puts outputs (nil without metrics) and losses of the samples in part.
func (r *run) room(part []int32, batch int) (outputs, losses []float32) {
	if r.outputs != nil {
		outputs = r.outputs[:len(part)*r.model.OutputWidth()]
	}
	return outputs, r.losses[:(len(part)+batch-1)/batch]
}

// measure updates the metrics with the outputs of some samples.
func (r *run) measure(part []int32, outputs, targets, weights []float32) {
	if len(r.c.Metrics) == 0 {
		return
	}
	width := r.model.OutputWidth()
	tw := r.model.Loss().TargetWidth(width)
	y := r.batchTargets[:len(part)*tw]
	for i, s := range part {
		copy(y[i*tw:(i+1)*tw], targets[int(s)*tw:])
	}
	var w []float32
	if weights != nil {
		w = r.batchWeights[:len(part)]
		for i, s := range part {
			w[i] = weights[s]
		}
	}
	for _, m := range r.c.Metrics {
		m.Update(y, outputs, width, w)
	}
}

func (r *run) results(prefix string, logs map[string]float64) {
	for _, m := range r.c.Metrics {
		logs[prefix+m.Name()] = m.Result()
	}
}

// lossSum returns the sum over samples of their batch's loss.
func lossSum(losses []float32, samples, batch int) float64 {
	sum := 0.0
	for i, l := range losses {
		sum += float64(l) * float64(min(batch, samples-i*batch))
	}
	return sum
}

func notFinite(v float32) bool { return v-v != 0 }

// decide does what the epoch's figures call for.
func (r *run) decide(e Epoch) error {
	r.warn(e)
	if len(r.held) > 0 {
		r.result.Overfitting = DetectOverfitting(r.result.History, r.c.OverfittingPatience)
		r.result.Overfitting.Stopped = r.c.EarlyStopping != nil && !r.c.EarlyStopping.KeepLast
	}
	if p := r.c.ReduceLROnPlateau; p != nil {
		value, rises, err := r.monitored(p.Monitor, e)
		if err != nil {
			return err
		}
		if rate := p.reduce(&r.plateau, e.Epoch, value, r.rate, rises); rate != r.rate {
			r.rate = rate
			if err := r.model.SetLearningRate(rate); err != nil {
				return err
			}
		}
	}
	if s := r.c.EarlyStopping; s != nil {
		value, rises, err := r.monitored(s.Monitor, e)
		if err != nil {
			return err
		}
		best, end := s.stop(&r.early, e.Epoch, value, rises)
		if (best || r.best == nil) && !s.KeepLast && e.Epoch > s.StartFromEpoch {
			if r.best, err = r.copyWeights(); err != nil {
				return err
			}
		}
		r.finished, r.result.EarlyStopped = end, end
	}
	return nil
}

func (r *run) copyWeights() ([]*tensor.Tensor, error) {
	weights, err := r.model.Weights(true)
	values := make([]*tensor.Tensor, len(weights))
	for i, w := range weights {
		values[i] = w.Value
	}
	return values, err
}

// monitored returns the figure that a callback watches, and whether a larger one is better.
func (r *run) monitored(key string, e Epoch) (value float64, rises bool, err error) {
	if key == "" {
		key = "loss"
		if len(r.held) > 0 {
			key = "val_loss"
		}
	}
	value, ok := e.Logs[key]
	rises, known := r.monitorRises[key]
	if !ok || !known {
		return 0, false, fmt.Errorf("%w: there is no %q to monitor; there are %v", ErrOption, key, History{e}.Keys())
	}
	return value, rises, nil
}

// explosion is how many times the first batch's loss the first epoch's must be to have risen within it: batches differ by less.
const explosion = 100

// warn adds a warning where the loss has risen within the first epoch, or to twice that epoch's later: the learning rate is too high.
func (r *run) warn(e Epoch) {
	first, loss := r.result.History[0].Logs["loss"], e.Logs["loss"]
	warning := ""
	switch {
	case len(r.result.Warnings) > 0:
	case e.Epoch == 1 && r.untrained != 0 && loss > explosion*math.Abs(r.untrained):
		warning = fmt.Sprintf("the loss rises: %.4g over epoch 1, %.4g of its first batch; the learning rate %g may be too high", loss, r.untrained, e.Logs["learning_rate"])
	case e.Epoch > 1 && loss > 2*math.Abs(first):
		warning = fmt.Sprintf("the loss rises: %.4g after epoch %d, %.4g after epoch 1; the learning rate %g may be too high", loss, e.Epoch, first, e.Logs["learning_rate"])
	}
	if warning != "" {
		r.result.Warnings = append(r.result.Warnings, warning)
	}
}
