//go:build cgo

package tfbridge

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
)

// passOn gives outputs that are inputs of the same signature, which TensorFlow refuses to feed and fetch at once, a node that
// passes the input on.
func passOn(g *graph.Graph) *graph.Graph {
	nodes := map[string]*tfproto.NodeDef{}
	r := *g
	r.Def = &tfproto.GraphDef{Versions: g.Def.GetVersions(), Library: g.Def.GetLibrary(), Node: slices.Clone(g.Def.GetNode())}
	r.Signatures = slices.Clone(g.Signatures)
	for i, sig := range g.Signatures {
		r.Signatures[i].Outputs = slices.Clone(sig.Outputs)
		for k, out := range sig.Outputs {
			node, output, err := graph.ParseTensor(out.Tensor)
			if err != nil || !slices.ContainsFunc(sig.Inputs, func(in graph.Port) bool { return in.Tensor == out.Tensor }) {
				continue
			}
			name := fmt.Sprintf("%spass/%s_%d", ownPrefix, node, output)
			if nodes[name] == nil {
				dtype := &tfproto.AttrValue{Value: &tfproto.AttrValue_Type{Type: tfproto.DataType(out.DType)}}
				nodes[name] = &tfproto.NodeDef{Name: name, Op: "Identity", Input: []string{out.Tensor}, Attr: map[string]*tfproto.AttrValue{"T": dtype}}
				r.Def.Node = append(r.Def.Node, nodes[name])
			}
			r.Signatures[i].Outputs[k].Tensor = name + ":0"
		}
	}
	if len(nodes) == 0 {
		return g
	}
	r.Source = graph.Source{} // what a loader of its own reads from there has no such nodes
	return &r
}
