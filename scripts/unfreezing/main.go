// Command unfreezing measures what training a base's own layers gains over a head on the base as it came. For each learning rate
// and each seed it trains a head, then the whole; the rate is chosen by the validation loss alone, and only then are the test
// accuracies looked at.
//
//	go run ./scripts/unfreezing                                              the digits 5-9 on pooled features of a network of 0-4
//	go run ./scripts/unfreezing -base MODEL -layer '' -data DATA             another base and other data
//	go run ./scripts/unfreezing -base MODEL -layer '' -data mnist -few 100   … 100 images of each class of it
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/finetune"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "unfreezing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := finetune.DefaultHead()
	const digits = "scripts/testdata/digits_base"
	flag.StringVar(&o.Base, "base", digits+"/base.keras", "the base")
	flag.StringVar(&o.Layer, "layer", "conv2d_2", "its layer whose pooled output is the features; '' finds it")
	flag.StringVar(&o.Data, "data", digits, "data with a test set")
	flag.StringVar(&o.Unfreeze, "unfreeze", "all", "what is trained")
	flag.IntVar(&o.UnfreezeEpochs, "epochs", 40, "epochs of that at most")
	n := flag.Int("few", 0, "of IDX data, the first so many images of each class; 0: all")
	tests := flag.Int("tests", 200, "with -few: the first so many test images of each class")
	seeds := flag.Int("seeds", 5, "how many seeds")
	rates := flag.String("rates", "0.0003,0.001,0.003,0.01", "learning rates to choose from")
	flag.Parse()
	o.ValidationSplit = 0.2

	dir, err := os.MkdirTemp("", "unfreezing")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.Out = filepath.Join(dir, "out")
	if *n > 0 {
		if err := few(ctx, o.Data, dir, *n, *tests); err != nil {
			return err
		}
		o.Data = dir
	}
	var best []*finetune.Report
	chosen, lowest := "", math.Inf(1)
	for _, text := range strings.Split(*rates, ",") {
		if o.UnfreezeLearningRate, err = strconv.ParseFloat(text, 64); err != nil {
			return err
		}
		reports, err := overSeeds(ctx, o, *seeds)
		if err != nil {
			return err
		}
		loss, _ := spread(reports, func(r *finetune.Report) float64 { return r.Validation.Loss })
		fmt.Printf("learning rate %-7s validation loss %.3f, validation accuracy %s\n", text, loss, percent(reports, validation))
		if loss < lowest {
			chosen, lowest, best = text, loss, reports
		}
	}
	fmt.Printf("\nchosen by the validation loss: %s. Mean and standard deviation over %d seeds:\n\n", chosen, len(best))
	fmt.Printf("             validation accuracy   test accuracy\nfrozen base  %-21s %s\nunfrozen     %-21s %s\n", percent(best, frozenValidation), percent(best, frozenTest),
		percent(best, validation), percent(best, test))
	return nil
}

func validation(r *finetune.Report) float64       { return r.Validation.Accuracy }
func test(r *finetune.Report) float64             { return r.Test.Accuracy }
func frozenValidation(r *finetune.Report) float64 { return r.FineTuning.FrozenValidation.Accuracy }
func frozenTest(r *finetune.Report) float64       { return r.FineTuning.FrozenTest.Accuracy }

// overSeeds trains once for each seed: the seed settles the split, the head's first weights and the order of the samples.
func overSeeds(ctx context.Context, o finetune.Options, seeds int) ([]*finetune.Report, error) {
	var reports []*finetune.Report
	for seed := range seeds {
		o.Seed = uint64(seed + 1)
		r, err := finetune.Run(ctx, o)
		if err != nil {
			return nil, err
		}
		if r.Validation == nil || r.Test == nil {
			return nil, fmt.Errorf("%s: it takes validation and test data to compare", o.Data)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// spread is the mean and the standard deviation of a figure of some runs.
func spread(reports []*finetune.Report, figure func(*finetune.Report) float64) (mean, deviation float64) {
	n := float64(len(reports))
	for _, r := range reports {
		mean += figure(r) / n
	}
	for _, r := range reports {
		deviation += math.Pow(figure(r)-mean, 2) / max(n-1, 1)
	}
	return mean, math.Sqrt(deviation)
}

func percent(reports []*finetune.Report, figure func(*finetune.Report) float64) string {
	mean, deviation := spread(reports, figure)
	return fmt.Sprintf("%.1f ± %.1f %%", 100*mean, 100*deviation)
}
