package graph

import (
	"fmt"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Restored says what a variable is restored from.
type Restored struct {
	Key   string // of the tensor in the checkpoint
	Slice string // the part of the tensor, "10 20 0,5:-", of a partitioned variable of TensorFlow 1; "" for all of it
}

// RestoreMap works out what restoring the checkpoint would do: by the name of the variable's node, what it is restored
// from. It follows the restore op through functions to every Assign or AssignVariableOp and from there back to a RestoreV2.
// A variable that gets a value in another way (a table, a variable of a custom op) is not in the map.
func RestoreMap(g *Graph) (map[string]Restored, error) {
	m := map[string]Restored{}
	if g.Checkpoint == nil {
		return m, nil
	}
	flat, err := Inline(g)
	if err != nil {
		return nil, err
	}
	nodes, err := index(flat.Def)
	if err != nil {
		return nil, err
	}
	texts := texts{nodes: nodes, known: map[string][]string{}}
	byShared := map[string]Restored{}
	restoring := nodes.upstream([]string{g.Checkpoint.RestoreOp})
	for _, n := range flat.Def.Node {
		if !restoring[n.Name] || (n.Op != "Assign" && n.Op != "AssignVariableOp") || len(n.Input) < 2 {
			continue
		}
		variable, _ := nodes.back(n.Input[0])
		source, output := nodes.back(n.Input[1])
		if !IsVariable(variable.Op) || (source.Op != "RestoreV2" && source.Op != "Restore" && source.Op != "RestoreSlice") {
			continue
		}
		r, err := texts.restored(source, output)
		if err != nil {
			return nil, fmt.Errorf("variable %s, node %s: %w", variable.Name, source.Name, err)
		}
		byShared[sharedName(variable)] = r
	}
	for _, n := range flat.Def.Node {
		if r, ok := byShared[sharedName(n)]; ok && IsVariable(n.Op) {
			m[n.Name] = r
		}
	}
	return m, nil
}

// maxPassed bounds how far a value is followed: exporters put one or two nodes between.
const maxPassed = 100

// back follows a tensor back through ops that do not change its elements.
func (x nodeIndex) back(ref string) (n *tfproto.NodeDef, output int) {
	for range maxPassed {
		n, output = x[inputNode(ref)], 0
		if _, i, err := ParseTensor(ref); err == nil {
			output = i
		}
		switch {
		case len(n.Input) == 0 || isControl(n.Input[0]):
			return n, output
		case n.Op == "Identity" || n.Op == "Reshape" || n.Op == "RefIdentity" || n.Op == "EnsureShape":
			ref = n.Input[0]
		case n.Op == "IdentityN" && output < len(n.Input) && !isControl(n.Input[output]):
			ref = n.Input[output]
		default:
			return n, output
		}
	}
	return n, output
}

// texts reads constants of strings, each once.
type texts struct {
	nodes nodeIndex
	known map[string][]string
}

// restored reads key and slice of output i of a node that restores.
func (x texts) restored(n *tfproto.NodeDef, i int) (Restored, error) {
	var r Restored
	var err error
	if r.Key, err = x.text(n, 1, i); err != nil {
		return r, err
	}
	if n.Op == "RestoreV2" || n.Op == "RestoreSlice" {
		r.Slice, err = x.text(n, 2, i)
	}
	return r, err
}

// text returns string i of the constant that is an input of n.
func (x texts) text(n *tfproto.NodeDef, input, i int) (string, error) {
	if input >= len(n.Input) || isControl(n.Input[input]) {
		return "", fmt.Errorf("%w: %s has no input %d", ErrMalformed, n.Op, input)
	}
	source, _ := x.nodes.back(n.Input[input])
	s, ok := x.known[source.Name]
	if !ok {
		t, err := Value(source)
		if err != nil {
			return "", err
		}
		if s, err = tensor.Data[string](t); err != nil {
			return "", fmt.Errorf("node %s: %w", source.Name, err)
		}
		x.known[source.Name] = s
	}
	if i >= len(s) {
		return "", fmt.Errorf("%w: %s has no string %d in node %s", ErrMalformed, n.Op, i, source.Name)
	}
	return s[i], nil
}

// UsedVariables returns the nodes of the variables that the outputs of a signature or the init op depend on, with functions
// inlined, in the order of the graph.
func UsedVariables(g *Graph) ([]*tfproto.NodeDef, error) {
	flat, err := Inline(g)
	if err != nil {
		return nil, err
	}
	nodes, err := index(flat.Def)
	if err != nil {
		return nil, err
	}
	used := nodes.upstream(flat.running())
	var v []*tfproto.NodeDef
	for _, n := range flat.Def.Node {
		if used[n.Name] && IsVariable(n.Op) {
			v = append(v, n)
		}
	}
	return v, nil
}
