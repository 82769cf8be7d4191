package keras

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Option changes how a file is read.
type Option func(*options)

type options struct {
	architecture []byte
	backend      string
}

// WithArchitecture supplies the configuration that a file of weights needs: the JSON text that to_json returns, or
// config.json of a .keras archive. Weights are matched by the layers' names where the names agree, else by order.
func WithArchitecture(config []byte) Option {
	return func(o *options) { o.architecture = config }
}

// WithBackend says on which backend a file was trained that does not say it itself (Keras 1): "theano" flips convolution
// kernels, "tensorflow" does not. Without it, kernels of Keras 1 with dim_ordering "th" are flipped.
func WithBackend(name string) Option {
	return func(o *options) { o.backend = name }
}

// Load reads a model file: .keras, or .h5 of Keras 1, 2 or 3. The kind is told from the content. Errors: [ErrWeightsOnly]
// for a file of weights without [WithArchitecture], [ErrCustomObject], [ErrUnsupported], [ErrWeights], [ErrFormat].
func Load(path string, opts ...Option) (*Model, error) {
	m, err := load(path, opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m.source = path
	return m, nil
}

func load(path string, opts []Option) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unwrapPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unwrapPath(err)
	}
	if info.IsDir() {
		return loadDirectory(path, opts)
	}
	return Read(f, info.Size(), opts...)
}

// unwrapPath drops the path, which the caller adds.
func unwrapPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Read is [Load] from a reader of the given size. The reader is not used after Read returns.
func Read(r io.ReaderAt, size int64, opts ...Option) (m *Model, err error) {
	defer catch(&err)
	var o options
	for _, f := range opts {
		f(&o)
	}
	return read(r, size, &o, 0)
}

func read(r io.ReaderAt, size int64, o *options, depth int) (*Model, error) {
	magic := make([]byte, 8)
	n, err := r.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	magic = magic[:n]
	switch {
	case bytes.HasPrefix(magic, []byte("PK")):
		return readArchive(r, size, o, depth)
	case bytes.HasPrefix(magic, []byte("\x89HDF\r\n\x1a\n")):
		return readH5(r, size, o)
	case size == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrFormat)
	}
	return nil, fmt.Errorf("%w: neither a .keras archive (ZIP) nor an HDF5 file", ErrFormat)
}

// loadDirectory reads a .keras archive that was unpacked.
func loadDirectory(path string, opts []Option) (m *Model, err error) {
	defer catch(&err)
	var o options
	for _, f := range opts {
		f(&o)
	}
	a := &archive{open: func(name string) (io.ReaderAt, int64, error) {
		data, err := os.ReadFile(filepath.Join(path, filepath.FromSlash(name)))
		if errors.Is(err, os.ErrNotExist) {
			return nil, 0, errMissing
		}
		return bytes.NewReader(data), int64(len(data)), err
	}}
	return a.model(&o)
}
