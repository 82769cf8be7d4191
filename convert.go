package cambium

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
)

// ErrConvert says that a model cannot be written in a format; the message says why.
var ErrConvert = errors.New("cannot be converted")

// Convert reads the model at src, of any format, and writes it to dst: a Keras file if its name ends in .keras, .h5 or .hdf5, else
// a SavedModel directory. It needs neither Python nor an engine. dst appears whole or not at all, and replaces what is there.
//
// Only a Keras file can become a Keras file, since a graph does not say of which layers it was made. A file of weights becomes a
// model with [keras.WithArchitecture].
func Convert(src, dst string, opts ...keras.Option) error {
	format, err := Detect(src)
	if err != nil {
		return err
	}
	if dst == "" {
		return fmt.Errorf("%s: %w: there is no name to write it to", src, ErrConvert)
	}
	switch ext := strings.ToLower(filepath.Ext(dst)); ext {
	case ".keras", ".h5", ".hdf5":
		if format != Keras && format != H5 {
			return fmt.Errorf("%s: %w to %s: a %s holds a graph without Keras's configuration of layers; write a SavedModel directory instead", src, ErrConvert, ext, format)
		}
		m, err := keras.Load(src, opts...)
		if err != nil {
			return err
		}
		return keras.Write(dst, m)
	case ".pb", ".pbtxt":
		return fmt.Errorf("%s: %w to %s: a frozen graph is not written; give the name of a SavedModel directory, or of a .keras or .h5 file", src, ErrConvert, dst)
	default:
		return convertToSavedModel(src, dst, format, opts)
	}
}

func convertToSavedModel(src, dst string, format Format, opts []keras.Option) error {
	if info, err := os.Stat(dst); err == nil && !info.IsDir() {
		return fmt.Errorf("%s: %w: it is a file, and a SavedModel is a directory", dst, ErrConvert)
	} else if err == nil && !savedmodel.IsSavedModel(dst) && !isEmptyDir(dst) {
		return fmt.Errorf("%s: %w: the directory is not empty and holds no SavedModel to replace", dst, ErrConvert)
	}
	g, err := readGraph(src, nil, opts)
	if err != nil {
		return err
	}
	if g.Checkpoint != nil && g.Variables == nil {
		if err := savedmodel.ReadVariables(g); err != nil {
			return err
		}
	}
	prefix, err := variablePrefix(src, g)
	if err != nil {
		return err
	}
	keras := format == Keras || format == H5
	return savedmodel.Write(dst, g, savedmodel.WriteOptions{Prefix: prefix, Trainable: func(string) bool { return keras }})
}

// variablePrefix keeps the variables of different models on one TensorFlow server apart: a hash of the values.
func variablePrefix(src string, g *graph.Graph) (string, error) {
	if len(g.Variables) == 0 {
		return "", nil
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(g.Variables)) {
		if _, err := h.Write(g.Variables[name].Bytes()); err != nil {
			return "", fmt.Errorf("%s: %w", src, err)
		}
	}
	return "cambium_" + hex.EncodeToString(h.Sum(nil)[:6]), nil
}

func isEmptyDir(path string) bool {
	d, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = d.Close() }()
	_, err = d.Readdirnames(1)
	return errors.Is(err, io.EOF)
}
