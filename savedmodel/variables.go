package savedmodel

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// ReadVariables reads the values of the graph's variables from its checkpoint into g.Variables: those that a signature or the
// init op depends on; what only belongs to training stays on the disk. A graph without a checkpoint has none to read.
func ReadVariables(g *graph.Graph) error {
	if g.Checkpoint == nil {
		return nil
	}
	flat, err := graph.Inline(g) // once for both questions
	if err != nil {
		return err
	}
	restored, err := graph.RestoreMap(flat)
	if err != nil {
		return err
	}
	if len(restored) == 0 {
		return nil
	}
	bundle, err := OpenBundle(g.Checkpoint.Prefix)
	if err != nil {
		return err
	}
	used, err := graph.UsedVariables(flat)
	if err != nil {
		return err
	}
	values := map[string]*tensor.Tensor{}
	read := map[graph.Restored]*tensor.Tensor{}
	for _, n := range used {
		r, ok := restored[n.GetName()]
		if !ok {
			continue
		}
		if read[r] == nil {
			if read[r], err = bundle.ReadSlice(r.Key, r.Slice); errors.Is(err, ErrNoKey) {
				return fmt.Errorf("%w: variable %s: %w", ErrNoVariables, n.GetName(), err)
			} else if err != nil {
				return fmt.Errorf("variable %s: %w", n.GetName(), err)
			}
		}
		if values[n.GetName()], err = fit(n, read[r]); err != nil {
			return fmt.Errorf("variable %s, restored from %q of %s: %w", n.GetName(), r.Key, g.Checkpoint.Prefix, err)
		}
	}
	if g.Variables != nil {
		values = merge(g.Variables, values)
	}
	g.Variables = values
	return nil
}

func merge(a, b map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	r := maps.Clone(a)
	maps.Copy(r, b)
	return r
}

// fit checks a value against what the graph says about a variable, and gives it the variable's shape where the elements are
// the same number.
func fit(n *tfproto.NodeDef, t *tensor.Tensor) (*tensor.Tensor, error) {
	if d := graph.DTypeOf(n.GetAttr()["dtype"].GetType()); d != t.DType() {
		return nil, fmt.Errorf("%w: the graph says %v, the checkpoint has %v", ErrMalformed, d, t)
	}
	shape := graph.ShapeOf(n.GetAttr()["shape"].GetShape())
	if shape.Accepts(t.Shape()) || slices.Contains(shape, -1) {
		return t, nil
	}
	r, err := t.Reshape(shape...)
	if err != nil {
		return nil, fmt.Errorf("%w: the graph says %v, the checkpoint has %v", ErrMalformed, shape, t)
	}
	return r, nil
}
