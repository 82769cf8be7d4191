package main

import (
	"fmt"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/internal/cli"
	"github.com/cambium-go/cambium/tfbridge"
)

// devicesReport is what `infer devices --json` prints.
type devicesReport struct {
	TensorFlow []tfbridge.Device `json:"tensorflow"`
	Native     nativeDevice      `json:"native"`
}

type nativeDevice struct {
	SIMD    string `json:"simd"`
	Threads int    `json:"threads"`
}

func newDevices() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "devices",
		Short:   "What TensorFlow sees, and what the native engine will use",
		Example: "  infer devices",
		Args:    cli.Args(0, 0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := cli.HandOver(); err != nil {
				return err
			}
			report := devicesReport{TensorFlow: []tfbridge.Device{}, Native: nativeDevice{SIMD: dense.SIMD(), Threads: runtime.GOMAXPROCS(0)}}
			if tfbridge.Available {
				found, err := tfbridge.Devices()
				if err != nil {
					return fmt.Errorf("devices: %w", err)
				}
				report.TensorFlow = found
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), report)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(t, "engine\tdevice\ttype\tmemory")
			for _, d := range report.TensorFlow {
				_, _ = fmt.Fprintf(t, "tensorflow\t%s\t%s\t%s\n", d.Name, d.Type, megabytes(d.MemoryBytes))
			}
			_, _ = fmt.Fprintf(t, "native\t%d threads, %s\tCPU\t\n", report.Native.Threads, report.Native.SIMD)
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}

func megabytes(n int64) string {
	if n < 0 {
		return "no limit"
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
