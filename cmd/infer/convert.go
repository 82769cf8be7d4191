package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/internal/cli"
)

func newConvert() *cobra.Command {
	var config architecture
	c := &cobra.Command{
		Use:   "convert SRC DST",
		Short: "Write a model in another format, without Python",
		Long: `Write a model in another format, without Python. DST is a Keras file if its name ends in .keras, .h5 or .hdf5, else a
SavedModel directory, which Python, TensorFlow Serving and Go load. Only a Keras file can become a Keras file.`,
		Example: "  infer convert my_mnist.h5 my_mnist.keras\n  infer convert my_mnist.h5 my_mnist_saved_model",
		Args:    cli.Args(2, 2, "SRC and DST"),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := config.options()
			if err == nil {
				err = cambium.Convert(args[0], args[1], files...)
			}
			if err != nil {
				return fmt.Errorf("convert: %w", config.hint(err))
			}
			return nil
		},
	}
	config.addFlag(c)
	return c
}
