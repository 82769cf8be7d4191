package finetune

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// base is a pretrained model, cut where its features are, and running.
type base struct {
	graph      *graph.Graph // one signature: images [n, height, width, channels], preprocessed → features [n, width]
	model      *tfbridge.Model
	decoder    *tfbridge.Model // of image files: decodeGraph
	cut        string          // the tensor that the features are, before pooling
	hash       string          // of the graph with its weights
	shape      []int           // of an image: height, width, channels
	width      int             // of the features
	preprocess images.Preprocess
}

// The names of a base's ends.
const (
	imageInput    = "image"
	featureOutput = "features"
)

// openBase reads the model that o.Base names, finds its features and makes it ready on TensorFlow's kernels.
func openBase(ctx context.Context, o *Options) (*base, error) {
	b, err := readBase(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("base %s: %w", o.Base, err)
	}
	return b, nil
}

func readBase(ctx context.Context, o *Options) (*base, error) {
	if !tfbridge.Available {
		return nil, fmt.Errorf("%w: a base runs on TensorFlow, and %w", ErrUnsupported, tfbridge.ErrNotBuilt)
	}
	flat, err := flatBase(o.Base)
	if err != nil {
		return nil, err
	}
	b := &base{}
	if b.shape, err = imageShape(flat.Signatures[0], o.ImageSize); err != nil {
		return nil, err
	}
	if takesBytes(flat) {
		b.preprocess = images.None
		flat, err = ofFloats(flat, o)
	} else {
		b.preprocess, err = basePreprocessing(o, flat)
	}
	if err != nil {
		return nil, err
	}
	if b.cut, err = findFeatures(flat, o.Layer); err != nil {
		return nil, err
	}
	if b.graph, err = b.pooled(ctx, flat, o); err != nil {
		return nil, err
	}
	if err := b.constant(); err != nil {
		return nil, err
	}
	if b.hash, err = hashGraph(b.graph); err != nil {
		return nil, err
	}
	decoding, err := decodeGraph(b.shape, b.preprocess)
	if err != nil {
		return nil, err
	}
	if b.decoder, err = tfbridge.New(ctx, decoding, o.tensorflow()); err != nil {
		return nil, err
	}
	one := o.tensorflow()
	one.Threads = cmp.Or(o.Threads, 1) // every core has a batch of its own
	if b.model, err = tfbridge.New(ctx, b.graph, one); err != nil {
		return nil, errors.Join(err, b.decoder.Close())
	}
	return b, nil
}

// constant returns an error for a base that writes variables: the next call gives other features. Keras's exports of models that begin
// with augmentation are such, traced as in training.
func (b *base) constant() error {
	for _, n := range b.graph.Def.GetNode() {
		if graph.IsVariable(n.GetOp()) {
			return fmt.Errorf("%w: its features change with every call, by the variable %s that it writes (augmentation that was exported as in training, say); "+
				"give the .keras file that it was exported from", ErrOption, n.GetName())
		}
	}
	return nil
}

// half reports whether the base is one of mixed precision.
func (b *base) half() bool {
	return slices.ContainsFunc(b.graph.Def.GetNode(), func(n *tfproto.NodeDef) bool { return half(n.GetAttr()["T"]) })
}

func (b *base) close() error { return errors.Join(b.model.Close(), b.decoder.Close()) }

// tensorflow returns the options of a session of the base's.
func (o *Options) tensorflow() tfbridge.Options {
	return tfbridge.Options{Device: o.Device, Threads: o.Threads, SoftPlacement: true}
}

// flatBase reads a model and returns the signature that takes images, inlined, its variables constants.
func flatBase(path string) (*graph.Graph, error) {
	g, err := cambium.ReadGraph(path)
	if err != nil {
		return nil, err
	}
	if g.Checkpoint != nil && g.Variables == nil {
		if err := savedmodel.ReadVariables(g); err != nil {
			return nil, err
		}
	}
	name, err := imageSignature(g)
	if err != nil {
		return nil, err
	}
	return graph.ForSignature(g, name)
}

