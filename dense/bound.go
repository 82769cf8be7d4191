package dense

import (
	"fmt"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// bound is a data set bound to the model: views of its memory.
type bound struct {
	m           *Model
	samples     int
	floats      []float32
	bytes       []uint8
	scale       float32
	targets     []float32
	targetWidth int
	weights     []float32
	closed      bool
	trained     int // samples so far
	settled     bool
	sparse      bool // worth skipping zeros

	// Evaluate's:
	evaluation evaluation
}

// Bind makes a data set ready for training and evaluation. Its memory is shared, not copied; only integer targets are
// converted.
func (m *Model) Bind(d *train.Dataset) (train.Bound, error) {
	b, err := m.bind(d)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (m *Model) bind(d *train.Dataset) (*bound, error) {
	if err := m.ready(); err != nil {
		return nil, err
	}
	if d.Samples() == 0 {
		return nil, fmt.Errorf("dense: %w: there are no samples", train.ErrData)
	}
	if got := d.X.Shape()[1:]; !got.Equal(m.inputShape) && !(len(m.inputShape) == 1 && d.Features() == m.inputShape[0]) {
		return nil, fmt.Errorf("dense: %w: samples of shape %v for a model that takes %v", train.ErrData, got, tensor.Shape(m.inputShape))
	}
	b := &bound{m: m, samples: d.Samples(), scale: d.FeatureScale(), weights: d.Weights, targetWidth: m.loss.TargetWidth(m.OutputWidth())}
	var err error
	if d.X.DType() == tensor.Uint8 {
		b.bytes, err = tensor.Data[uint8](d.X)
	} else {
		b.floats, err = tensor.Data[float32](d.X)
	}
	if err != nil {
		return nil, fmt.Errorf("dense: features: %w", err)
	}
	if d.Y != nil {
		if err := d.Validate(m.loss, m.OutputWidth()); err != nil {
			return nil, err
		}
		if b.targets, err = d.Targets(); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bounds[b] = struct{}{}
	return b, nil
}

func (b *bound) weight(i int) float32 {
	if b.weights == nil {
		return 1
	}
	return b.weights[i]
}

func (b *bound) target(i int) []float32 { return b.targets[i*b.targetWidth:][:b.targetWidth] }

// check looks at the arguments of Train and Evaluate.
func (b *bound) check(order []int32, batch int, outputs, losses []float32) error {
	switch width := b.m.OutputWidth(); {
	case b.closed:
		return ErrClosed
	case batch < 1:
		return fmt.Errorf("dense: %w: batch size %d", train.ErrOption, batch)
	case outputs != nil && len(outputs) < len(order)*width:
		return fmt.Errorf("dense: %w: room for %d outputs, %d are needed", train.ErrOption, len(outputs), len(order)*width)
	case losses != nil && len(losses) < (len(order)+batch-1)/batch:
		return fmt.Errorf("dense: %w: room for %d losses, %d are needed", train.ErrOption, len(losses), (len(order)+batch-1)/batch)
	case losses != nil && b.targets == nil:
		return fmt.Errorf("dense: %w: the data set has no targets, so there are no losses", train.ErrData)
	}
	for i, s := range order {
		if s < 0 || int(s) >= b.samples {
			return fmt.Errorf("dense: %w: order[%d] is sample %d of %d", train.ErrData, i, s, b.samples)
		}
	}
	return nil
}

// Train takes one optimizer step a batch.
func (b *bound) Train(order []int32, batch int, outputs, losses []float32) error {
	if err := b.check(order, batch, outputs, losses); err != nil {
		return err
	}
	if b.targets == nil {
		return fmt.Errorf("dense: %w: the data set has no targets to train on", train.ErrData)
	}
	if len(order) == 0 {
		return nil
	}
	t, err := b.m.trainerFor(min(batch, len(order)))
	if err != nil {
		return err
	}
	b.m.poolRun.Lock()
	defer b.m.poolRun.Unlock()
	if b.trained == 0 {
		b.sparse = t.skipsZeros(b)
	}
	b.settle(len(order))
	t.pool.Begin()
	defer t.pool.End()
	width := b.m.OutputWidth()
	for i := 0; i*batch < len(order); i++ {
		first, last := i*batch, min(len(order), (i+1)*batch)
		next := order[last:min(len(order), last+batch)]
		var out []float32
		if outputs != nil {
			out = outputs[first*width : last*width]
		}
		loss, err := t.step(b, order[first:last], next, out)
		if losses != nil {
			losses[i] = float32(loss)
		}
		if err != nil {
			return fmt.Errorf("batch %d: %w", i+1, err)
		}
	}
	return nil
}

// hugePageBytes is from what size on a data set is moved to huge pages: where it outgrows a core's address cache.
const hugePageBytes = 16 << 20

// settle notes that some samples are about to be trained on. A data set that is trained on for a second time is worth moving
// to huge pages.
func (b *bound) settle(samples int) {
	if b.trained >= b.samples && !b.settled && 4*len(b.floats)+len(b.bytes) >= hugePageBytes {
		hugePages(b.floats)
		hugePages(b.bytes)
		b.settled = true
	}
	b.trained += samples
}

// trainerFor returns a trainer with room for a batch.
func (m *Model) trainerFor(batch int) (*trainer, error) {
	if err := m.ready(); err != nil {
		return nil, err
	}
	p, err := m.threadPool()
	if err != nil {
		return nil, err
	}
	if m.trainer == nil || m.trainer.capacity < batch {
		m.trainer = newTrainer(m, p, batch)
	}
	return m.trainer, nil
}

// Close forgets the data set.
func (b *bound) Close() error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	b.closed = true
	delete(b.m.bounds, b)
	return nil
}
