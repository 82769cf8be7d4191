package cambium

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/savedmodel"
)

// Format is the kind of a model file.
type Format string

// The kinds of model files.
const (
	SavedModel Format = "savedmodel" // a directory with saved_model.pb or saved_model.pbtxt
	GraphDef   Format = "graphdef"   // a frozen graph, binary or text
	Keras      Format = "keras"      // a .keras file: a ZIP archive
	H5         Format = "h5"         // a Keras .h5 file: HDF5
)

// ErrFormat says that a path holds no model that this package knows.
var ErrFormat = errors.New("not a model")

var (
	hdf5Magic = []byte("\x89HDF\r\n\x1a\n")
	zipMagic  = []byte("PK\x03\x04")
)

// liteMagic stands at byte 4 of a TensorFlow Lite file.
const liteMagic = "TFL3"

// Detect tells the format of a model from its content; the name of the file plays no part. The path of a saved_model.pb
// counts as its directory.
func Detect(path string) (Format, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() && !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return "", fmt.Errorf("%s: %w: neither a file nor a directory (%v)", path, ErrFormat, info.Mode())
	}
	if info.IsDir() {
		if savedmodel.IsSavedModel(path) {
			return SavedModel, nil
		}
		return "", fmt.Errorf("%s: %w: the directory holds no saved_model.pb or saved_model.pbtxt%s", path, ErrFormat, versions(path))
	}
	switch filepath.Base(path) {
	case "saved_model.pb", "saved_model.pbtxt":
		return SavedModel, nil
	}
	return detectFile(path)
}

func detectFile(path string) (Format, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 4096) // a text may begin with comments
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("%s: %w: the file is empty or unreadable: %w", path, ErrFormat, err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, zipMagic):
		return Keras, nil
	case bytes.HasPrefix(head, hdf5Magic) || hasUserBlock(f):
		return H5, nil
	case graph.LooksLikeGraphDef(head):
		return GraphDef, nil
	case len(head) >= 8 && string(head[4:8]) == liteMagic:
		return "", fmt.Errorf("%s: %w: TensorFlow Lite files are not read; the model that it was converted from is", path, ErrFormat)
	case head[0] == 0x08: // saved_model_schema_version, SavedModel's first field
		return "", fmt.Errorf("%s: %w: if it is the graph of a SavedModel, give its directory, where it is called saved_model.pb", path, ErrFormat)
	default:
		return "", fmt.Errorf("%s: %w: it is neither a .keras nor an .h5 file, nor a frozen graph", path, ErrFormat)
	}
}

// hasUserBlock reports whether the HDF5 signature stands at 512, 1024, 2048 … bytes, behind a user block.
func hasUserBlock(f io.ReaderAt) bool {
	head := make([]byte, len(hdf5Magic))
	for at := int64(512); at <= 1<<20; at *= 2 {
		if _, err := f.ReadAt(head, at); err != nil {
			return false
		}
		if bytes.Equal(head, hdf5Magic) {
			return true
		}
	}
	return false
}

// versions says which numbered sub-directories of a TensorFlow Serving model base hold a SavedModel.
func versions(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var found []string
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if _, err := strconv.Atoi(e.Name()); err == nil && savedmodel.IsSavedModel(sub) {
			found = append(found, sub)
		}
	}
	if found == nil {
		return ""
	}
	return "; it is a model base of TensorFlow Serving, give one version: " + strings.Join(found, ", ")
}
