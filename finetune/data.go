package finetune

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// data is labelled samples, ready to train on.
type data struct {
	training   *train.Dataset
	validation *train.Dataset // nil: a part of training is held out
	test       *train.Dataset // nil: there is none
	classes    []string       // nil for regression
	input      input
	target     standard // of a regression
	originals  int      // how many training samples are the data's own; variants of them come behind
	skipped    []string // files that could not be read
	pictures   pictures // that the samples, or the features, are of
}

// pictures are the images of data sets, in the order of their samples; those of a set that there is not are nil.
type pictures struct{ training, validation, test []picture }

// input says how what a user has becomes a sample's features.
type input struct {
	shape []int   // of a sample: [28, 28] for grey images, [features]
	scale float32 // of bytes; 0 for float32 features
	// preprocess says how a user of the exported model makes its input of an image, by package images' names: "none" where
	// the model itself scales bytes, "" for tables.
	preprocess string
	columns    []string // of a table
	features   bool     // of a base
	table      standard // of a table's columns or a base's features
}

// standard is the mean and the standard deviation that numbers are scaled by: (x - mean) / deviation.
type standard struct {
	Mean, Deviation []float64
}

// load reads the data that o names; with an extractor, as the features of its images.
func load(ctx context.Context, o *Options, e *extractor) (*data, error) {
	if o.Target != "" && !isTable(o.Data) {
		return nil, fmt.Errorf("%s: %w: target %q is a column, and the data are no .csv table", o.Data, ErrOption, o.Target)
	}
	if o.ImageSize > 0 && isTable(o.Data) {
		return nil, fmt.Errorf("%s: %w: image size %d: a table has no images", o.Data, ErrOption, o.ImageSize)
	}
	switch o.Data {
	case "mnist", "fashion-mnist":
		d, err := loadFetched(ctx, o)
		return e.inPlaceOf(ctx, d, err)
	}
	info, err := os.Stat(o.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: there is no such file or folder; mnist and fashion-mnist are fetched", o.Data, ErrData)
	}
	switch {
	case !info.IsDir() && isTable(o.Data):
		if e != nil {
			return nil, fmt.Errorf("%s: %w: a base takes images, not a table; leave --base out", o.Data, ErrOption)
		}
		return loadTable(o)
	case !info.IsDir():
		return nil, fmt.Errorf("%s: %w: a file must be a .csv table", o.Data, ErrData)
	case hasIDX(o.Data):
		d, err := loadIDX(o.Data, nil)
		return e.inPlaceOf(ctx, d, err)
	default:
		return loadFolder(ctx, o, e)
	}
}

func isTable(path string) bool { return strings.EqualFold(filepath.Ext(path), ".csv") }

// labels returns the classes of a set's samples.
func labels(d *train.Dataset, classes int) ([]int32, error) { return train.Labels(d.Y, classes) }

// split returns the samples of the training data to hold out.
func (d *data) split(o *Options) ([]int32, error) {
	if d.validation != nil || o.ValidationSplit == 0 {
		return nil, nil
	}
	groups := make([]int32, d.training.Samples()) // one group for a regression
	if d.classes != nil {
		var err error
		if groups, err = labels(d.training, len(d.classes)); err != nil {
			return nil, err
		}
	}
	held := train.StratifiedSplit(groups, o.ValidationSplit, o.Seed)
	if len(held) == 0 {
		return nil, fmt.Errorf("%w: %d samples leave none to validate on", ErrData, len(groups))
	}
	return held, nil
}

// weigh sets the sample weights that --class-weights asks for, from the samples that are trained on.
func (d *data) weigh(o *Options) error {
	if o.ClassWeights == "" {
		return nil
	}
	if d.classes == nil {
		return fmt.Errorf("%w: class weights need classes, and the target is a number", ErrOption)
	}
	l, err := labels(d.training, len(d.classes))
	if err != nil {
		return err
	}
	d.training.Weights = train.BalancedWeights(l, len(d.classes))
	return nil
}

// identity is a hash of the samples and their targets.
func (d *data) identity() string {
	h := sha256.New()
	for _, s := range []*train.Dataset{d.training, d.validation} {
		if s != nil {
			fmt.Fprintln(h, s.X.Shape(), s.Y.Shape())
			h.Write(s.X.Bytes())
			h.Write(s.Y.Bytes())
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// check returns an error if a class of the training data has fewer than two samples, or there is one class only.
func (d *data) check() error {
	if d.classes == nil {
		return nil
	}
	l, err := labels(d.training, len(d.classes))
	if err != nil {
		return wrap(ErrData, err)
	}
	count := make([]int, len(d.classes))
	for _, c := range l {
		count[c]++
	}
	for c, n := range count {
		if n < 2 {
			return fmt.Errorf("%w: class %q has %d training samples; at least 2 are needed", ErrData, d.classes[c], n)
		}
	}
	if len(d.classes) < 2 {
		return fmt.Errorf("%w: there is one class only, %q; two at least are needed", ErrData, d.classes[0])
	}
	return nil
}

// vector returns a tensor of class indices.
func vector(labels []int32) *tensor.Tensor { return tensor.Must(tensor.Of(labels)) }
