package traintest

import (
	"fmt"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// bound is a data set bound to a Reference.
type bound struct {
	r        *Reference
	x, y     []float32
	weights  []float32
	samples  int
	targets  int // numbers a sample
	isClosed bool
}

// Bind checks that the samples fit.
func (r *Reference) Bind(d *train.Dataset) (train.Bound, error) {
	if r.closed {
		return nil, errClosed
	}
	if d.Samples() == 0 || d.Features() != r.spec.Inputs {
		return nil, fmt.Errorf("%w: the model takes %d features a sample, the data are %v", train.ErrData, r.spec.Inputs, d.X)
	}
	b := &bound{r: r, samples: d.Samples(), weights: d.Weights, targets: r.loss.TargetWidth(r.spec.Outputs)}
	switch d.X.DType() {
	case tensor.Float32:
		b.x, _ = tensor.Data[float32](d.X)
	case tensor.Uint8:
		bytes, _ := tensor.Data[uint8](d.X)
		b.x = make([]float32, len(bytes))
		for i, v := range bytes {
			b.x[i] = float32(v) * d.FeatureScale()
		}
	default:
		return nil, fmt.Errorf("%w: features are %v", train.ErrData, d.X.DType())
	}
	if d.Y != nil {
		if err := d.Validate(r.loss, r.spec.Outputs); err != nil {
			return nil, err
		}
		b.y, _ = d.Targets()
	}
	return b, nil
}

// Close makes every later use an error.
func (b *bound) Close() error { b.isClosed = true; return nil }

// Train takes a step a batch.
func (b *bound) Train(order []int32, batch int, outputs, losses []float32) error {
	return b.batches(order, batch, outputs, losses, true)
}

// Evaluate predicts.
func (b *bound) Evaluate(order []int32, batch int, outputs, losses []float32) error {
	return b.batches(order, batch, outputs, losses, false)
}

func (b *bound) batches(order []int32, batch int, outputs, losses []float32, training bool) error {
	width := b.r.spec.Outputs
	if b.r.closed || b.isClosed {
		return errClosed
	}
	if (training || losses != nil) && b.y == nil {
		return fmt.Errorf("%w: the data set has no targets", train.ErrData)
	}
	if batch < 1 || (outputs != nil && len(outputs) < len(order)*width) || (losses != nil && len(losses) < (len(order)+batch-1)/batch) {
		return fmt.Errorf("%w: batch size %d, room for %d outputs and %d losses", train.ErrOption, batch, len(outputs), len(losses))
	}
	for _, i := range order {
		if i < 0 || int(i) >= b.samples {
			return fmt.Errorf("%w: sample %d of %d", train.ErrData, i, b.samples)
		}
	}
	for from, n := 0, 0; from < len(order); from, n = from+batch, n+1 {
		to := min(from+batch, len(order))
		p, loss := b.step(order[from:to], training)
		if outputs != nil {
			for i, v := range p {
				outputs[from*width+i] = float32(v)
			}
		}
		if losses != nil {
			losses[n] = float32(loss)
		}
		if training && loss-loss != 0 {
			return fmt.Errorf("%w: %v at batch %d", train.ErrNotFinite, loss, n)
		}
	}
	return nil
}

// step runs one batch forward and, in training, backward, and returns the predictions and the loss.
func (b *bound) step(order []int32, training bool) (p []float64, loss float64) {
	r, width := b.r, b.r.spec.Outputs
	x := b.features(order)
	passes := make([]pass, len(r.layers))
	for i := range r.layers {
		passes[i] = r.layers[i].forward(x, r.mask(i, len(order), training))
		x = passes[i].dropped
	}
	if b.y == nil {
		return x, 0
	}
	y, weights := b.gather(order)
	l, last := r.loss, passes[len(passes)-1]
	on, fused := last.output, r.fused()
	if fused {
		on, l.FromLogits = last.sums, true
	}
	loss = train.LossValue(l, y, on, width, weights) + r.penalty()
	if !training {
		return x, loss
	}
	gradient := make([]float64, len(on))
	train.LossGradient(gradient, l, y, on, width, weights)
	for i := len(passes) - 1; i >= 0; i-- {
		gradient = r.layers[i].backward(gradient, passes[i], fused && i == len(passes)-1, r.spec)
	}
	r.update()
	return x, loss
}

// fused reports whether the loss is taken of the logits: a cross-entropy behind the activation that belongs to it.
func (r *Reference) fused() bool {
	if r.loss.FromLogits {
		return false
	}
	switch r.loss.Name {
	case train.BinaryCrossentropy:
		return r.spec.OutputActivation == "sigmoid"
	case train.CategoricalCrossentropy, train.SparseCategoricalCrossentropy:
		return r.spec.OutputActivation == "softmax"
	default:
		return false
	}
}

func (b *bound) features(order []int32) []float64 {
	n, x := b.r.spec.Inputs, []float64{}
	for _, i := range order {
		for _, v := range b.x[int(i)*n : (int(i)+1)*n] {
			x = append(x, float64(v))
		}
	}
	return x
}

func (b *bound) gather(order []int32) (y []float64, weights []float32) {
	for _, i := range order {
		for _, v := range b.y[int(i)*b.targets : (int(i)+1)*b.targets] {
			y = append(y, float64(v))
		}
		if b.weights != nil {
			weights = append(weights, b.weights[i])
		}
	}
	return y, weights
}
