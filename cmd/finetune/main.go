// Command finetune trains a model on labelled data and reports how good it is.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium/finetune"
	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/train"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		_ = cli.HandOver() // to the program that knows TensorFlow's version
	}
	os.Exit(cli.Main(newRoot(), os.Args[1:], os.Stdout, os.Stderr))
}

func newRoot() *cobra.Command {
	f := &flags{Options: finetune.Default()}
	c := &cobra.Command{
		Use:   "finetune --data DATA --out DIR",
		Short: "Train a model on labelled data",
		Long: `finetune trains a model on labelled data, and writes the model and a report of how good it is.

DATA is a folder with one sub-folder of images per class, a folder of IDX files (train-images-idx3-ubyte[.gz] …), a .csv file
whose last column (or --target) is the label, or mnist or fashion-mnist, which are fetched once.

With --base, a pretrained model (a SavedModel, a frozen graph, .keras or .h5), images go through it up to its head once, and a
new head is trained on what comes out. Those features are kept in the user's cache for the next run. With --unfreeze, layers of
the base are then trained further together with the head, at a lower learning rate.

--augment makes variants of each training image, so that a model learns what does not matter. They are made once, and kept with the
features; where --unfreeze trains the base itself, anew for each epoch. Images to validate and to test on are left alone. SPEC is a list
of names, each with the largest change, for each variant drawn anew:
  flip              left and right change places, every other time; flip=vertical, flip=both
  rotation=0.1      a tenth of a full turn, either way
  zoom=0.1          a tenth closer or farther
  translation=0.1   a tenth of the height and of the width, either way
  crop=0.2          a window of at least 0.8 of the sides, enlarged to the whole
  contrast=0.2      0.8 to 1.2 of it
  brightness=0.2    a fifth of the range from black to white, darker or lighter
  fill=0            what comes in from outside is this value; without it, the image mirrored at its edge

DIR gets report.html to look at, with everything in it; saved_model/, model.keras (unless the base is no Keras file) and labels.txt; curves.png,
confusion.png and, of images, worst.png: those that the model is most surely wrong about; report.json, history.csv, tensorboard/ and
checkpoint/. An interrupted run goes on from checkpoint/ with --resume, and ends with the same weights as an uninterrupted one.`,
		Example: `  finetune --data mnist --out my_model
  finetune --data fashion-mnist --out fashion --hidden 512,512 --dropout 0.2 --epochs 20
  finetune --data houses.csv --target price --out prices --hidden 64 --epochs 200 --patience 20
  finetune --data photos/ --out my_photos --tune 16
  finetune --base mobilenet.keras --data flowers/ --validation-split 0.25 --out my_flowers
  finetune --base mobilenet.keras --data flowers/ --augment flip,crop=0.2,rotation=0.03 --out my_flowers
  finetune --base mobilenet.keras --data birds/ --out birds --unfreeze block_13_expand --warmup 1`,
		Version: cli.Version(),
		Args:    cli.Args(0, 0, "no arguments besides its flags"),
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.add(c)
	return c
}

// flags are the command line's settings.
type flags struct {
	finetune.Options
	json bool
}

func (f *flags) add(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.Base, "base", f.Base, "the model whose features are used, or none: train a network on the data itself")
	s.StringVar(&f.Data, "data", "", "what to train on")
	s.StringVar(&f.Out, "out", "", "directory for the results")
	s.StringVar(&f.Target, "target", "", "the label's column of a .csv file (default: the last)")
	s.IntVar(&f.Epochs, "epochs", f.Epochs, "how often the training data are gone through")
	s.IntVar(&f.Batch, "batch", f.Batch, "samples a step")
	s.Float64Var(&f.LearningRate, "learning-rate", 0, "size of a step (default: the optimizer's, 0.001 or 0.01)")
	s.StringVar(&f.Optimizer, "optimizer", f.Optimizer, "sgd, momentum, rmsprop, adam or adamw")
	s.StringVar(&f.Loss, "loss", "", "what is minimized (default: cross-entropy for classes, mean_squared_error for numbers)")
	s.IntSliceVar(&f.Hidden, "hidden", f.Hidden, "units of the hidden layers, as 128,64; 0 for none")
	s.StringVar(&f.Activation, "activation", f.Activation, "of the hidden layers")
	s.Float64Var(&f.Dropout, "dropout", 0, "share of hidden outputs dropped while training")
	s.Float64Var(&f.L1, "l1", 0, "L1 penalty on the kernels")
	s.Float64Var(&f.L2, "l2", 0, "L2 penalty on the kernels (default: 0, or with a base by the number of samples)")
	s.Float64Var(&f.LabelSmoothing, "label-smoothing", 0, "share of a label spread over all classes")
	s.Float64Var(&f.ValidationSplit, "validation-split", f.ValidationSplit, "share of the training data held out for validation")
	s.IntVar(&f.Patience, "patience", f.Patience, "epochs without a better validation loss before stopping; 0: never")
	s.StringVar(&f.ClassWeights, "class-weights", "", "balanced: every class counts the same")
	s.TextVar(&f.Augment, "augment", f.Augment, "train on variants of the images as well, by a `SPEC` such as flip,rotation=0.1,zoom=0.1 (see above)")
	s.IntVar(&f.AugmentVariants, "augment-variants", f.AugmentVariants, "how many variants of each training image")
	s.Uint64Var(&f.Seed, "seed", f.Seed, "of everything random")
	s.Float64Var(&f.Warmup, "warmup", 0, "epochs in which the learning rate rises from nearly 0")
	s.StringVar(&f.Decay, "decay", "", "of the learning rate: plateau, cosine or none (default: plateau, after a warm-up none)")
	s.StringVar(&f.Unfreeze, "unfreeze", "none", "layers of the base that are trained too after the head: none, all, N for the last N with weights, or the name of the first")
	s.IntVar(&f.UnfreezeEpochs, "unfreeze-epochs", 0, "epochs of that (default: 10)")
	s.Float64Var(&f.UnfreezeLearningRate, "unfreeze-learning-rate", 0, "size of its steps (default: a hundredth of the optimizer's)")
	s.BoolVar(&f.UnfreezeBatchNorm, "unfreeze-batch-norm", false, "batch normalization that is unfrozen uses and moves the batch's statistics")
	s.StringVar(&f.Preprocess, "preprocess", "", "how the base wants its images: tf, torch, caffe, unit, none (default: what its files say)")
	s.StringVar(&f.Layer, "layer", "", "layer of the base whose output is its features (default: before its head)")
	s.IntVar(&f.ImageSize, "image-size", 0, "side in pixels that images are resized to (default: 28, or what the base takes)")
	s.StringVar(&f.Engine, "engine", f.Engine, "auto, tensorflow or native")
	s.IntVar(&f.Threads, "threads", 0, "threads to compute with (0: choose)")
	s.StringVar(&f.Device, "device", "auto", "auto, cpu, gpu or gpu:N")
	s.BoolVar(&f.Resume, "resume", false, "go on from DIR/checkpoint")
	s.BoolVar(&f.Compare, "compare", false, "train on both engines and compare")
	s.IntVar(&f.Tune, "tune", 0, "try so many settings of the hyperparameters that are not given")
	s.BoolVar(&f.json, "json", false, "print the report as one JSON document")
}

