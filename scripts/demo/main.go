// Command demo is what `make run` shows: a model that Keras trained reads twenty handwritten digits, through the library.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/internal/source"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
)

const dir = "scripts/testdata/mnist"

func main() {
	log.SetFlags(0)
	log.SetPrefix("demo: ")
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	model, err := cambium.Load(filepath.Join(dir, "mlp/saved_model"), nil)
	if err != nil {
		return err
	}
	defer func() { _ = model.Close() }()
	files, err := images.Expand(filepath.Join(dir, "digits"))
	if err != nil {
		return err
	}
	labels, err := readLabels(filepath.Join(dir, "digits/labels.txt"))
	if err != nil {
		return err
	}
	fmt.Printf("The model: a 784-128-10 network, trained by Keras in Python, exported as a SavedModel, run by the %s engine.\n\n", cambium.EngineOf(model))
	right, err := read(ctx, model, files, labels)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d of %d right.\n", right, len(files))
	fmt.Print(next)
	return nil
}

// read prints what the model makes of each digit and returns how many it read right.
func read(ctx context.Context, model cambium.Model, files []string, labels map[string]string) (right int, err error) {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "image\tlabel\tread as\tprobability")
	for _, file := range files {
		x, err := mnist.ReadDigit(file, mnist.Options{Shape: []int{1, 784}})
		if err != nil {
			return 0, err
		}
		y, err := model.Predict(ctx, x)
		if err != nil {
			return 0, err
		}
		digit, probability, err := best(y)
		if err != nil {
			return 0, err
		}
		name, mark := filepath.Base(file), "✗"
		if fmt.Sprint(digit) == labels[name] {
			mark = ""
			right++
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d %s\t%.4f\n", name, labels[name], digit, mark, probability)
	}
	return right, t.Flush()
}

// readLabels reads lines of a file name and the digit it shows.
func readLabels(path string) (map[string]string, error) {
	lines, err := source.Lines(path)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{}
	for _, line := range lines {
		name, label, _ := strings.Cut(line, " ")
		labels[name] = label
	}
	return labels, nil
}

// best returns the most probable class of y, [1, classes].
func best(y *tensor.Tensor) (class int, probability float32, err error) {
	p, err := tensor.Data[float32](y)
	for i := range p {
		if p[i] > p[class] {
			class = i
		}
	}
	if err != nil {
		return 0, 0, err
	}
	return class, p[class], nil
}

const next = `
Try next:
  bin/infer show scripts/testdata/mnist/cnn/my_mnist.h5          what is in a model file
  bin/infer run scripts/testdata/mnist/cnn/my_mnist.keras scripts/testdata/mnist/digits
  bin/infer run YOUR_MODEL YOUR_IMAGES                           your own SavedModel, .pb, .keras or .h5
  bin/infer --help, bin/finetune --help                          everything else
`
