package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/internal/inference"
	"github.com/cambium-go/cambium/tensor"
)

// print shows a result where the flags ask for it: in a file, as JSON, or as tables.
func (o *runOptions) print(c *cobra.Command, r result) error {
	if o.output != "" {
		if err := inference.Write(o.output, r.Outputs); err != nil {
			return err
		}
	}
	switch {
	case o.json:
		return printJSON(c.OutOrStdout(), r)
	case r.Predictions != nil:
		return printPredictions(c.OutOrStdout(), r)
	case o.output == "":
		return printOutputs(c.OutOrStdout(), r)
	default:
		return nil
	}
}

func printPredictions(w io.Writer, r result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, p := range r.Predictions {
		name := p.Image
		if name == "" {
			name = fmt.Sprintf("row %d", i)
		}
		cells := []string{name}
		for _, s := range p.Top {
			cells = append(cells, s.Label, fmt.Sprintf("%.4f", s.Score))
		}
		_, _ = fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// Long outputs are shown by their first rows and columns.
const (
	shownRows    = 20
	shownColumns = 12
)

func printOutputs(w io.Writer, r result) error {
	for _, name := range inference.Names(r.Outputs) {
		t := r.Outputs[name]
		if _, err := fmt.Fprintf(w, "%s  %v\n", name, t); err != nil {
			return err
		}
		if err := printTensor(w, t); err != nil {
			return err
		}
	}
	return nil
}

// printTensor shows a tensor as rows of its last dimension.
func printTensor(w io.Writer, t *tensor.Tensor) error {
	columns := 1
	if t.Rank() > 0 {
		columns = t.Shape()[t.Rank()-1]
	}
	if t.Len() == 0 {
		_, err := fmt.Fprintln(w, "  (empty)")
		return err
	}
	rows := t.Len() / columns
	flat, err := t.Reshape(rows, columns)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i := range min(rows, shownRows) {
		row, err := flat.Rows(i, i+1)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(table, "  "+strings.Join(inference.Texts(row, shownColumns), "\t")+"\t")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if rows > shownRows {
		_, err = fmt.Fprintf(w, "  … %d rows more; --output FILE writes them all\n", rows-shownRows)
	}
	return err
}

// progress returns a function that draws a line of progress on a terminal, nil elsewhere and where there is little to wait for.
func progress(w io.Writer, all int) func(done int) {
	if all < 2 || !cli.IsTerminal(w) {
		return nil
	}
	start := time.Now()
	return func(done int) {
		rate := float64(done) / time.Since(start).Seconds()
		left := time.Duration(float64(all-done) / rate * float64(time.Second)).Round(time.Second)
		_, _ = fmt.Fprintf(w, "\r%d of %d images, %.0f/s, %v left\033[K", done, all, rate, left)
		if done == all {
			_, _ = fmt.Fprint(w, "\r\033[K")
		}
	}
}
