package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/images"
	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/internal/inference"
	"github.com/cambium-go/cambium/internal/source"
	"github.com/cambium-go/cambium/tensor"
)

// runOptions are the flags of `infer run`.
type runOptions struct {
	modelOptions
	inputs     []string
	fetch      []string
	preprocess string
	batch      int
	top        int
	labels     string
	output     string
	json       bool
}

func newRun() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run MODEL [IMAGE…]",
		Short: "Run a model on files or images",
		Long: `Run a model on files or images.

--input NAME=SOURCE gives one input (repeat it for several): f.npy, f.npz (the only array, or f.npz:key), f.json, f.csv,
f.txt (one string a line), an image, or json:[[1,2]] in place. NAME= may be left out where the model has one input.
IMAGE… are files, globs or folders of PNG, JPEG, GIF and BMP for a model with one image input.`,
		Example: `  infer run my_mnist digits/*.png
  infer run my_model --input x=json:[[1,2,3]] --json
  infer run my_model --input tokens=t.npy --input mask=m.npy --output scores.npz`,
		Args: cli.Args(1, -1, "MODEL and any number of images"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(args[1:]); err != nil {
				return fmt.Errorf("run: %w", err)
			}
			if err := o.run(c, args[0], args[1:]); err != nil {
				return fmt.Errorf("run: %w", err)
			}
			return nil
		},
	}
	o.addFlags(c)
	return c
}

