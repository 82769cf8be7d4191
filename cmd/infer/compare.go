package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/internal/inference"
	"github.com/cambium-go/cambium/internal/source"
	"github.com/cambium-go/cambium/tensor"
)

// compareOptions are the flags of `infer compare`.
type compareOptions struct {
	modelOptions
	inputs    []string
	rows      int
	seed      uint64
	tolerance float64
	json      bool
}

// comparison is what `infer compare --json` prints.
type comparison struct {
	Outputs map[string]inference.Difference `json:"outputs"`
	Equal   bool                            `json:"equal"`
}

func newCompare() *cobra.Command {
	var o compareOptions
	c := &cobra.Command{
		Use:   "compare MODEL [OTHER]",
		Short: "Run the same input through both engines, or through two models",
		Long: `Run the same input through both engines, or through two models, and measure how far the outputs are apart. Without
--input the input is random, the same for the same --seed. Exit status: 0 equal, 1 different, 2 could not tell.`,
		Example: "  infer compare my_mnist.h5\n  infer compare my_model converted_model --input x.npy --tolerance 1e-6",
		Args:    cli.Args(1, 2, "MODEL and perhaps OTHER"),
		RunE: func(c *cobra.Command, args []string) error {
			result, err := o.run(c.Context(), args)
			if err != nil {
				return cli.WithCode(cli.Usage, fmt.Errorf("compare: %w", err))
			}
			if err := o.print(c.OutOrStdout(), result); err != nil {
				return cli.WithCode(cli.Usage, err)
			}
			if !result.Equal {
				return cli.Exit(cli.Failed)
			}
			return nil
		},
	}
	o.addFlags(c)
	f := c.Flags()
	f.StringArrayVarP(&o.inputs, "input", "i", nil, "`NAME=SOURCE`, as for run; default: random")
	f.IntVar(&o.rows, "batch", 8, "rows of a random input")
	f.Uint64Var(&o.seed, "seed", 1, "seed of a random input")
	f.Float64Var(&o.tolerance, "tolerance", 1e-5, "largest |Δ| that counts as equal")
	f.BoolVar(&o.json, "json", false, "print one JSON document")
	return c
}

func (o *compareOptions) run(ctx context.Context, paths []string) (*comparison, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if !(o.tolerance >= 0) || math.IsInf(o.tolerance, 1) {
		return nil, cli.UsageError("--tolerance %g: needs a number of at least 0", o.tolerance)
	}
	if o.rows < 1 {
		return nil, cli.UsageError("--batch %d: needs a positive number of rows", o.rows)
	}
	first, second := o.modelOptions, o.modelOptions
	if len(paths) == 1 {
		first.engine, second.engine = string(cambium.Native), string(cambium.TensorFlow)
	}
	inputs, got, err := o.outputs(ctx, &first, paths[0], nil)
	if err != nil {
		return nil, err
	}
	_, want, err := o.outputs(ctx, &second, paths[len(paths)-1], inputs)
	if err != nil {
		return nil, err
	}
	return o.differences(got, want)
}

// outputs runs a model; inputs that are nil are read as the flags say.
func (o *compareOptions) outputs(ctx context.Context, m *modelOptions, path string, inputs map[string]*tensor.Tensor) (in, out map[string]*tensor.Tensor, err error) {
	model, err := m.load(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = model.Close() }()
	sig, err := m.chosen(path, model)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case inputs != nil:
		if inputs, err = renamed(inputs, portNames(sig.Inputs)); err != nil {
			err = fmt.Errorf("%s: inputs: %w", path, err)
		}
	case o.inputs == nil:
		if inputs, err = inference.Random(sig, o.rows, o.seed); err != nil {
			err = fmt.Errorf("%s: %w; give it with --input", path, err)
		}
	default:
		args := make([]source.Arg, len(o.inputs))
		for i, s := range o.inputs {
			args[i] = source.ParseArg(s)
		}
		inputs, err = source.Bind(sig, args)
	}
	if err != nil {
		return nil, nil, err
	}
	out, err = model.CallSignature(ctx, sig.Name, inputs)
	if err != nil {
		return nil, nil, fmt.Errorf("%s (%s): %w", path, cambium.EngineOf(model), err)
	}
	return inputs, out, nil
}

func (o *compareOptions) differences(got, want map[string]*tensor.Tensor) (*comparison, error) {
	want, err := renamed(want, inference.Names(got))
	if err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	c := &comparison{Outputs: map[string]inference.Difference{}, Equal: true}
	for name := range got {
		d, err := inference.Compare(got[name], want[name])
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
		c.Outputs[name] = d
		c.Equal = c.Equal && d.MaxAbs <= o.tolerance
	}
	return c, nil
}

// renamed gives a single value the single name that is wanted; several values must have the wanted names.
func renamed(values map[string]*tensor.Tensor, names []string) (map[string]*tensor.Tensor, error) {
	have := inference.Names(values)
	switch {
	case slices.Equal(have, names):
		return values, nil
	case len(have) == 1 && len(names) == 1:
		return map[string]*tensor.Tensor{names[0]: values[have[0]]}, nil
	default:
		return nil, fmt.Errorf("one model names them %v, the other %v", have, names)
	}
}

func portNames(ports []graph.Port) []string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.Name
	}
	slices.Sort(names)
	return names
}

func (o *compareOptions) print(w io.Writer, c *comparison) error {
	if o.json {
		return printJSON(w, c)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "output\tmax |Δ|\tmean |Δ|\tlargest relative Δ\targmax agreement")
	names := make([]string, 0, len(c.Outputs))
	for name := range c.Outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		d := c.Outputs[name]
		_, _ = fmt.Fprintf(t, "%s\t%.3g\t%.3g\t%.3g\t%.2f %%\n", name, d.MaxAbs, d.MeanAbs, d.MaxRel, 100*d.ArgmaxAgreement)
	}
	verdict := "equal within"
	if !c.Equal {
		verdict = "different by more than"
	}
	_, _ = fmt.Fprintf(t, "%s %g\n", verdict, o.tolerance)
	return t.Flush()
}
