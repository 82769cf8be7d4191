package finetune

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cambium-go/cambium/internal/fetch"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/train"
)

// garments are Fashion-MNIST's classes.
var garments = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

// loadFetched reads MNIST or Fashion-MNIST, fetched into the user's cache the first time.
func loadFetched(ctx context.Context, o *Options) (*data, error) {
	get, classes, preprocess := fetch.MNIST, []string(nil), "mnist"
	if o.Data == "fashion-mnist" {
		get, classes, preprocess = fetch.FashionMNIST, garments, "unit"
	}
	log := o.Log
	if log == nil {
		log = io.Discard
	}
	dir, err := get(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Data, err)
	}
	d, err := loadIDX(dir, classes)
	if err == nil {
		d.input.preprocess = preprocess
	}
	return d, err
}

// loadIDX reads a folder of IDX files. Classes without names are numbered; a number that no image has is no class.
func loadIDX(dir string, classes []string) (*data, error) {
	set, err := mnist.Read(dir)
	if err != nil {
		return nil, wrap(ErrData, err)
	}
	for i := len(classes); i < max(set.Train.Classes(), set.Test.Classes()); i++ {
		classes = append(classes, fmt.Sprint(i))
	}
	const scale = 1.0 / 255
	classes, place := present(classes, set.Train.Labels.Bytes(), set.Test.Labels.Bytes())
	dataset := func(s mnist.Set) *train.Dataset {
		l := make([]int32, s.Len())
		for i, c := range s.Labels.Bytes() {
			l[i] = place[c]
		}
		return &train.Dataset{X: s.Images, Y: vector(l), Scale: scale}
	}
	return &data{training: dataset(set.Train), test: dataset(set.Test), classes: classes,
		pictures: pictures{training: digitsOf(set.Train.Images, nil), test: digitsOf(set.Test.Images, nil)},
		input:    input{shape: set.Train.Images.Shape()[1:], scale: scale, preprocess: "unit"}}, nil
}

// present leaves out the classes that no label names, and returns where the others are now.
func present(classes []string, labels ...[]byte) (names []string, place [256]int32) {
	var used [256]bool
	for _, set := range labels {
		for _, c := range set {
			used[c] = true
		}
	}
	for c, name := range classes {
		if used[c] {
			place[c] = int32(len(names))
			names = append(names, name)
		}
	}
	return names, place
}

// hasIDX reports whether a folder holds an IDX data set.
func hasIDX(dir string) bool {
	for _, suffix := range []string{"", ".gz"} {
		if _, err := os.Stat(filepath.Join(dir, "train-images-idx3-ubyte"+suffix)); err == nil {
			return true
		}
	}
	return false
}