func (o *runOptions) addFlags(c *cobra.Command) {
	o.modelOptions.addFlags(c)
	f := c.Flags()
	f.StringArrayVarP(&o.inputs, "input", "i", nil, "`NAME=SOURCE`: one input; repeat for several")
	f.StringArrayVar(&o.fetch, "fetch", nil, "`NAME` of an output, or op:0 of the graph; repeat for several")
	f.StringVar(&o.preprocess, "preprocess", "", "`how` images become numbers: mnist, tf ([-1,1]), torch, caffe, unit ([0,1]), none (0..255)")
	f.IntVar(&o.batch, "batch", 0, "split long inputs into batches of `N` rows")
	f.IntVar(&o.top, "top", 0, "print the `K` best classes of each row (images: 3)")
	f.StringVar(&o.labels, "labels", "", "`FILE` with one class name a line; default: labels.txt in MODEL's assets or beside it, if it fits")
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE`: .npz, .npy, .json or .csv")
	f.BoolVar(&o.json, "json", false, "print one JSON document")
}

// check finds what is wrong with the command line before any work is done.
func (o *runOptions) check(paths []string) error {
	switch {
	case o.batch < 0:
		return cli.UsageError("--batch %d: needs a positive number of rows", o.batch)
	case o.top < 0:
		return cli.UsageError("--top %d: needs a positive number of classes", o.top)
	case len(paths) > 0 && len(o.inputs) > 0:
		return cli.UsageError("images and --input exclude each other; give an image to one input with --input NAME=FILE")
	}
	if o.preprocess != "" {
		if _, err := images.ParsePreprocess(o.preprocess); err != nil {
			return cli.UsageError("--preprocess: %w", err)
		}
	}
	if o.output != "" {
		if err := inference.CheckOutput(o.output); err != nil {
			return cli.WithCode(cli.Usage, err)
		}
	}
	return o.modelOptions.check()
}

// result is what `infer run --json` prints.
type result struct {
	Outputs      map[string]*tensor.Tensor `json:"outputs"`
	Engine       string                    `json:"engine"`
	Milliseconds float64                   `json:"ms"`
	Predictions  []inference.Prediction    `json:"predictions,omitempty"`
}

func (o *runOptions) run(c *cobra.Command, path string, paths []string) error {
	model, err := o.load(path)
	if err != nil {
		return err
	}
	defer func() { _ = model.Close() }()
	sig, err := o.chosen(path, model)
	if err != nil && (o.fetch == nil || len(model.Signatures()) > 0) {
		return err
	}
	if o.signature == "" && o.fetch == nil && o.preprocess == "" {
		sig = source.ForImages(sig, model.Signatures(), paths)
	}
	batches, files, err := o.read(c.Context(), path, sig, paths)
	if err != nil {
		return err
	}
	call, err := o.call(model, sig)
	if err != nil {
		return err
	}
	if files != nil {
		call = inference.Naming(call, files)
	}
	start := time.Now()
	outputs, err := inference.Run(c.Context(), call, batches, progress(c.ErrOrStderr(), len(files)))
	if err != nil {
		return err
	}
	r := result{Outputs: outputs, Engine: string(cambium.EngineOf(model)), Milliseconds: float64(time.Since(start).Microseconds()) / 1000}
	if r.Predictions, err = o.predictions(path, outputs, files); err != nil {
		return err
	}
	return o.print(c, r)
}

// call returns what runs the model once: its signature, or the names of --fetch.
func (o *runOptions) call(model cambium.Model, sig graph.Signature) (inference.Call, error) {
	if o.fetch == nil {
		return func(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
			return model.CallSignature(ctx, sig.Name, in)
		}, nil
	}
	f, ok := model.(cambium.Fetcher)
	if !ok {
		return nil, errors.New("--fetch: the native engine gives whole signatures only; use --engine tensorflow")
	}
	return func(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
		return f.Fetch(ctx, in, o.fetch)
	}, nil
}

// read gives the inputs in batches, and the names of the images among them.
func (o *runOptions) read(ctx context.Context, model string, sig graph.Signature, paths []string) (inference.Batches, []string, error) {
	if len(paths) > 0 {
		wants, err := o.wants(model)
		if err != nil {
			return nil, nil, err
		}
		return source.Images(ctx, sig, paths, wants)
	}
	args := make([]source.Arg, len(o.inputs))
	for i, s := range o.inputs {
		args[i] = source.ParseArg(s)
	}
	read := source.Bind
	if o.fetch != nil {
		read = source.Feed
	}
	inputs, err := read(sig, args)
	if err != nil {
		return nil, nil, err
	}
	batches, err := inference.Split(inputs, o.batch)
	return batches, nil, err
}

// wants says how the model wants its images: as the flag says, else as its files say.
func (o *runOptions) wants(model string) (source.ImageOptions, error) {
	wants := source.ImageOptions{BatchSize: o.batch}
	if o.preprocess != "" {
		how, err := images.ParsePreprocess(o.preprocess)
		if err != nil {
			return wants, err
		}
		wants.Preprocess = &how
		return wants, nil
	}
	files, err := o.architecture.options()
	if err != nil {
		return wants, err
	}
	how, ok, err := cambium.Preprocessing(model, files...)
	if ok {
		wants.Suggested = &how
	}
	return wants, err
}

// predictions turns class scores into names where images or --top ask for it.
func (o *runOptions) predictions(model string, outputs map[string]*tensor.Tensor, files []string) ([]inference.Prediction, error) {
	if o.top == 0 && o.labels == "" && files == nil {
		return nil, nil
	}
	scores, err := inference.Scores(outputs)
	if err != nil {
		if o.top == 0 && o.labels == "" {
			return nil, nil // images in, something other than classes out
		}
		return nil, err
	}
	labels, err := o.names(model, scores)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	k := o.top
	if k == 0 {
		k = 3
	}
	return inference.Predictions(scores, k, labels, files)
}

// names returns the classes' names: those of --labels, else of a labels.txt in the model or beside it, where finetune writes them,
// if there are as many.
func (o *runOptions) names(model string, scores *tensor.Tensor) ([]string, error) {
	if o.labels != "" {
		return source.Lines(o.labels)
	}
	for _, dir := range []string{filepath.Join(model, "assets.extra"), filepath.Join(model, "assets"), filepath.Dir(filepath.Clean(model))} {
		lines, err := source.Lines(filepath.Join(dir, "labels.txt"))
		if err == nil && len(lines) == scores.Shape()[scores.Rank()-1] {
			return lines, nil
		}
	}
	return nil, nil // the classes are numbered
}
