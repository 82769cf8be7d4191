package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/internal/fetch"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
)

// few writes an IDX data set of the first images of each class of data to dir: n to train on, and as many of the test set as tests
// says.
func few(ctx context.Context, data, dir string, n, tests int) error {
	var err error
	switch data {
	case "mnist":
		data, err = fetch.MNIST(ctx, os.Stderr)
	case "fashion-mnist":
		data, err = fetch.FashionMNIST(ctx, os.Stderr)
	}
	if err != nil {
		return err
	}
	all, err := mnist.Read(data)
	if err != nil {
		return err
	}
	if err := writeFew(filepath.Join(dir, "train"), all.Train, n); err != nil {
		return err
	}
	return writeFew(filepath.Join(dir, "t10k"), all.Test, tests)
}

// writeFew writes the first n images of each class, and their labels.
func writeFew(name string, s mnist.Set, n int) error {
	shape := s.Images.Shape()
	size := shape[1] * shape[2]
	var taken [256]int
	var images, labels []uint8
	for i, class := range s.Labels.Bytes() {
		if taken[class] < n {
			taken[class]++
			labels = append(labels, class)
			images = append(images, s.Images.Bytes()[i*size:(i+1)*size]...)
		}
	}
	x, err := tensor.Of(images, len(labels), shape[1], shape[2])
	if err != nil {
		return fmt.Errorf("%d images of each class: %w", n, err)
	}
	if err := writeIDX(name+"-images-idx3-ubyte", x); err != nil {
		return err
	}
	return writeIDX(name+"-labels-idx1-ubyte", tensor.Must(tensor.Of(labels)))
}

func writeIDX(path string, t *tensor.Tensor) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := mnist.WriteIDX(f, t); err != nil {
		return err
	}
	return f.Close()
}
