package finetune

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// The signatures of an exported model with a base.
const (
	servingBytes   = "serving_bytes"
	bytesInput     = "bytes"
	decodeFunction = "cambium_decode_image"
)

// onBase puts the base in front of a head, whose one signature takes features. The result serves images in two ways, with
// everything that was done to them in training in the graph itself:
//
//	bytes, string [n] ─▶ decode, resize (a function for each element) ─▶ pixels ─▶ resize ─▶ preprocess ─▶ base ─▶ head
//	image, float32 [n, h, w, channels], 0 … 255, of any size ───────────────┘
func (b *base) onBase(head *graph.Graph) (*graph.Graph, error) {
	builder := graph.NewBuilder()
	encoded := builder.Placeholder(bytesInput, tensor.String, tensor.Shape{-1})
	anySize := tensor.Shape{-1, -1, -1, b.shape[2]} // of pixels that are fed: those that were decoded have the base's size
	pixels := builder.Op("PlaceholderWithDefault", "pixels", []graph.Ref{"decode_images"}, graph.Attrs{"dtype": tensor.Float32, "shape": anySize})
	ready := preprocessed(builder, resized(builder, pixels, tensor.Float32, b.shape), b.shape[2], b.preprocess)
	front, err := builder.Finish()
	if err != nil {
		return nil, err
	}
	decode, err := decodeFunctionDef(b.shape)
	if err != nil {
		return nil, err
	}
	sig, in := head.Signatures[0], b.graph.Signatures[0]
	base := renamed(b.graph.Def.GetNode(), "base/", map[string]string{in.Inputs[0].Tensor: ready.Tensor()})
	features := "base/" + in.Outputs[0].Tensor
	nodes := append(front.Def.GetNode(), mapNode(encoded, b.shape))
	nodes = append(nodes, base...)
	nodes = append(nodes, renamed(head.Def.GetNode(), "", map[string]string{sig.Inputs[0].Tensor: features})...)
	library := &tfproto.FunctionDefLibrary{Function: []*tfproto.FunctionDef{decode}}
	for _, g := range []*graph.Graph{b.graph, head} {
		library.Function = append(library.Function, g.Def.GetLibrary().GetFunction()...)
	}
	joined := &graph.Graph{
		Def:       &tfproto.GraphDef{Node: nodes, Library: library, Versions: front.Def.GetVersions()},
		Variables: maps.Clone(head.Variables),
	}
	byImage, byBytes := sig, sig
	byImage.Name, byBytes.Name = graph.DefaultSignature, servingBytes
	byImage.Inputs = []graph.Port{{Name: imageInput, DType: tensor.Float32, Shape: anySize, Tensor: pixels.Tensor()}}
	byBytes.Inputs = []graph.Port{{Name: bytesInput, DType: tensor.String, Shape: tensor.Shape{-1}, Tensor: encoded.Tensor()}}
	joined.Signatures = []graph.Signature{byBytes, byImage}
	return joined, joined.Check()
}

// renamed returns copies of nodes under a prefix, with the tensors in replace taken from elsewhere; the placeholders that gave
// those are left out.
func renamed(nodes []*tfproto.NodeDef, prefix string, replace map[string]string) []*tfproto.NodeDef {
	gone := map[string]string{} // node whose output 0 is replaced
	for from, to := range replace {
		name, _, _ := strings.Cut(from, ":")
		gone[name] = to
	}
	var copies []*tfproto.NodeDef
	for _, n := range nodes {
		if _, ok := gone[n.GetName()]; ok {
			continue
		}
		c := proto.CloneOf(n)
		c.Name = prefix + n.GetName()
		for i, in := range c.GetInput() {
			name, output, _ := strings.Cut(strings.TrimPrefix(in, "^"), ":")
			switch to, ok := gone[name]; {
			case strings.HasPrefix(in, "^"):
				c.Input[i] = "^" + prefix + name
			case ok && (output == "" || output == "0"):
				c.Input[i] = to
			default:
				c.Input[i] = prefix + in
			}
		}
		copies = append(copies, c)
	}
	return copies
}

// mapNode applies the decoding function to each element of the encoded images.
func mapNode(encoded graph.Ref, shape []int) *tfproto.NodeDef {
	types := func(d ...tensor.DType) *tfproto.AttrValue {
		list := &tfproto.AttrValue_ListValue{}
		for _, t := range d {
			list.Type = append(list.Type, tfproto.DataType(t))
		}
		return &tfproto.AttrValue{Value: &tfproto.AttrValue_List{List: list}}
	}
	shapes := &tfproto.AttrValue_ListValue{Shape: []*tfproto.TensorShapeProto{graph.ShapeProto(shape)}}
	return &tfproto.NodeDef{Name: "decode_images", Op: "MapDefun", Input: []string{string(encoded)}, Attr: map[string]*tfproto.AttrValue{
		"Targuments":    types(tensor.String),
		"Tcaptured":     types(),
		"output_types":  types(tensor.Float32),
		"output_shapes": {Value: &tfproto.AttrValue_List{List: shapes}},
		"f":             {Value: &tfproto.AttrValue_Func{Func: &tfproto.NameAttrList{Name: decodeFunction}}},
	}}
}

