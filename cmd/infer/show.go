package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/internal/layertable"
)

func newShow() *cobra.Command {
	var asJSON bool
	var config architecture
	c := &cobra.Command{
		Use:     "show MODEL",
		Short:   "Describe a model: signatures, versions, layers, parameters",
		Example: "  infer show my_model\n  infer show my_mnist.h5 --json",
		Args:    cli.Args(1, 1, "one MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := inspect(args[0], config)
			if err != nil {
				return fmt.Errorf("show: %w", err)
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), info)
			}
			return printInfo(c.OutOrStdout(), args[0], info)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	config.addFlag(c)
	return c
}

func inspect(path string, config architecture) (*cambium.Info, error) {
	files, err := config.options()
	if err != nil {
		return nil, err
	}
	info, err := cambium.Inspect(path, files...)
	return info, config.hint(err)
}

// printJSON prints exactly one JSON document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func printInfo(w io.Writer, path string, info *cambium.Info) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...any) { _, _ = fmt.Fprintln(t, tabbed(cells)) }
	row("model", path)
	row("format", info.Format)
	if p := producer(info.Producer); p != "" {
		row("written by", p)
	}
	if info.Unsupported == "" {
		row("parameters", layertable.Thousands(info.Parameters))
	}
	for _, mg := range info.MetaGraphs {
		if len(info.MetaGraphs) > 1 {
			row("\nmeta graph", strings.Join(mg.Tags, ", "))
		}
		for _, s := range mg.Signatures {
			row("\nsignature", s.Name, s.Method)
			printPorts(row, "input", s.Inputs)
			printPorts(row, "output", s.Outputs)
		}
		if len(mg.Signatures) == 0 {
			row("\nsignature", "none: it was saved without signatures, by which TensorFlow outside Python calls a model")
		}
		for _, f := range mg.Functions {
			row("  function", f)
		}
	}
	if info.Layers != nil {
		row("\nlayer", "class", "output shape", "parameters")
		for _, l := range info.Layers {
			if info.Unsupported != "" && l.OutputShape == nil {
				row(l.Name, l.Class, "?", "?")
				continue
			}
			row(l.Name, l.Class, l.OutputShape, layertable.Thousands(l.Parameters))
		}
	}
	if info.Unsupported != "" {
		row("\ncannot run", info.Unsupported)
	}
	return t.Flush()
}

func printPorts(row func(...any), kind string, ports []cambium.PortInfo) {
	for _, p := range ports {
		from := p.Tensor
		if p.Components != nil {
			from = strings.TrimPrefix(fmt.Sprint(p.Components), "map")
		}
		if p.Optional {
			from += "  optional"
		}
		row("  "+kind, p.Name, p.DType, p.Shape, from)
	}
}

func producer(p cambium.Producer) string {
	var parts []string
	if p.TensorFlow != "" {
		parts = append(parts, "TensorFlow "+p.TensorFlow)
	}
	if p.Keras != "" {
		parts = append(parts, "Keras "+p.Keras)
	}
	return strings.Join(parts, ", ")
}

func tabbed(cells []any) string {
	parts := make([]string, len(cells))
	for i, c := range cells {
		parts[i] = fmt.Sprint(c)
	}
	return strings.Join(parts, "\t")
}