func (f *flags) run(c *cobra.Command) error {
	if err := f.complete(c); err != nil {
		return err
	}
	if f.NeedsTensorFlow() {
		if err := cli.HandOver(); err != nil {
			return err
		}
	}
	f.Log = c.ErrOrStderr()
	if cli.IsTerminal(f.Log) {
		f.OnProgress, f.OnEpoch = train.Bar(f.Log)
		f.OnFeatures = (&imageBar{w: f.Log, now: time.Now}).on
	}
	report, err := finetune.Run(c.Context(), f.Options)
	if err != nil && f.OnProgress != nil {
		fmt.Fprint(f.Log, "\r\x1b[K") // a bar that ended half-way
	}
	switch {
	case err != nil && c.Context().Err() != nil:
		if _, statErr := os.Stat(f.Out); statErr == nil {
			fmt.Fprintf(f.Log, "every complete epoch is in %s/checkpoint; --resume goes on from there\n", strings.TrimSuffix(f.Out, "/"))
		}
		return err
	case errors.Is(err, finetune.ErrOption):
		return cli.WithCode(cli.Usage, err)
	case err != nil:
		return err
	case f.json:
		return json.NewEncoder(c.OutOrStdout()).Encode(report)
	}
	return summary(c.OutOrStdout(), report, f.Out)
}

