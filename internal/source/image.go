package source

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
)

// ErrPreprocess says that nothing tells how a model wants its images.
var ErrPreprocess = errors.New("how the model wants its images is unknown")

// ImageOptions say how image files become a model's input.
type ImageOptions struct {
	Preprocess *images.Preprocess // what the user said, if anything
	Suggested  *images.Preprocess // what the model's files say, if anything
	BatchSize  int                // images read at once; 0: 32
}

// imageForm is the form in which an input takes images.
type imageForm struct {
	port          graph.Port
	encoded       bool // strings: the files as they are
	mode          images.Mode
	height, width int // 0: as in the file
	digit         bool
}

// Images yields the image files that paths name (files, globs, folders) as batches for the one image input of a signature.
func Images(ctx context.Context, sig graph.Signature, paths []string, o ImageOptions) (batches iter.Seq2[map[string]*tensor.Tensor, error], files []string, err error) {
	form, err := imageInput(sig)
	if err != nil {
		return nil, nil, err
	}
	if files, err = images.Expand(paths...); err != nil {
		return nil, nil, err
	}
	if o.BatchSize == 0 {
		o.BatchSize = 32
	}
	if form.encoded {
		return encodedBatches(ctx, form.port, files, o.BatchSize), files, nil
	}
	read, err := form.options(o)
	if err != nil {
		return nil, nil, err
	}
	return func(yield func(map[string]*tensor.Tensor, error) bool) {
		for b, err := range images.Load(ctx, files, read) {
			var x *tensor.Tensor
			if err == nil {
				x, err = form.fit(b.Images)
			}
			if !yield(map[string]*tensor.Tensor{form.port.Name: x}, err) || err != nil {
				return
			}
		}
	}, files, nil
}

// decoding is the signature by which a model that finetune exported takes image files as they are.
const decoding = "serving_bytes"

// ForImages returns the signature of all to give image files to: the chosen one, unless the model decodes files itself and gives the
// same outputs. It then sees them as it did in training: TensorFlow's JPEG decoder and ours differ by a few levels.
func ForImages(chosen graph.Signature, all []graph.Signature, paths []string) graph.Signature {
	i := slices.IndexFunc(all, func(s graph.Signature) bool { return s.Name == decoding })
	files, err := images.Expand(paths...)
	if i < 0 || err != nil || !slices.EqualFunc(chosen.Outputs, all[i].Outputs, alike) {
		return chosen
	}
	form, err := imageInput(all[i])
	if err != nil || !form.encoded {
		return chosen
	}
	if pixels, err := imageInput(chosen); err == nil && pixels.mode == images.Gray && slices.ContainsFunc(files, needsColour) {
		return chosen
	}
	return all[i]
}

func alike(a, b graph.Port) bool {
	return a.Name == b.Name && a.DType == b.DType && slices.Equal(a.Shape, b.Shape)
}

// needsColour reports whether a file is in a format of which TensorFlow makes no grey images.
func needsColour(path string) bool {
	return slices.Contains([]string{".gif", ".bmp"}, strings.ToLower(filepath.Ext(path)))
}

// readImage reads one image as a batch of one for a port; 0 … 255 unless the port is a digit's.
func readImage(path string, port graph.Port) (*tensor.Tensor, error) {
	form, ok := formOf(port)
	if !ok {
		return nil, fmt.Errorf("%s: %w: %v %v takes no image", path, ErrSource, port.DType, port.Shape)
	}
	if form.encoded {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return tensor.Of([]string{string(data)})
	}
	o := ImageOptions{}
	if !form.digit {
		none := images.None
		o.Preprocess = &none
	}
	read, err := form.options(o)
	if err != nil {
		return nil, err
	}
	x, err := images.ReadFile(path, read)
	if err != nil {
		return nil, err
	}
	if x, err = x.Reshape(append([]int{1}, x.Shape()...)...); err != nil {
		return nil, err
	}
	return form.fit(x)
}

// imageInput finds the one input of a signature that takes images.
func imageInput(sig graph.Signature) (imageForm, error) {
	var found []imageForm
	needed := sig.Needed()
	for _, p := range needed {
		if f, ok := formOf(p); ok {
			found = append(found, f)
		}
	}
	if len(needed) != 1 || len(found) != 1 {
		return imageForm{}, fmt.Errorf("%w: images need a model with one image input; signature %s takes %s", ErrSource, sig.Name, describe(sig.Inputs))
	}
	return found[0], nil
}

