package dense

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// ClassNames is what a classifier has besides the probabilities: an output that names the likeliest class, as the models that
// finetune exports have.
type ClassNames struct {
	Output string // its name in the signature
	names  []string
	rest   bool // the network gives the second class's probability alone; the first one's is what is left
}

// SplitClasses parts a signature of two outputs, the probabilities and the name of the likeliest class, into the graph of the
// network alone, for [FromGraph], and the names. It returns the graph as it is, and nil, where the signature is another one.
func SplitClasses(g *graph.Graph, sig *graph.Signature) (*graph.Graph, *ClassNames, error) {
	i := slices.IndexFunc(sig.Outputs, func(p graph.Port) bool { return p.DType == tensor.String })
	if len(sig.Outputs) != 2 || i < 0 {
		return g, nil, nil
	}
	flat, err := graph.ForSignature(g, sig.Name)
	if err != nil {
		return nil, nil, err
	}
	r := newReader(flat)
	network := flat.Signatures[0]
	i = slices.IndexFunc(network.Outputs, func(p graph.Port) bool { return p.DType == tensor.String })
	class, scores := network.Outputs[i], network.Outputs[1-i]
	c := &ClassNames{Output: class.Name}
	gather := r.operands(class.Tensor, "GatherV2", 3)
	if len(gather) == 0 || !r.isNumber(gather[2], 0) {
		return g, nil, nil
	}
	index := r.operands(gather[1], "ArgMax", 2)
	if names := r.constant(gather[0]); names != nil && names.Rank() == 1 {
		c.names, _ = tensor.Data[string](names)
	}
	if c.names == nil || len(index) == 0 || !(r.isNumber(index[1], 1) || r.isNumber(index[1], -1)) || !r.same(index[0], scores.Tensor) {
		return g, nil, nil
	}
	if both := r.operands(scores.Tensor, "ConcatV2", 3); len(both) > 0 && r.isNumber(both[2], 1) {
		if rest := r.operands(both[0], "Sub", 2); len(rest) > 0 && r.isNumber(rest[0], 1) && r.same(rest[1], both[1]) {
			c.rest, scores.Tensor = true, both[1]
		}
	}
	alone := *flat
	network.Outputs = []graph.Port{scores}
	alone.Signatures = []graph.Signature{network}
	return &alone, c, nil
}

// Check reports whether there is a name for each of the network's outputs.
func (c *ClassNames) Check(outputs int) error {
	if c.rest {
		outputs++
	}
	if outputs != len(c.names) {
		return fmt.Errorf("%w: %s names %d classes of %d", graph.ErrUnsupported, c.Output, len(c.names), outputs)
	}
	return nil
}

// Add puts the classes' names, string [n], among the outputs, of which there is one, the network's by the name of scores; it becomes
// float32 [n, classes].
func (c *ClassNames) Add(outputs map[string]*tensor.Tensor, scores string) error {
	y := outputs[scores]
	values, err := tensor.Data[float32](y)
	if err != nil {
		return err
	}
	rows := y.Shape()[0]
	if c.rest {
		both := make([]float32, 0, 2*rows)
		for _, p := range values {
			both = append(both, 1-p, p)
		}
		if outputs[scores], err = tensor.Of(both, rows, 2); err != nil {
			return err
		}
		values = both
	}
	names, classes := make([]string, rows), len(c.names)
	for i := range names {
		row := values[i*classes : (i+1)*classes]
		best := 0
		for k, p := range row { // as ArgMax: the first of equals
			if p > row[best] {
				best = k
			}
		}
		names[i] = c.names[best]
	}
	outputs[c.Output], err = tensor.Of(names)
	return err
}

// operands returns the inputs of the node that computes a tensor, if it is that op with so many inputs.
func (r *reader) operands(ref, op string, inputs int) []string {
	if n := r.source(ref); n != nil && n.GetOp() == op && len(dataInputs(n)) == inputs {
		return dataInputs(n)
	}
	return nil
}

// same reports whether two tensors are one, or passed on from one.
func (r *reader) same(a, b string) bool {
	n := r.source(a)
	return n != nil && n == r.source(b)
}

// isNumber reports whether a tensor is a constant of that one value.
func (r *reader) isNumber(ref string, want float64) bool {
	t := r.constant(ref)
	if t == nil || t.Len() != 1 || t.DType() == tensor.String {
		return false
	}
	wide, err := t.Cast(tensor.Float64)
	if err != nil {
		return false
	}
	v, err := tensor.Data[float64](wide)
	return err == nil && v[0] == want
}