// complete checks what only the command line can know.
func (f *flags) complete(c *cobra.Command) error {
	changed := func(name string) bool { return c.Flags().Changed(name) }
	if !changed("data") || !changed("out") {
		return cli.UsageError("--data and --out are needed; see '%s --help'", c.CommandPath())
	}
	if changed("learning-rate") && f.LearningRate == 0 {
		return cli.UsageError("--learning-rate 0: nothing would be learnt")
	}
	if changed("l2") && f.L2 < 0 {
		return cli.UsageError("--l2 %v: a penalty is not negative", f.L2)
	}
	if f.Base == "none" {
		for _, name := range []string{"preprocess", "layer"} {
			if changed(name) {
				return cli.UsageError("--%s needs a --base", name)
			}
		}
	}
	if f.Base != "none" {
		f.headDefaults(changed)
	}
	if len(f.Hidden) == 1 && f.Hidden[0] == 0 {
		f.Hidden = nil
	}
	for _, name := range []string{"batch", "learning-rate", "optimizer", "hidden", "activation", "dropout", "l2"} {
		if changed(name) {
			f.Given = append(f.Given, strings.ReplaceAll(name, "-", "_"))
		}
	}
	return nil
}

// headDefaults gives the flags that were not given the values that suit a head on a base.
func (f *flags) headDefaults(changed func(string) bool) {
	head := finetune.DefaultHead()
	set := func(name string, put func()) {
		if !changed(name) {
			put()
		}
	}
	set("hidden", func() { f.Hidden = head.Hidden })
	set("epochs", func() { f.Epochs = head.Epochs })
	set("batch", func() { f.Batch = head.Batch })
	set("patience", func() { f.Patience = head.Patience })
	set("l2", func() { f.L2 = head.L2 })
	set("validation-split", func() { f.ValidationSplit = head.ValidationSplit })
}

// summary prints what a person wants to know first.
func summary(w io.Writer, r *finetune.Report, out string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what, value string) { fmt.Fprintf(t, "%s\t%s\n", what, value) }
	variants := ""
	if r.Data.Augmented > 0 {
		variants = fmt.Sprintf(" and %d variants of them", r.Data.Augmented)
	}
	row("data", fmt.Sprintf("%d to train on%s, %d to validate on, %d to test on", r.Data.Train, variants, r.Data.Validation, r.Data.Test))
	row("epochs", fmt.Sprintf("%d, the weights are those of epoch %d", len(r.History), r.BestEpoch))
	for _, part := range []struct {
		name string
		m    *finetune.Measures
	}{{"validation", r.Validation}, {"test", r.Test}} {
		switch m := part.m; {
		case m == nil:
		case m.Confusion != nil:
			row(part.name, fmt.Sprintf("accuracy %.4f, loss %.4f", m.Accuracy, m.Loss))
		default:
			row(part.name, fmt.Sprintf("R2 %.4f, mean absolute error %.4g, mean squared error %.4g", m.R2, m.MAE, m.MSE))
		}
	}
	if t := r.FineTuning; t != nil && t.FrozenValidation != nil {
		became := "then it was trained too"
		if !t.Kept {
			became = "training it made that no better"
		}
		row("frozen base", fmt.Sprintf("accuracy %.4f, loss %.4f on the validation data; %s: %d layers", t.FrozenValidation.Accuracy, t.FrozenValidation.Loss, became, len(t.Layers)))
	}
	if c := r.Compare; c != nil {
		row("compare", fmt.Sprintf("after %d steps the engines' weights differ by at most %.1e, losses by %.1e; they agree on %.2f %% of the predictions; native %.3f s, TensorFlow %.3f s",
			c.Steps, c.MaxWeightDiff, c.MaxLossDiff, 100*c.Agreement, c.NativeSeconds, c.TensorFlowSeconds))
	}
	engine := r.Engine
	if t := r.FineTuning; t != nil {
		engine = fmt.Sprintf("%s for the head, %s for the base's layers", r.Engine, t.Engine)
	}
	row("engine", fmt.Sprintf("%s, %.1f s of training, %.1f s in all", engine, r.Seconds.Training, r.Seconds.Total))
	row("results", filepath.Join(out, "report.html"))
	return t.Flush()
}
