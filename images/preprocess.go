package images

import (
	"fmt"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// Preprocess says how the bytes of an image become what a model was trained on.
type Preprocess uint8

// The ways to preprocess; the zero value is None.
const (
	None  Preprocess = iota // 0 … 255
	Unit                    // 0 … 1: x / 255
	TF                      // -1 … 1: x / 127.5 - 1 (MobileNet, Inception, ResNetV2)
	Torch                   // x / 255, less ImageNet's mean, by its standard deviation (DenseNet, PyTorch's models)
	Caffe                   // BGR, less ImageNet's mean (ResNet50, VGG)
	MNIST                   // 0 … 1, grey, light digits on dark: Options.Transform must be package mnist's Digit
)

var preprocessNames = []string{None: "none", Unit: "unit", TF: "tf", Torch: "torch", Caffe: "caffe", MNIST: "mnist"}

// String returns the name that ParsePreprocess knows.
func (p Preprocess) String() string { return preprocessNames[p] }

// ParsePreprocess returns what "none", "unit", "tf", "torch", "caffe" or "mnist" stands for.
func ParsePreprocess(name string) (Preprocess, error) {
	for p, n := range preprocessNames {
		if n == name {
			return Preprocess(p), nil
		}
	}
	return None, fmt.Errorf("%w: preprocess %q; %s are possible", ErrOptions, name, strings.Join(preprocessNames, ", "))
}

// imageNet holds the mean and the standard deviation of ImageNet's pixels, as in keras.applications.imagenet_utils.
var imageNet = struct{ mean, deviation, caffeMean [3]float32 }{
	mean: [3]float32{0.485, 0.456, 0.406}, deviation: [3]float32{0.229, 0.224, 0.225}, // RGB of 0 … 1
	caffeMean: [3]float32{103.939, 116.779, 123.68}, // BGR of 0 … 255
}

// Apply returns an image [height, width, channels] or a batch [n, height, width, channels] of uint8 or float32 with values
// of 0 … 255, preprocessed: float32, with the same roundings as Keras's preprocess_input. Torch and Caffe need 3 channels.
func (p Preprocess) Apply(x *tensor.Tensor) (*tensor.Tensor, error) {
	if d := x.DType(); (d != tensor.Uint8 && d != tensor.Float32) || x.Rank() < 1 {
		return nil, fmt.Errorf("%w: preprocess uint8 or float32 [height,width,channels], not %v", ErrOptions, x)
	}
	if c := x.Shape()[x.Rank()-1]; (p == Torch || p == Caffe) && c != 3 {
		return nil, fmt.Errorf("%w: preprocess %v needs red, green and blue, the image has %d channels", ErrOptions, p, c)
	}
	out, err := x.Cast(tensor.Float32)
	if err != nil {
		return nil, err
	}
	if out == x {
		out = x.Clone()
	}
	v, err := tensor.Data[float32](out)
	if err != nil {
		return nil, err
	}
	p.apply(v)
	return out, nil
}

func (p Preprocess) apply(v []float32) {
	switch p {
	case Unit, MNIST:
		for i := range v {
			v[i] /= 255
		}
	case TF:
		for i := range v {
			v[i] = float32(v[i]/127.5) - 1
		}
	case Torch:
		for i := range v {
			v[i] = (float32(v[i]/255) - imageNet.mean[i%3]) / imageNet.deviation[i%3]
		}
	case Caffe:
		for i := 0; i+2 < len(v); i += 3 {
			m := &imageNet.caffeMean
			v[i], v[i+1], v[i+2] = v[i+2]-m[0], v[i+1]-m[1], v[i]-m[2]
		}
	}
}
