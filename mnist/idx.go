package mnist

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/cambium-go/cambium/tensor"
)

// Errors that callers branch on.
var (
	// ErrFormat says that a file is not in IDX format, or that files do not belong together.
	ErrFormat = errors.New("mnist: malformed file")
	// ErrNoDigit says that there is no digit to be seen in an image.
	ErrNoDigit = errors.New("mnist: no digit found")
	// ErrShape says that a digit cannot have the shape asked for.
	ErrShape = errors.New("mnist: wrong shape")
)

// maxIDX bounds the elements of a file in bytes, once unpacked; the largest set in this format, EMNIST, has 0.6 GB.
const maxIDX = 1 << 30

// idxTypes are the element types by the third byte of an IDX file; larger ones than a byte are big-endian.
var idxTypes = map[byte]tensor.DType{
	0x08: tensor.Uint8, 0x09: tensor.Int8, 0x0b: tensor.Int16, 0x0c: tensor.Int32, 0x0d: tensor.Float32, 0x0e: tensor.Float64,
}

// ReadIDX reads a file in the IDX format of http://yann.lecun.com/exdb/mnist, as it is or compressed with gzip:
//
//	0 0 TYPE RANK, the dimensions as big-endian uint32, the elements in row-major order
//
// Dimensions that do not match the size of the file, bytes behind the elements and a wrong checksum are errors.
func ReadIDX(path string) (*tensor.Tensor, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxIDX {
		return nil, fmt.Errorf("%w: %s is no file of at most %d bytes", ErrFormat, path, maxIDX)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := DecodeIDX(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// DecodeIDX is ReadIDX of a file's content.
func DecodeIDX(data []byte) (*tensor.Tensor, error) {
	plain := bytes.NewReader(data)
	var r io.Reader = plain
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(plain)
		if err != nil {
			return nil, fmt.Errorf("%w: gzip: %w", ErrFormat, err)
		}
		r = unpacked
	}
	dtype, shape, err := readIDXHeader(r)
	if err != nil {
		return nil, err
	}
	limit := plain.Len()
	if r != plain {
		limit = 1032 * len(data) // as far as DEFLATE can compress
	}
	n, err := shape.Elements()
	if size := dtype.Size(); err != nil || n > min(limit, maxIDX)/size {
		return nil, fmt.Errorf("%w: IDX says %v of %v, which a file of %d bytes does not hold", ErrFormat, shape, dtype, len(data))
	}
	elements := make([]byte, n*dtype.Size())
	if _, err := io.ReadFull(r, elements); err != nil {
		return nil, fmt.Errorf("%w: IDX ends within its %v elements: %w", ErrFormat, shape, noEOF(err))
	}
	if rest, err := io.Copy(io.Discard, r); err != nil || rest > 0 { // to the end, where the checksum is verified
		return nil, fmt.Errorf("%w: IDX: %w", ErrFormat, errors.Join(err, fmt.Errorf("%d bytes behind the elements", rest)))
	}
	swapToNative(elements, dtype.Size())
	return tensor.FromBytes(dtype, elements, shape...)
}

func readIDXHeader(r io.Reader) (tensor.DType, tensor.Shape, error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return 0, nil, fmt.Errorf("%w: IDX ends within its header: %w", ErrFormat, noEOF(err))
	}
	dtype, known := idxTypes[magic[2]]
	if magic[0] != 0 || magic[1] != 0 || !known {
		return 0, nil, fmt.Errorf("%w: not an IDX file: it starts with % x, not 00 00 and a type from 08 to 0e", ErrFormat, magic)
	}
	dims := make([]byte, 4*int(magic[3]))
	if _, err := io.ReadFull(r, dims); err != nil {
		return 0, nil, fmt.Errorf("%w: IDX ends within its header: %w", ErrFormat, noEOF(err))
	}
	shape := tensor.Shape{}
	for ; len(dims) > 0; dims = dims[4:] {
		d := binary.BigEndian.Uint32(dims)
		if d > math.MaxInt32 {
			return 0, nil, fmt.Errorf("%w: IDX has a dimension of %d", ErrFormat, d)
		}
		shape = append(shape, int(d))
	}
	return dtype, shape, nil
}

// noEOF keeps an early end from being taken for a regular one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteIDX writes t in IDX format: uint8, int8, int16, int32, float32 or float64, with dimensions of at most 2³¹-1. Put a
// gzip.Writer around w to compress.
func WriteIDX(w io.Writer, t *tensor.Tensor) error {
	header := []byte{0, 0, 0, 0}
	for code, d := range idxTypes {
		if d == t.DType() {
			header[2] = code
		}
	}
	if header[2] == 0 || t.Rank() > math.MaxUint8 {
		return fmt.Errorf("%w: %v cannot be written as IDX", ErrShape, t)
	}
	header[3] = uint8(t.Rank())
	for _, d := range t.Shape() {
		if d > math.MaxInt32 {
			return fmt.Errorf("%w: %v cannot be written as IDX", ErrShape, t)
		}
		header = binary.BigEndian.AppendUint32(header, uint32(d))
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	elements := t.Bytes()
	if t.DType().Size() > 1 {
		elements = bytes.Clone(elements)
		swapToNative(elements, t.DType().Size())
	}
	_, err := w.Write(elements)
	return err
}

// swapToNative turns big-endian elements into the machine's, and back.
func swapToNative(data []byte, size int) {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return
	}
	for ; size > 1 && len(data) >= size; data = data[size:] {
		for i := range size / 2 {
			data[i], data[size-1-i] = data[size-1-i], data[i]
		}
	}
}
