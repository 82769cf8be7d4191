//go:build cgo

package tfbridge

/*
#include "run.h"
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// bound is a data set in TensorFlow's memory; what a base takes stays in Go's.
type bound struct {
	t       *trainable
	copied  *copied
	kind    kind
	samples int
	x       *tensor.Tensor // of a base
}

// Bind copies a data set into variables of its own.
func (t *trainable) Bind(d *train.Dataset) (train.Bound, error) {
	if t.session == nil {
		return nil, ErrClosed
	}
	b := &bound{t: t, samples: d.Samples()}
	feeds, err := b.tensors(d)
	if err != nil {
		return nil, err
	}
	if b.copied, err = t.copyFor(b.kind); err != nil {
		return nil, err
	}
	named := make(map[string]*tensor.Tensor, len(feeds))
	var targets []string
	for node, v := range feeds {
		value, assign := setter(node)
		named[b.copied.prefix+value+":0"] = v
		targets = append(targets, b.copied.prefix+assign)
	}
	t.bounds[b] = struct{}{}
	if len(targets) == 0 { // a base's samples stay where they are, and there are no others' targets
		return b, nil
	}
	if _, err := t.session.do(named, nil, targets...); err != nil {
		_ = b.Close() // the first error says more
		return nil, fmt.Errorf("binding a data set: %w", err)
	}
	return b, nil
}

// tensors returns what the variables of the data set are set to, by their nodes.
func (b *bound) tensors(d *train.Dataset) (map[string]*tensor.Tensor, error) {
	t := b.t
	if b.samples == 0 {
		return nil, fmt.Errorf("%w: there are no samples", train.ErrData)
	}
	if d.X.DType() != tensor.Float32 && d.X.DType() != tensor.Uint8 {
		return nil, fmt.Errorf("%w: features are %v; float32 and uint8 can be trained on", train.ErrData, d.X.DType())
	}
	b.kind = kind{bytes: d.X.DType() == tensor.Uint8, targets: d.Y != nil, weights: d.Y != nil && d.Weights != nil}
	feeds := map[string]*tensor.Tensor{}
	if b.kind.bytes {
		feeds[nodeScale] = tensor.Scalar(d.FeatureScale())
	}
	err := b.features(d, feeds)
	if err != nil || !b.kind.targets {
		return feeds, err
	}
	y, err := d.Targets()
	if err != nil {
		return nil, err
	}
	if t.loss.Sparse() {
		labels := make([]int32, len(y))
		for i, v := range y {
			labels[i] = int32(v)
		}
		feeds[nodeY], err = tensor.Of(labels, b.samples)
	} else {
		feeds[nodeY], err = tensor.Of(y, b.samples, t.mlp.Outputs)
	}
	if err == nil && b.kind.weights {
		feeds[nodeWeights], err = tensor.Of(d.Weights, b.samples)
	}
	return feeds, err
}

// features adds the samples, where they are to lie in TensorFlow's memory, and checks the data set. What a base takes may be more
// than fits into memory: each batch is looked at when it is fed.
func (b *bound) features(d *train.Dataset, feeds map[string]*tensor.Tensor) error {
	t := b.t
	if t.base != nil {
		if !compatible(t.base.sample, d.X.Shape()[1:]) {
			return fmt.Errorf("%w: samples of %v for a base that takes %v", train.ErrData, d.X.Shape()[1:], t.base.sample)
		}
		b.x = d.X
		if b.kind.targets {
			return d.ValidateTargets(t.loss, t.mlp.Outputs)
		}
		return nil
	}
	if d.Features() != t.mlp.Inputs {
		return fmt.Errorf("%w: samples of %d features for a network of %d inputs", train.ErrData, d.Features(), t.mlp.Inputs)
	}
	var err error
	if feeds[nodeX], err = d.X.Reshape(b.samples, t.mlp.Inputs); err == nil && b.kind.targets {
		err = d.Validate(t.loss, t.mlp.Outputs)
	}
	return err
}

// check looks at the arguments of Train and Evaluate.
func (b *bound) check(order []int32, batch int, outputs, losses []float32) error {
	switch width := b.t.mlp.Outputs; {
	case b.copied == nil || b.t.session == nil:
		return ErrClosed
	case batch < 1:
		return fmt.Errorf("%w: batch size %d", train.ErrOption, batch)
	case outputs != nil && len(outputs) < len(order)*width:
		return fmt.Errorf("%w: room for %d outputs, %d are needed", train.ErrOption, len(outputs), len(order)*width)
	case losses != nil && len(losses) < (len(order)+batch-1)/batch:
		return fmt.Errorf("%w: room for %d losses, %d are needed", train.ErrOption, len(losses), (len(order)+batch-1)/batch)
	case losses != nil && !b.kind.targets:
		return fmt.Errorf("%w: the data set has no targets, so there are no losses", train.ErrData)
	}
	for i, s := range order {
		if s < 0 || int(s) >= b.samples {
			return fmt.Errorf("%w: order[%d] is sample %d of %d", train.ErrData, i, s, b.samples)
		}
	}
	return nil
}

// Train takes one step a batch, each of them one run of the session.
func (b *bound) Train(order []int32, batch int, outputs, losses []float32) error {
	if err := b.check(order, batch, outputs, losses); err != nil {
		return err
	}
	if !b.kind.targets {
		return fmt.Errorf("%w: the data set has no targets to train on", train.ErrData)
	}
	p, err := b.copied.plan(b.t, true, true)
	if err != nil {
		return err
	}
	return b.each(p, order, batch, outputs, losses, true)
}

// Evaluate predicts without dropout.
func (b *bound) Evaluate(order []int32, batch int, outputs, losses []float32) error {
	if err := b.check(order, batch, outputs, losses); err != nil {
		return err
	}
	p, err := b.copied.plan(b.t, false, losses != nil)
	if err != nil {
		return err
	}
	return b.each(p, order, batch, outputs, losses, false)
}

// each runs a plan on one batch after the other.
func (b *bound) each(p *plan, order []int32, batch int, outputs, losses []float32, training bool) error {
	width := b.t.mlp.Outputs
	for i := 0; i*batch < len(order); i++ {
		first, last := i*batch, min(len(order), (i+1)*batch)
		var out []float32
		if outputs != nil {
			out = outputs[first*width : last*width]
		}
		loss, err := b.batch(p, order[first:last], out, training)
		if losses != nil {
			losses[i] = loss
		}
		if err == nil && training && loss-loss != 0 {
			err = fmt.Errorf("%w: %v", train.ErrNotFinite, loss)
		}
		if err != nil {
			return fmt.Errorf("batch %d: %w", i+1, err)
		}
	}
	return nil
}

// evaluated is how many samples go through a base at once where nothing is trained: the batch is for the caller to say, who does
// not know how much memory a sample takes.
const evaluated = 32

// batch runs one batch and returns its loss.
func (b *bound) batch(p *plan, order []int32, out []float32, training bool) (float32, error) {
	if training || b.x == nil || len(order) <= evaluated {
		return b.run(p, order, out, training)
	}
	sum, width := 0.0, b.t.mlp.Outputs
	for from := 0; from < len(order); from += evaluated {
		to := min(from+evaluated, len(order))
		var part []float32
		if out != nil {
			part = out[from*width : to*width]
		}
		loss, err := b.run(p, order[from:to], part, false)
		if err != nil {
			return 0, err
		}
		sum += float64(loss) * float64(to-from)
	}
	return float32(sum / float64(len(order))), nil
}

// run runs one batch and returns its loss; NaN where that is not wanted.
func (b *bound) run(p *plan, order []int32, out []float32, training bool) (float32, error) {
	t := b.t
	c := t.call
	c.grow(len(p.inputs), len(p.outputs))
	if err := b.feed(c, p, order); err != nil {
		return 0, err
	}
	c.setOptions(0, !t.gpu)
	if err := c.run(p, len(order)); err != nil {
		return 0, err
	}
	defer c.freeOutputs(p)
	if training {
		t.iterations++
	}
	loss := float32(math.NaN())
	if len(p.outputs) > 1 {
		loss = c.floats(1)[0]
	}
	copy(out, c.floats(0))
	return loss, nil
}

// feed sets the inputs of a plan.
func (b *bound) feed(c *call, p *plan, order []int32) error {
	t := b.t
	for i := range p.inputs {
		var err error
		switch p.inputs[i].Name {
		case nodeIndex:
			err = put(c, i, tensor.Int32, order)
		case nodeCoefficients:
			k := t.optimizer.Coefficients(t.iterations, t.optimizer.RateAt(t.iterations, t.rate))
			err = put(c, i, tensor.Float32, []float32{k.LearningRate, k.Alpha, k.Decay})
		case nodeSeed:
			err = put(c, i, tensor.Int64, []int64{int64(t.seed.At(0)), t.iterations})
		case nodeSamples:
			err = b.gather(c, i, order)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// gather copies the samples of a batch into the memory of input i.
func (b *bound) gather(c *call, i int, order []int32) error {
	data, shape := b.x.Bytes(), b.x.Shape()
	size := len(data) / b.samples
	buffer, err := c.reserve(i, len(order)*size)
	if err != nil {
		return err
	}
	to := unsafe.Slice((*byte)(buffer.data), len(order)*size)
	for k, s := range order {
		copy(to[k*size:(k+1)*size], data[int(s)*size:])
	}
	v := &unsafe.Slice(c.c.inputs, i+1)[i]
	v.dtype, v.rank, v.bytes = C.int32_t(b.x.DType()), C.int32_t(len(shape)), C.size_t(len(to))
	for k, d := range shape {
		v.dims[k] = C.int64_t(d)
	}
	v.dims[0] = C.int64_t(len(order))
	if !b.kind.bytes {
		return train.CheckFeatures(unsafe.Slice((*float32)(buffer.data), len(to)/4), order)
	}
	return nil
}

// put copies a vector into the memory of input i.
func put[T int32 | int64 | float32](c *call, i int, d tensor.DType, values []T) error {
	size := len(values) * int(unsafe.Sizeof(values[0]))
	b, err := c.reserve(i, size)
	if err != nil {
		return err
	}
	v := &unsafe.Slice(c.c.inputs, i+1)[i]
	v.dtype, v.rank, v.bytes, v.dims[0] = C.int32_t(d), 1, C.size_t(size), C.int64_t(len(values))
	copy(unsafe.Slice((*T)(b.data), len(values)), values)
	return nil
}

// floats returns output i, in TensorFlow's memory.
func (c *call) floats(i int) []float32 {
	v := &unsafe.Slice(c.c.outputs, i+1)[i]
	return unsafe.Slice((*float32)(v.data), int(v.bytes)/4)
}

// Close frees the data; the copy of the network is kept for the next data set of the kind.
func (b *bound) Close() error {
	if b.copied == nil || b.t.session == nil {
		return nil
	}
	_, err := b.t.session.do(nil, nil, b.copied.prefix+nodeFree)
	delete(b.t.bounds, b)
	b.t.idle[b.kind] = append(b.t.idle[b.kind], b.copied)
	b.copied = nil
	return err
}
