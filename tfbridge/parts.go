//go:build cgo

package tfbridge

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/cambium-go/cambium/tensor"
)

// runParts runs a plan on so many rows of the inputs after the other, on as many cores as the gate lets it have: one kernel
// thread on each core gets more done than all cores in one kernel. It returns the outputs for all rows.
func (e *engine) runParts(ctx context.Context, p *plan, inputs map[string]*tensor.Tensor, parts []int) (map[string]*tensor.Tensor, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	all := rows(p.inputs, inputs)
	for i := range p.inputs {
		if n := leading(inputs[p.inputs[i].Name]); n != all { // not a batch: TensorFlow says what is wrong, or broadcasts
			return e.runOnce(ctx, p, inputs, all)
		}
	}
	starts := make([]int, len(parts)+1)
	for i, n := range parts {
		starts[i+1] = starts[i] + n
	}
	if e.opts.Timeout > 0 { // of all of them together
		limited, cancel := context.WithTimeout(ctx, e.opts.Timeout)
		defer cancel()
		ctx = limited
	}
	results := make([]map[string]*tensor.Tensor, len(parts))
	var next atomic.Int64
	var workers errgroup.Group
	for range min(cap(e.gate.tokens), len(parts)) {
		workers.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(parts) {
					return nil
				}
				part, err := rowsOf(inputs, starts[i], starts[i+1])
				if err == nil {
					results[i], err = e.runOnce(ctx, p, part, parts[i])
				}
				if err != nil {
					next.Store(int64(len(parts))) // the others need not go on
					return err
				}
			}
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	return joined(p, results)
}

// rowsOf returns rows from (inclusive) to (exclusive) of every input.
func rowsOf(inputs map[string]*tensor.Tensor, from, to int) (map[string]*tensor.Tensor, error) {
	part := make(map[string]*tensor.Tensor, len(inputs))
	for name, t := range inputs {
		var err error
		if part[name], err = t.Rows(from, to); err != nil {
			return nil, err
		}
	}
	return part, nil
}

// copyInto copies the outputs of all parts into y.
func copyInto(y, outputs *tensor.Tensor) error {
	if err := checkInto(y, outputs.DType(), outputs.Shape()); err != nil {
		return err
	}
	copy(y.Bytes(), outputs.Bytes())
	if y.DType() != tensor.String {
		return nil
	}
	to, err := tensor.Data[string](y)
	if err != nil {
		return err
	}
	from, err := tensor.Data[string](outputs)
	copy(to, from)
	return err
}

// joined returns the outputs of all parts, one behind the other.
func joined(p *plan, results []map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	outputs := make(map[string]*tensor.Tensor, len(p.outputs))
	for i := range p.outputs {
		name := p.outputs[i].Name
		parts := make([]*tensor.Tensor, len(results))
		for k := range results {
			parts[k] = results[k][name]
		}
		var err error
		if outputs[name], err = tensor.Concat(parts...); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}
