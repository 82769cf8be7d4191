package finetune

import (
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/tensor"
)

// decodeGraph returns the graph that makes of an encoded image what a base takes, with TensorFlow's own ops, as
// image_dataset_from_directory does: tf.io.decode_image, tf.image.resize (bilinear, no antialiasing), preprocess_input.
// Its signatures make of bytes, string [], an image, float32 [1, height, width, channels]; that of rawSignature is not preprocessed.
func decodeGraph(shape []int, how images.Preprocess) (*graph.Graph, error) {
	b := graph.NewBuilder()
	encoded := b.Placeholder("bytes", tensor.String, tensor.Shape{})
	raw := resized(b, decoded(b, encoded, shape[2]), tensor.Uint8, shape)
	signature := func(name string, image graph.Ref) graph.Signature {
		return graph.Signature{
			Name:    name,
			Inputs:  []graph.Port{{Name: "bytes", DType: tensor.String, Shape: tensor.Shape{}, Tensor: encoded.Tensor()}},
			Outputs: []graph.Port{{Name: imageInput, DType: tensor.Float32, Shape: append(tensor.Shape{1}, shape...), Tensor: image.Tensor()}},
		}
	}
	return b.Finish(signature(graph.DefaultSignature, preprocessed(b, raw, shape[2], how)), signature(rawSignature, raw))
}

// rawSignature is that of decodeGraph which gives 0 … 255.
const rawSignature = "raw"

// decoded is tf.io.decode_image as a batch of one: uint8 [1, h, w, channels].
func decoded(b *graph.Builder, encoded graph.Ref, channels int) graph.Ref {
	pixels := b.Op("DecodeImage", "decode", []graph.Ref{encoded}, graph.Attrs{"channels": channels, "dtype": tensor.Uint8, "expand_animations": false})
	return b.Op("ExpandDims", "decode/batch", []graph.Ref{pixels, b.Int("decode/axis", 0)}, graph.Attrs{"T": tensor.Uint8, "Tdim": tensor.Int32})
}

// resized is tf.image.resize: x, of type d, [n, h, w, channels] → float32 [n, height, width, channels].
func resized(b *graph.Builder, x graph.Ref, d tensor.DType, shape []int) graph.Ref {
	return b.Op("ResizeBilinear", "resize", []graph.Ref{x, b.Ints("resize/size", shape[0], shape[1])},
		graph.Attrs{"T": d, "align_corners": false, "half_pixel_centers": true})
}

// preprocessed is keras.applications.imagenet_utils.preprocess_input: x float32 [n, height, width, channels] of 0 … 255.
func preprocessed(b *graph.Builder, x graph.Ref, channels int, how images.Preprocess) graph.Ref {
	binary := func(op, name string, x graph.Ref, v ...float32) graph.Ref {
		c := tensor.Scalar(v[0])
		if len(v) > 1 {
			c = tensor.Must(tensor.Of(v))
		}
		return b.Op(op, "preprocess/"+name, []graph.Ref{x, b.Const("preprocess/"+name+"/by", c)}, graph.Attrs{"T": tensor.Float32})
	}
	switch {
	case how == images.Unit:
		return binary("RealDiv", "scale", x, 255)
	case how == images.TF:
		return binary("Sub", "shift", binary("RealDiv", "scale", x, 127.5), 1)
	case how == images.Torch && channels == 3:
		x = binary("Sub", "mean", binary("RealDiv", "scale", x, 255), 0.485, 0.456, 0.406)
		return binary("RealDiv", "deviation", x, 0.229, 0.224, 0.225)
	case how == images.Caffe && channels == 3:
		bgr := b.Op("ReverseV2", "preprocess/bgr", []graph.Ref{x, b.Ints("preprocess/axis", 3)}, graph.Attrs{"T": tensor.Float32, "Tidx": tensor.Int32})
		return binary("Sub", "mean", bgr, 103.939, 116.779, 123.68)
	default:
		return x
	}
}
