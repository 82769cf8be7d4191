package inference

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

// ErrBatch says that inputs or outputs cannot be split along the first dimension.
var ErrBatch = errors.New("cannot be split into batches")

// Call runs a model once: cambium.Model.Call, or a Fetch.
type Call func(ctx context.Context, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error)

// Batches is a stream of inputs.
type Batches = iter.Seq2[map[string]*tensor.Tensor, error]

// Run calls a model on each batch and joins the outputs along the first dimension; progress, which may be nil, hears of the
// rows that are done.
func Run(ctx context.Context, call Call, batches Batches, progress func(rows int)) (map[string]*tensor.Tensor, error) {
	var parts []map[string]*tensor.Tensor
	done, rows := 0, 0
	for batch, err := range batches {
		if err != nil {
			return nil, err
		}
		outputs, err := call(ctx, batch)
		if err != nil && len(parts) == 0 {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("batch from row %d on: %w", done, err)
		}
		parts = append(parts, outputs)
		rows, _ = commonRows(batch)
		done += max(rows, 0)
		if progress != nil {
			progress(done)
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return join(parts, done)
}

// Naming returns a call on batches of image files that says which file a batch fails on: it tries one after the other then.
func Naming(call Call, files []string) Call {
	return func(ctx context.Context, batch map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
		outputs, err := call(ctx, batch)
		rows, errRows := commonRows(batch)
		if errRows != nil || rows > len(files) {
			return outputs, err
		}
		these := files[:rows]
		files = files[rows:]
		if err == nil {
			return outputs, nil
		}
		for i, file := range these {
			one, errOne := slice(batch, i, i+1)
			if errOne == nil {
				_, errOne = call(ctx, one)
			}
			if errOne != nil {
				return nil, fmt.Errorf("%s: %w", file, errOne)
			}
		}
		return nil, err
	}
}

// Split yields inputs in batches of size rows; size 0 means all at once. Every input needs the same first dimension.
func Split(inputs map[string]*tensor.Tensor, size int) (Batches, error) {
	rows, err := commonRows(inputs)
	if size <= 0 || (err == nil && rows <= size) {
		return func(yield func(map[string]*tensor.Tensor, error) bool) { yield(inputs, nil) }, nil
	}
	if err != nil {
		return nil, err
	}
	return func(yield func(map[string]*tensor.Tensor, error) bool) {
		for from := 0; from < rows; from += size {
			if !yield(slice(inputs, from, min(from+size, rows))) {
				return
			}
		}
	}, nil
}

func slice(inputs map[string]*tensor.Tensor, from, to int) (map[string]*tensor.Tensor, error) {
	batch := map[string]*tensor.Tensor{}
	for name, t := range inputs {
		var err error
		if batch[name], err = t.Rows(from, to); err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
	}
	return batch, nil
}

// commonRows returns the first dimension that all inputs have.
func commonRows(inputs map[string]*tensor.Tensor) (int, error) {
	rows := -1
	for _, name := range Names(inputs) {
		t := inputs[name]
		switch {
		case t.Rank() == 0:
			return 0, fmt.Errorf("input %s: %w: it is a scalar", name, ErrBatch)
		case rows >= 0 && t.Shape()[0] != rows:
			return 0, fmt.Errorf("input %s: %w: it has %d rows, another input has %d", name, ErrBatch, t.Shape()[0], rows)
		default:
			rows = t.Shape()[0]
		}
	}
	return rows, nil
}

// join joins each output of all batches; together they must have as many rows as the inputs.
func join(parts []map[string]*tensor.Tensor, rows int) (map[string]*tensor.Tensor, error) {
	outputs := map[string]*tensor.Tensor{}
	if len(parts) == 0 {
		return outputs, nil
	}
	for name := range parts[0] {
		column := make([]*tensor.Tensor, len(parts))
		for i, p := range parts {
			column[i] = p[name]
		}
		t, err := tensor.Concat(column...)
		if err != nil || t.Shape()[0] != rows {
			return nil, fmt.Errorf("output %s: %w: it is %v, not a row for each row of the input; run it without --batch", name, ErrBatch, parts[0][name].Shape())
		}
		outputs[name] = t
	}
	return outputs, nil
}

// Names returns the keys of a set of values, sorted.
func Names(values map[string]*tensor.Tensor) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
