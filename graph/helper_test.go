package graph

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// parse returns the graph of a GraphDef in text form. Every signature is written "name: input … -> output …", by tensors.
func parse(t testing.TB, text string, signatures ...Signature) *Graph {
	t.Helper()
	def := &tfproto.GraphDef{}
	require.NoError(t, prototext.Unmarshal([]byte(text), def))
	return &Graph{Def: def, Signatures: signatures}
}

// signature binds ports named as their tensors.
func signature(name string, inputs, outputs []string) Signature {
	ports := func(tensors []string) []Port {
		var p []Port
		for _, t := range tensors {
			p = append(p, Port{Name: t, DType: tensor.Float32, Tensor: t})
		}
		return p
	}
	return Signature{Name: name, Inputs: ports(inputs), Outputs: ports(outputs)}
}

// lines writes the nodes as "name = Op(input, …)", in the order of the graph.
func lines(nodes []*tfproto.NodeDef) []string {
	var l []string
	for _, n := range nodes {
		s := n.Name + " = " + n.Op + "("
		for i, in := range n.Input {
			if i > 0 {
				s += ", "
			}
			s += in
		}
		l = append(l, s+")")
	}
	return l
}

func node(t testing.TB, g *Graph, name string) *tfproto.NodeDef {
	t.Helper()
	i := slices.IndexFunc(g.Def.Node, func(n *tfproto.NodeDef) bool { return n.Name == name })
	require.GreaterOrEqual(t, i, 0, "no node %s in %v", name, lines(g.Def.Node))
	return g.Def.Node[i]
}

// unchanged checks that a pass leaves its argument as it is.
func unchanged(t testing.TB, g *Graph) {
	t.Helper()
	before := prototext.Format(g.Def)
	signatures := slices.Clone(g.Signatures)
	t.Cleanup(func() {
		require.Equal(t, before, prototext.Format(g.Def))
		require.Equal(t, signatures, g.Signatures)
	})
}
