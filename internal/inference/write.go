package inference

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/tensor"
)

// ErrOutput says that outputs cannot be written in the form that a file's name asks for.
var ErrOutput = errors.New("output")

// CheckOutput says before any work is done whether Write knows the kind of file.
func CheckOutput(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npz", ".npy", ".json", ".csv":
		return nil
	default:
		return fmt.Errorf("%w %s: %q is no known kind; the kinds are .npz, .npy, .json and .csv", ErrOutput, path, ext)
	}
}

// Write writes outputs to a file of the kind that its name says: .npz (each output under its name), .json (likewise), .npy and
// .csv (one output). The file appears whole or not at all.
func Write(path string, outputs map[string]*tensor.Tensor) error {
	if err := CheckOutput(path); err != nil {
		return err
	}
	write, err := writerFor(strings.ToLower(filepath.Ext(path)), outputs)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrOutput, path, err)
	}
	if err := atomicfile.Write(path, write); err != nil {
		return fmt.Errorf("%w %s: %w", ErrOutput, path, err)
	}
	return nil
}

func writerFor(ext string, outputs map[string]*tensor.Tensor) (func(io.Writer) error, error) {
	names := Names(outputs)
	switch ext {
	case ".npz":
		arrays := make([]tensor.Named, len(names))
		for i, name := range names {
			arrays[i] = tensor.Named{Name: name, Tensor: outputs[name]}
		}
		return func(w io.Writer) error { return tensor.WriteNPZ(w, false, arrays...) }, nil
	case ".json":
		return func(w io.Writer) error { return writeJSON(w, names, outputs) }, nil
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("a %s file holds one output, the model gives %d (%s); choose with --fetch, or write .npz", ext, len(names), strings.Join(names, ", "))
	}
	only := outputs[names[0]]
	if ext == ".csv" {
		return func(w io.Writer) error { return tensor.WriteCSV(w, only) }, nil
	}
	return func(w io.Writer) error { return tensor.WriteNPY(w, only) }, nil
}

// writeJSON writes {"name": [[…]], …}.
func writeJSON(w io.Writer, names []string, outputs map[string]*tensor.Tensor) error {
	for i, name := range names {
		separator := ",\n "
		if i == 0 {
			separator = "{"
		}
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s: ", separator, key); err != nil {
			return err
		}
		if err := tensor.WriteJSON(w, outputs[name]); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "}\n")
	return err
}
