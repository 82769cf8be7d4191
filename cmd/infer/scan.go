package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/cli"
)

// scanReport is what `infer scan --json` prints.
type scanReport struct {
	Findings []graph.Finding `json:"findings"`
	Clean    bool            `json:"clean"`
}

func newScan() *cobra.Command {
	var asJSON bool
	var config architecture
	c := &cobra.Command{
		Use:   "scan MODEL",
		Short: "Find what in a model reaches outside of it: files, the network, code of the host",
		Long: `Find the ops and layers of a model that reach outside of it (files, the network, Python, host code), where they are, and
whether a signature or the loader reaches them. Exit status: 0 clean, 1 findings, 2 could not tell.`,
		Example: "  infer scan downloaded_model",
		Args:    cli.Args(1, 1, "one MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			findings, err := findings(args[0], config)
			if err != nil {
				return cli.WithCode(cli.Usage, fmt.Errorf("scan: %w", err))
			}
			report := scanReport{Findings: append([]graph.Finding{}, findings...), Clean: len(findings) == 0}
			show := printFindings
			if asJSON {
				show = func(w io.Writer, r scanReport) error { return printJSON(w, r) }
			}
			if err := show(c.OutOrStdout(), report); err != nil {
				return cli.WithCode(cli.Usage, err)
			}
			if !report.Clean {
				return cli.Exit(cli.Failed)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	config.addFlag(c)
	return c
}

func findings(path string, config architecture) ([]graph.Finding, error) {
	files, err := config.options()
	if err != nil {
		return nil, err
	}
	found, err := cambium.Scan(path, files...)
	return found, config.hint(err)
}

func printFindings(w io.Writer, r scanReport) error {
	if r.Clean {
		_, err := fmt.Fprintln(w, "clean: no op reaches outside the model")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "severity\top\twhere\treachable from\t")
	for _, f := range r.Findings {
		from := f.ReachableFrom
		if from == "" {
			from = "nothing"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Severity, f.Op, f.Where, from, f.Why)
	}
	return t.Flush()
}