// imageSignature chooses the signature to use: the default one, else hub's names, else the only one that takes images. Those that
// take float32 come before those that take bytes.
func imageSignature(g *graph.Graph) (string, error) {
	var found []string
	for _, dtype := range []tensor.DType{tensor.Float32, tensor.Uint8} {
		for _, s := range g.Signatures {
			if len(s.Inputs) == 1 && len(s.Inputs[0].Shape) == 4 && s.Inputs[0].DType == dtype {
				found = append(found, s.Name)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	for _, name := range []string{graph.DefaultSignature, "default", "image_feature_vector", "serve"} {
		if slices.Contains(found, name) {
			return name, nil
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%w: no signature takes one batch of images, float32 or uint8 [?,height,width,channels], decoded; there are: %s", ErrOption,
			strings.Join(takers(g), "; "))
	}
	return found[0], nil
}

// takers says of each signature what it takes.
func takers(g *graph.Graph) []string {
	var all []string
	for _, s := range g.Signatures {
		var ports []string
		for _, p := range s.Inputs {
			ports = append(ports, fmt.Sprintf("%s, %v %v", p.Name, p.DType, p.Shape))
		}
		all = append(all, fmt.Sprintf("%s (%s)", s.Name, strings.Join(ports, ", ")))
	}
	return all
}

// defaultBaseSize is the side of images for a base that takes any.
const defaultBaseSize = 224

// imageShape returns the height, width and channels of the images that a base takes.
func imageShape(s graph.Signature, side int) ([]int, error) {
	shape := slices.Clone(s.Inputs[0].Shape[1:])
	for i, d := range shape[:2] {
		switch {
		case d < 0 && side > 0:
			shape[i] = side
		case d < 0:
			shape[i] = defaultBaseSize
		case side > 0 && d != side:
			return nil, fmt.Errorf("%w: image size %d: it takes %v", ErrOption, side, s.Inputs[0].Shape)
		}
	}
	if shape[2] < 0 {
		shape[2] = 3
	}
	if shape[2] != 1 && shape[2] != 3 {
		return nil, fmt.Errorf("%w: it takes %v; images have 1 or 3 channels", ErrOption, s.Inputs[0].Shape)
	}
	return shape, nil
}

// basePreprocessing says how a base wants its images: as o says, else as its files say, else as the names of its nodes do.
func basePreprocessing(o *Options, flat *graph.Graph) (images.Preprocess, error) {
	if o.Preprocess != "" {
		how, err := images.ParsePreprocess(o.Preprocess)
		if err == nil && how == images.MNIST {
			how = images.Unit // 0 … 1; the data are digits already
		}
		if err != nil {
			return how, fmt.Errorf("%w: %w", ErrOption, err)
		}
		return how, nil
	}
	how, says, err := cambium.Preprocessing(o.Base)
	if says || err != nil {
		return how, err
	}
	for _, n := range flat.Def.GetNode() {
		scope, _, _ := strings.Cut(n.GetName(), "/")
		if how, ok := scopes[strings.ToLower(scope)]; ok {
			return how, nil
		}
	}
	return how, fmt.Errorf("%w: nothing says how it wants its images; choose with --preprocess: tf ([-1,1]), torch, caffe, unit ([0,1]), none (0..255)", ErrOption)
}

// scopes are the name scopes of TensorFlow 1's published models (tf.slim), with what their preprocessing does.
var scopes = map[string]images.Preprocess{
	"mobilenetv1": images.TF, "mobilenetv2": images.TF, "mobilenetv3": images.TF, "inceptionv1": images.TF, "inceptionv2": images.TF, "inceptionv3": images.TF,
	"inceptionv4": images.TF, "inceptionresnetv2": images.TF, "nasnet": images.TF, "pnasnet": images.TF,
	"resnet_v2_50": images.TF, "resnet_v2_101": images.TF, "resnet_v2_152": images.TF,
}

// pooled returns the graph that ends in features [n, width]: spatial features, [n, height, width, channels], are averaged over
// the image, as GlobalAveragePooling2D does. The base is run once on a black image to see which they are.
func (b *base) pooled(ctx context.Context, flat *graph.Graph, o *Options) (*graph.Graph, error) {
	once := o.tensorflow()
	once.NoRewrite = true
	probe, err := tfbridge.New(ctx, withOutput(flat, b.cut, nil), once)
	if err != nil {
		return nil, err
	}
	defer func() { _ = probe.Close() }()
	black, err := tensor.New(tensor.Float32, append([]int{1}, b.shape...)...)
	if err != nil {
		return nil, err
	}
	features, err := probe.Predict(ctx, black)
	if err != nil {
		return nil, fmt.Errorf("it does not take images of %v: %w", b.shape, err)
	}
	half := features.DType() == tensor.Float16 || features.DType() == tensor.BFloat16
	if features.DType() != tensor.Float32 && !half || features.Rank() < 2 || features.Len() == 0 {
		return nil, fmt.Errorf("%w: %s gives %v, not features of an image", ErrOption, b.cut, features)
	}
	builder := graph.NewBuilder()
	out, keep := graph.Ref(b.cut), graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32, "keep_dims": false}
	if half { // of mixed precision: the head computes in float32, as Keras's layers do
		out = builder.Op("Cast", "features/float32", []graph.Ref{out}, graph.Attrs{"SrcT": features.DType(), "DstT": tensor.Float32, "Truncate": false})
	}
	b.width = features.Len()
	switch features.Rank() {
	case 2:
		out = builder.Op("Identity", "features/vector", []graph.Ref{out}, graph.Attrs{"T": tensor.Float32})
	case 4:
		b.width = features.Shape()[3]
		out = builder.Op("Mean", "features/pool", []graph.Ref{out, builder.Ints("features/axes", 1, 2)}, keep)
	default:
		out = builder.Op("Reshape", "features/flatten", []graph.Ref{out, builder.Ints("features/shape", -1, b.width)}, graph.Attrs{"T": tensor.Float32, "Tshape": tensor.Int32})
	}
	added, err := builder.Finish()
	if err != nil {
		return nil, err
	}
	g := withOutput(flat, out.Tensor(), added.Def.GetNode())
	sig := &g.Signatures[0]
	sig.Inputs[0].Name, sig.Inputs[0].Shape = imageInput, append(tensor.Shape{-1}, b.shape...)
	sig.Outputs[0].Shape = tensor.Shape{-1, b.width}
	return graph.Prune(g, sig.Inputs[0].Tensor, sig.Outputs[0].Tensor)
}

// withOutput returns the graph with further nodes and one output, named features.
func withOutput(g *graph.Graph, out string, nodes []*tfproto.NodeDef) *graph.Graph {
	r := *g
	r.Def = &tfproto.GraphDef{Node: append(slices.Clone(g.Def.GetNode()), nodes...), Library: g.Def.GetLibrary(), Versions: g.Def.GetVersions()}
	sig := g.Signatures[0]
	sig.Name = graph.DefaultSignature
	sig.Inputs = slices.Clone(sig.Inputs)
	sig.Outputs = []graph.Port{{Name: featureOutput, DType: tensor.Float32, Tensor: out}}
	r.Signatures = []graph.Signature{sig}
	return &r
}

// hashGraph is the SHA-256 of a graph with its constants.
func hashGraph(g *graph.Graph) (string, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(g.Def)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
