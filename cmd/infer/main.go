// Command infer loads TensorFlow and Keras models and runs them.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium/internal/cli"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		_ = cli.HandOver() // to the program that knows TensorFlow's version
	}
	os.Exit(cli.Main(newRoot(), os.Args[1:], os.Stdout, os.Stderr))
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "infer",
		Short: "Load TensorFlow and Keras models and run them",
		Long: `infer loads a model and runs it: a SavedModel directory (TensorFlow 1 or 2), a frozen graph (.pb),
a Keras .keras file or a Keras .h5 file. The kind is told from the content, not from the name.`,
		Example: `  infer show my_model
  infer run my_mnist.h5 digits/*.png
  infer compare my_mnist.h5 my_saved_model
  infer convert my_mnist.h5 my_mnist.keras
  infer bench my_model --batch 1,32
  infer scan downloaded_model
  infer devices`,
		Version: cli.Version(),
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(newShow(), newRun(), newCompare(), newConvert(), newBench(), newScan(), newDevices())
	return root
}
