package cambium

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// classNames is what a classifier has besides the probabilities: an output that names the likeliest class, as the models that
// finetune exports have.
type classNames struct {
	output string // its name in the signature
	names  []string
	rest   bool // the network gives the second class's probability alone; the first one's is what is left
}

// splitClasses parts a signature of two outputs, the probabilities and the name of the likeliest class, into the graph of the
// network alone and the names. It returns the graph as it is, and nil, where the signature is another one.
func splitClasses(g *graph.Graph, sig *graph.Signature) (*graph.Graph, *classNames, error) {
	i := slices.IndexFunc(sig.Outputs, func(p graph.Port) bool { return p.DType == tensor.String })
	if len(sig.Outputs) != 2 || i < 0 {
		return g, nil, nil
	}
	flat, err := graph.ForSignature(g, sig.Name)
	if err != nil {
		return nil, nil, err
	}
	w := walker{}
	for _, n := range flat.Def.GetNode() {
		w[n.GetName()] = n
	}
	network := flat.Signatures[0]
	i = slices.IndexFunc(network.Outputs, func(p graph.Port) bool { return p.DType == tensor.String })
	class, scores := network.Outputs[i], network.Outputs[1-i]
	c := &classNames{output: class.Name}
	gather := w.from(class.Tensor, "GatherV2", 3)
	if len(gather) == 0 || !w.isNumber(gather[2], 0) {
		return g, nil, nil
	}
	index := w.from(gather[1], "ArgMax", 2)
	if names := w.constant(gather[0]); names != nil && names.Rank() == 1 {
		c.names, _ = tensor.Data[string](names)
	}
	if c.names == nil || len(index) == 0 || !(w.isNumber(index[1], 1) || w.isNumber(index[1], -1)) || !w.same(index[0], scores.Tensor) {
		return g, nil, nil
	}
	if both := w.from(scores.Tensor, "ConcatV2", 3); len(both) > 0 && w.isNumber(both[2], 1) {
		if rest := w.from(both[0], "Sub", 2); len(rest) > 0 && w.isNumber(rest[0], 1) && w.same(rest[1], both[1]) {
			c.rest, scores.Tensor = true, both[1]
		}
	}
	alone := *flat
	network.Outputs = []graph.Port{scores}
	alone.Signatures = []graph.Signature{network}
	return &alone, c, nil
}

// check reports whether there is a name for each of the network's outputs.
func (c *classNames) check(outputs int) error {
	if c.rest {
		outputs++
	}
	if outputs != len(c.names) {
		return fmt.Errorf("%w: %s names %d classes of %d", graph.ErrUnsupported, c.output, len(c.names), outputs)
	}
	return nil
}

// add puts the classes' names among the outputs, of which there is one, the probabilities by the name of scores.
func (c *classNames) add(outputs map[string]*tensor.Tensor, scores string) error {
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
	outputs[c.output], err = tensor.Of(names)
	return err
}

// walker finds a graph's nodes by name.
type walker map[string]*tfproto.NodeDef

// node returns what computes a tensor, behind nodes that pass it on; nil if that is not the first output of a node.
func (w walker) node(ref string) *tfproto.NodeDef {
	for range len(w) + 1 {
		name, output, err := graph.ParseTensor(ref)
		n := w[name]
		if err != nil || output != 0 || n == nil {
			return nil
		}
		if n.GetOp() != "Identity" || len(n.GetInput()) == 0 {
			return n
		}
		ref = n.GetInput()[0]
	}
	return nil
}

// from returns the inputs of the node that computes a tensor, if it is that op with so many inputs.
func (w walker) from(ref, op string, inputs int) []string {
	if n := w.node(ref); n != nil && n.GetOp() == op && len(n.GetInput()) == inputs {
		return n.GetInput()
	}
	return nil
}

func (w walker) same(a, b string) bool {
	n := w.node(a)
	return n != nil && n == w.node(b)
}

func (w walker) constant(ref string) *tensor.Tensor {
	n := w.node(ref)
	if n == nil {
		return nil
	}
	t, err := graph.Value(n)
	if err != nil {
		return nil
	}
	return t
}

// isNumber reports whether a tensor is a constant scalar of that value.
func (w walker) isNumber(ref string, want float64) bool {
	t := w.constant(ref)
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
