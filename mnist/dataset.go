package mnist

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/cambium-go/cambium/tensor"
)

// Data is a data set in MNIST's format.
type Data struct {
	Train, Test Set
}

// Set holds images and which class each shows.
type Set struct {
	Images *tensor.Tensor // uint8 [n, height, width], 0 is the background
	Labels *tensor.Tensor // uint8 [n]
}

// Read reads the four files of MNIST (60,000 and 10,000 digits of 28×28), or of a set in the same format such as
// Fashion-MNIST, from a folder: train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k, each as it is or with .gz.
func Read(dir string) (*Data, error) {
	train, err := readSet(dir, "train")
	if err != nil {
		return nil, err
	}
	test, err := readSet(dir, "t10k")
	if err != nil {
		return nil, err
	}
	if a, b := train.Images.Shape()[1:], test.Images.Shape()[1:]; !slices.Equal(a, b) {
		return nil, fmt.Errorf("%w: %s: the training images are %v, the test images %v", ErrFormat, dir, a, b)
	}
	return &Data{train, test}, nil
}

func readSet(dir, name string) (Set, error) {
	images, err := readEither(filepath.Join(dir, name+"-images-idx3-ubyte"), 3)
	if err != nil {
		return Set{}, err
	}
	labels, err := readEither(filepath.Join(dir, name+"-labels-idx1-ubyte"), 1)
	if err != nil {
		return Set{}, err
	}
	if n := images.Shape()[0]; n != labels.Len() {
		return Set{}, fmt.Errorf("%w: %s: %s has %d images and %d labels", ErrFormat, dir, name, n, labels.Len())
	}
	return Set{images, labels}, nil
}

// readEither reads path or path.gz, which must hold bytes of the given rank.
func readEither(path string, rank int) (*tensor.Tensor, error) {
	t, err := ReadIDX(path)
	if errors.Is(err, fs.ErrNotExist) {
		path += ".gz"
		t, err = ReadIDX(path)
	}
	if err != nil {
		return nil, err
	}
	if t.DType() != tensor.Uint8 || t.Rank() != rank || t.Len() == 0 {
		return nil, fmt.Errorf("%w: %s is %v, not uint8 of rank %d with something in it", ErrFormat, path, t, rank)
	}
	return t, nil
}

// Len returns the number of images.
func (s Set) Len() int { return s.Labels.Len() }

// Classes returns the number of classes: one more than the largest label.
func (s Set) Classes() int { return int(slices.Max(s.Labels.Bytes())) + 1 }

// Rows returns images from (inclusive) to (exclusive) with their labels, without copying.
func (s Set) Rows(from, to int) (Set, error) {
	images, err := s.Images.Rows(from, to)
	if err != nil {
		return Set{}, err
	}
	labels, err := s.Labels.Rows(from, to)
	return Set{images, labels}, err
}

// Scaled returns the images as float32 of 0..1 (byte / 255), each in the given shape: Scaled(784) is [n, 784], Scaled(28, 28, 1)
// is [n, 28, 28, 1]; without a shape it is [n, height, width]. It takes four bytes a pixel: use Rows for a part.
func (s Set) Scaled(shape ...int) (*tensor.Tensor, error) {
	if len(shape) == 0 {
		shape = s.Images.Shape()[1:]
	}
	x, err := s.Images.Reshape(append([]int{s.Len()}, shape...)...)
	if err != nil {
		return nil, err
	}
	return scaled(x)
}

// scaled returns bytes as float32 of 0..1.
func scaled(x *tensor.Tensor) (*tensor.Tensor, error) {
	out := make([]float32, x.Len())
	for i, b := range x.Bytes() {
		out[i] = float32(b) / 255
	}
	return tensor.Of(out, x.Shape()...)
}
