package graph

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Signature returns the signature with the given name; "" means the only one, else serving_default. The error, which wraps
// ErrNoSignature, lists what there is.
func (g *Graph) Signature(name string) (*Signature, error) {
	if name == "" && len(g.Signatures) == 1 {
		return &g.Signatures[0], nil
	}
	want := cmp.Or(name, DefaultSignature)
	names := make([]string, len(g.Signatures))
	for i := range g.Signatures {
		if names[i] = g.Signatures[i].Name; names[i] == want {
			return &g.Signatures[i], nil
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: the model has no signatures; fetch its nodes by name", ErrNoSignature)
	}
	if name == "" {
		return nil, fmt.Errorf("%w: the model has several signatures and none is named %s; choose one of %s", ErrNoSignature, want, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("%w: %q; the model has %s", ErrNoSignature, name, strings.Join(names, ", "))
}

// Input returns the input with the given name; nil if there is none.
func (s *Signature) Input(name string) *Port { return port(s.Inputs, name) }

// Output returns the output with the given name; nil if there is none.
func (s *Signature) Output(name string) *Port { return port(s.Outputs, name) }

func port(ports []Port, name string) *Port {
	for i := range ports {
		if ports[i].Name == name {
			return &ports[i]
		}
	}
	return nil
}

// Tensors returns the tensor of the port, or those of its components in the order of their names.
func (p Port) Tensors() []string {
	if p.Components == nil {
		return []string{p.Tensor}
	}
	var t []string
	for _, key := range sortedKeys(p.Components) {
		t = append(t, p.Components[key])
	}
	return t
}

// Parts returns the ports with composite ones (a sparse tensor, say) replaced by their parts, which are named "port/values",
// "port/indices" and so on. Parts without an element type of their own are int64, as indices and sizes are.
func Parts(ports []Port) []Port {
	var parts []Port
	for _, p := range ports {
		if len(p.Components) == 0 {
			parts = append(parts, p)
			continue
		}
		for _, part := range sortedKeys(p.Components) {
			d, ok := p.Types[part]
			switch {
			case ok:
			case part == "values":
				d = p.DType
			default:
				d = tensor.Int64
			}
			parts = append(parts, Port{Name: p.Name + "/" + part, DType: d, Tensor: p.Components[part]})
		}
	}
	return parts
}

func sortPorts(p []Port) {
	slices.SortFunc(p, func(a, b Port) int { return strings.Compare(a.Name, b.Name) })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Parameters counts the elements of the variables that the outputs of the signatures depend on; optimizer slots, step
// counters and second copies are not among them. In a graph without variables the parameters are its floating-point
// constants of rank 1 and more. A variable of unknown shape counts if its value is there.
func (g *Graph) Parameters() int64 {
	nodes := make(nodeIndex, len(g.Def.GetNode()))
	for _, n := range g.Def.GetNode() {
		nodes[n.Name] = n
	}
	var roots []string
	for _, s := range g.Signatures {
		for _, p := range s.Outputs {
			for _, t := range p.Tensors() {
				roots = append(roots, inputNode(t))
			}
		}
	}
	var variables, constants int64
	seen := map[string]bool{}
	for name := range nodes.upstream(roots) {
		n := nodes[name]
		switch {
		case IsVariable(n.Op):
			if key := sharedName(n); !seen[key] {
				seen[key] = true
				variables += g.variableSize(n)
			}
		case n.Op == "Const":
			t := n.Attr["value"].GetTensor()
			if s := ShapeOf(t.GetTensorShape()); len(s) > 0 && DTypeOf(t.GetDtype()).IsFloat() {
				constants += elements(s)
			}
		}
	}
	if len(seen) > 0 {
		return variables
	}
	return constants
}

// sharedName identifies the variable that a node stands for: nodes with the same container and shared_name are one.
func sharedName(n *tfproto.NodeDef) string {
	return string(n.Attr["container"].GetS()) + "\x00" + cmp.Or(string(n.Attr["shared_name"].GetS()), n.Name)
}

func (g *Graph) variableSize(n *tfproto.NodeDef) int64 {
	if v := g.Variables[n.Name]; v != nil {
		return int64(v.Len())
	}
	return elements(ShapeOf(n.Attr["shape"].GetShape()))
}

// elements is the number of elements of a shape; 0 where it is unknown or impossible.
func elements(s tensor.Shape) int64 {
	if s == nil {
		return 0
	}
	n, err := s.Elements()
	if err != nil {
		return 0
	}
	return int64(n)
}

// HasVariables reports whether the graph has nodes whose value a checkpoint would restore: variables, also inside functions.
func (g *Graph) HasVariables() bool {
	has := func(nodes []*tfproto.NodeDef) bool {
		return slices.ContainsFunc(nodes, func(n *tfproto.NodeDef) bool { return IsVariable(n.GetOp()) })
	}
	if has(g.Def.GetNode()) {
		return true
	}
	return slices.ContainsFunc(g.Def.GetLibrary().GetFunction(), func(f *tfproto.FunctionDef) bool { return has(f.GetNodeDef()) })
}
