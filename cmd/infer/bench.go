package main

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/internal/inference"
)

// benchOptions are the flags of `infer bench`.
type benchOptions struct {
	modelOptions
	batches  string
	duration time.Duration
	json     bool
}

func newBench() *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:     "bench MODEL",
		Short:   "Measure latency and throughput on random inputs",
		Example: "  infer bench my_model --batch 1,32 --duration 5s",
		Args:    cli.Args(1, 1, "one MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			batches, err := o.check()
			if err != nil {
				return fmt.Errorf("bench: %w", err)
			}
			results, err := o.run(c, args[0], batches)
			if err != nil {
				return fmt.Errorf("bench: %w", err)
			}
			if o.json {
				return printJSON(c.OutOrStdout(), map[string]any{"results": results})
			}
			return printMeasurements(c.OutOrStdout(), results)
		},
	}
	o.addFlags(c)
	c.Flags().StringVar(&o.batches, "batch", "1,32", "batch sizes, `N,N`")
	c.Flags().DurationVar(&o.duration, "duration", 3*time.Second, "how long to measure each batch size and configuration")
	c.Flags().BoolVar(&o.json, "json", false, "print one JSON document")
	return c
}

func (o *benchOptions) check() ([]int, error) {
	if o.duration <= 0 {
		return nil, cli.UsageError("--duration %v: needs a positive duration", o.duration)
	}
	var batches []int
	for _, s := range strings.Split(o.batches, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return nil, cli.UsageError("--batch %s: %q is no positive number", o.batches, s)
		}
		batches = append(batches, n)
	}
	return batches, o.modelOptions.check()
}

// run measures each batch size, called by one goroutine and by one per core.
func (o *benchOptions) run(c *cobra.Command, path string, batches []int) ([]inference.Measurement, error) {
	model, err := o.load(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = model.Close() }()
	sig, err := o.chosen(path, model)
	if err != nil {
		return nil, err
	}
	engine := cambium.EngineOf(model)
	results := []inference.Measurement{}
	for _, batch := range batches {
		inputs, err := inference.Random(sig, batch, 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, goroutines := range callers() {
			m, err := inference.Measure(c.Context(), model.Call, inputs, batch, goroutines, o.duration)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			m.Configuration = fmt.Sprintf("%s, %d at once", engine, goroutines)
			results = append(results, m)
		}
	}
	return results, nil
}

// callers are the numbers of goroutines that call at once.
func callers() []int {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return []int{1, n}
	}
	return []int{1}
}

func printMeasurements(w io.Writer, results []inference.Measurement) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "batch\tconfiguration\tp50 µs\tp95 µs\tp99 µs\titems/s\t")
	for _, m := range results {
		_, _ = fmt.Fprintf(t, "%d\t%s\t%.1f\t%.1f\t%.1f\t%.0f\t\n", m.Batch, m.Configuration, m.P50, m.P95, m.P99, m.ItemsPerS)
	}
	return t.Flush()
}
