package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cambium-go/cambium/keras"
)

// architecture is the flag that names the configuration of a Keras file that holds nothing but weights.
type architecture string

func (a *architecture) addFlag(c *cobra.Command) {
	c.Flags().StringVar((*string)(a), "architecture", "", "`FILE` with what model.to_json() returned, for Keras files that hold weights only")
}

// options returns how Keras files are read.
func (a architecture) options() ([]keras.Option, error) {
	if a == "" {
		return nil, nil
	}
	config, err := os.ReadFile(string(a))
	if err != nil {
		return nil, fmt.Errorf("--architecture: %w", err)
	}
	return []keras.Option{keras.WithArchitecture(config)}, nil
}

// hint says what helps against an error.
func (a architecture) hint(err error) error {
	if errors.Is(err, keras.ErrWeightsOnly) {
		return fmt.Errorf("%w; give the text that model.to_json() returns with --architecture FILE", err)
	}
	return err
}