// outputNames are those of the ops in the decoding function, by which a function's nodes refer to each other.
var outputNames = map[string]string{"DecodeImage": "image", "ExpandDims": "output", "Cast": "y", "ResizeBilinear": "resized_images", "Const": "output", "Squeeze": "output"}

// decodeFunctionDef is the function bytes → image: string [] → float32 [height, width, channels], 0 … 255.
func decodeFunctionDef(shape []int) (*tfproto.FunctionDef, error) {
	b := graph.NewBuilder()
	argument := b.Placeholder(bytesInput, tensor.String, tensor.Shape{})
	image := b.Op("Squeeze", "decode/image", []graph.Ref{resized(b, decoded(b, argument, shape[2]), tensor.Uint8, shape)}, graph.Attrs{"T": tensor.Float32, "squeeze_dims": []int{0}})
	g, err := b.Finish()
	if err != nil {
		return nil, err
	}
	ops := map[string]string{}
	for _, n := range g.Def.GetNode() {
		ops[n.GetName()] = n.GetOp()
	}
	reference := func(name string) (string, error) {
		if name == bytesInput {
			return name, nil
		}
		output := outputNames[ops[name]]
		if output == "" {
			return "", fmt.Errorf("%w: op %s in a function", graph.ErrUnsupported, ops[name])
		}
		return name + ":" + output + ":0", nil
	}
	f := &tfproto.FunctionDef{
		Signature: &tfproto.OpDef{
			Name:      decodeFunction,
			InputArg:  []*tfproto.OpDef_ArgDef{{Name: bytesInput, Type: tfproto.DataType(tensor.String)}},
			OutputArg: []*tfproto.OpDef_ArgDef{{Name: imageInput, Type: tfproto.DataType(tensor.Float32)}},
		},
		Ret: map[string]string{},
	}
	if f.Ret[imageInput], err = reference(string(image)); err != nil {
		return nil, err
	}
	for _, n := range g.Def.GetNode() {
		if n.GetName() == bytesInput {
			continue
		}
		for i, in := range n.GetInput() {
			if n.Input[i], err = reference(in); err != nil {
				return nil, err
			}
		}
		f.NodeDef = append(f.NodeDef, n)
	}
	return f, nil
}

// verifyOnBase asks the exported model about images of the training data and compares with the trained head's answers.
func (s *session) verifyOnBase(dir string, model train.Trainable) error {
	loaded, err := cambium.Load(dir, nil)
	if err != nil {
		return fmt.Errorf("the exported model: %w", err)
	}
	defer func() { _ = loaded.Close() }()
	return s.eachExample(model, func(p picture, want []float32) error {
		signature, inputs, err := p.asked()
		if err != nil {
			return err
		}
		answers, err := loaded.CallSignature(context.Background(), signature, inputs)
		if err != nil {
			return fmt.Errorf("the exported model: %w", err)
		}
		return s.sameAnswers(dir, want, answers)
	})
}

// eachExample visits a few of the training images, with what the trained model answers.
func (s *session) eachExample(model train.Trainable, visit func(p picture, want []float32) error) error {
	bound, err := model.Bind(&train.Dataset{X: s.data.training.X})
	if err != nil {
		return err
	}
	defer func() { _ = bound.Close() }()
	examples := s.data.pictures.training
	for i, p := range examples[:min(s.data.originals, exampleCount)] {
		want := make([]float32, s.outputs)
		if err := bound.Evaluate([]int32{int32(i)}, 1, want, nil); err != nil {
			return err
		}
		if err := visit(p, want); err != nil {
			return err
		}
	}
	return nil
}

// asked is how a user of the exported model gives it the file.
func (f file) asked() (string, map[string]*tensor.Tensor, error) {
	content, err := f.content()
	if err != nil {
		return "", nil, err
	}
	encoded, err := tensor.Of([]string{string(content)})
	return servingBytes, map[string]*tensor.Tensor{bytesInput: encoded}, err
}

// asked is how a user of the exported model gives it the image.
func (d digit) asked() (string, map[string]*tensor.Tensor, error) {
	content, err := d.content()
	if err != nil {
		return "", nil, err
	}
	x, err := d.raw(context.Background(), content)
	if err == nil {
		x, err = x.Reshape(append([]int{1}, d.base.shape...)...)
	}
	return graph.DefaultSignature, map[string]*tensor.Tensor{imageInput: x}, err
}
