package finetune

import (
	"fmt"
	"slices"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// takesBytes reports whether a base takes images as uint8, of 0 … 255: it prepares them itself.
func takesBytes(g *graph.Graph) bool { return g.Signatures[0].Inputs[0].DType == tensor.Uint8 }

// ofFloats returns a base of bytes that takes float32, and rounds it: the pixels of a resized image lie between bytes.
func ofFloats(g *graph.Graph, o *Options) (*graph.Graph, error) {
	if format, err := cambium.Detect(o.Base); err != nil || format == cambium.Keras || format == cambium.H5 {
		return nil, fmt.Errorf("%w: a Keras file that takes uint8 is no base; one that takes float32 is, or the SavedModel of this one (infer convert)", ErrOption)
	}
	if o.Preprocess != "" && o.Preprocess != images.None.String() {
		return nil, fmt.Errorf("%w: preprocess %s: it takes the bytes of images as they are", ErrOption, o.Preprocess)
	}
	in := g.Signatures[0].Inputs[0]
	name, _, err := graph.ParseTensor(in.Tensor)
	if err != nil {
		return nil, err
	}
	b := graph.NewBuilder()
	pixels := b.Placeholder("bytes/pixels", tensor.Float32, in.Shape)
	rounded := b.Op("Round", "bytes/rounded", []graph.Ref{pixels}, graph.Attrs{"T": tensor.Float32})
	b.Op("Cast", name, []graph.Ref{rounded}, graph.Attrs{"SrcT": tensor.Float32, "DstT": tensor.Uint8, "Truncate": false}) // in place of the input
	front, err := b.Finish()
	if err != nil {
		return nil, err
	}
	r := *g
	rest := slices.DeleteFunc(slices.Clone(g.Def.GetNode()), func(n *tfproto.NodeDef) bool { return n.GetName() == name })
	r.Def = &tfproto.GraphDef{Node: append(front.Def.GetNode(), rest...), Library: g.Def.GetLibrary(), Versions: g.Def.GetVersions()}
	sig := g.Signatures[0]
	sig.Inputs = []graph.Port{{Name: in.Name, DType: tensor.Float32, Shape: in.Shape, Tensor: pixels.Tensor()}}
	r.Signatures = []graph.Signature{sig}
	return &r, nil
}