// formOf tells from an input's type and shape whether and how it takes images.
func formOf(p graph.Port) (imageForm, bool) {
	f := imageForm{port: p}
	if p.DType == tensor.String {
		f.encoded = len(p.Shape) <= 1
		return f, f.encoded
	}
	if !p.DType.IsFloat() && !p.DType.IsInteger() {
		return f, false
	}
	channels := 0
	switch len(p.Shape) {
	case 4: // [batch, height, width, channels]
		f.height, f.width, channels = p.Shape[1], p.Shape[2], p.Shape[3]
	case 3: // [batch, height, width]
		f.height, f.width, channels = p.Shape[1], p.Shape[2], 1
	case 2: // [batch, height · width · channels]
		f.height, channels = flattened(p.Shape[1])
		f.width = f.height
		if f.height == 0 {
			return f, false
		}
	}
	f.height, f.width = max(f.height, 0), max(f.width, 0)
	mode, ok := map[int]images.Mode{1: images.Gray, 3: images.RGB, -1: images.RGB, 4: images.RGBA}[channels]
	f.mode = mode
	f.digit = f.height == digitSide && f.width == digitSide && mode == images.Gray
	return f, ok
}

// flattened returns the side and the channels (1 or 3) of the square image that n numbers are; 0 if they are none.
func flattened(n int) (side, channels int) {
	for _, channels := range []int{1, 3} {
		if n <= 0 || n%channels != 0 {
			continue
		}
		for side := 1; side*side <= n/channels; side++ {
			if side*side == n/channels {
				return side, channels
			}
		}
	}
	return 0, 0
}

// options turns the form into how the files are read.
func (f imageForm) options(o ImageOptions) (images.Options, error) {
	read := images.Options{Mode: f.mode, Height: f.height, Width: f.width, BatchSize: o.BatchSize}
	how, err := f.preprocess(o)
	if err != nil {
		return read, err
	}
	if how == images.MNIST {
		if !f.digit {
			return read, fmt.Errorf("%w: preprocess mnist gives 28×28 grey pixels, input %s takes %v", ErrSource, f.port.Name, f.port.Shape)
		}
		read.Upright = true
		read.Transform = digit(o.Suggested != nil && *o.Suggested == images.None)
		return read, nil
	}
	read.Preprocess = how
	if read.Height == 0 {
		read.BatchSize = 1 // files of different sizes share no batch
	}
	return read, nil
}

func (f imageForm) preprocess(o ImageOptions) (images.Preprocess, error) {
	switch {
	case o.Preprocess != nil:
		return *o.Preprocess, nil
	case f.digit:
		return images.MNIST, nil
	case o.Suggested != nil:
		return *o.Suggested, nil
	case f.port.DType == tensor.Uint8:
		return images.None, nil
	default:
		return images.None, fmt.Errorf("%w (input %s, %v %v); choose with --preprocess: mnist, tf, torch, caffe, unit, none", ErrPreprocess, f.port.Name, f.port.DType, f.port.Shape)
	}
}

// digitSide is the height and the width of MNIST's digits.
const digitSide = 28

// digit returns mnist.Digit, which gives 0 … 1, for a model that takes 0 … 255 if it rescales by itself.
func digit(rescales bool) func(*tensor.Tensor) (*tensor.Tensor, error) {
	return func(img *tensor.Tensor) (*tensor.Tensor, error) {
		x, err := mnist.Digit(img, mnist.Options{Shape: []int{digitSide, digitSide, 1}})
		if err != nil || !rescales {
			return x, err
		}
		values, err := tensor.Data[float32](x)
		for i := range values {
			values[i] *= 255
		}
		return x, err
	}
}

// fit gives a batch of images, [n, height, width, channels] of float32, the type and the rank of the input.
func (f imageForm) fit(x *tensor.Tensor) (*tensor.Tensor, error) {
	x, err := x.Convert(f.port.DType)
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", f.port.Name, err)
	}
	shape := slices.Clone(f.port.Shape)
	shape[0] = x.Shape()[0]
	if len(shape) == 4 {
		return x, nil
	}
	return x.Reshape(shape...)
}

// encodedBatches yields the files themselves.
func encodedBatches(ctx context.Context, p graph.Port, files []string, size int) iter.Seq2[map[string]*tensor.Tensor, error] {
	if len(p.Shape) == 0 && p.Shape != nil {
		size = 1 // a scalar takes one image
	}
	return func(yield func(map[string]*tensor.Tensor, error) bool) {
		for batch := range slices.Chunk(files, size) {
			x, err := encoded(ctx, p, batch)
			if !yield(map[string]*tensor.Tensor{p.Name: x}, err) || err != nil {
				return
			}
		}
	}
}

func encoded(ctx context.Context, p graph.Port, files []string) (*tensor.Tensor, error) {
	data := make([]string, len(files))
	for i, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		data[i] = string(b)
	}
	if len(p.Shape) == 0 && p.Shape != nil {
		return tensor.Scalar(data[0]), nil
	}
	return tensor.Of(data)
}
