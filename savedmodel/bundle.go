package savedmodel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// ErrNoKey says that a bundle has no tensor of that name.
var ErrNoKey = errors.New("savedmodel: no such key")

// Bundle is a tensor bundle, TensorFlow's checkpoint format: PREFIX.index, a sorted table of keys, and the data files
// PREFIX.data-SSSSS-of-NNNNN (tensorflow/core/util/tensor_bundle). It is safe for concurrent use.
type Bundle struct {
	prefix  string
	shards  int
	order   binary.ByteOrder
	entries map[string]*tfproto.BundleEntryProto
	keys    []string
}

// Entry describes one tensor of a bundle.
type Entry struct {
	DType tensor.DType
	Shape tensor.Shape
	// Slices are the parts in which a partitioned variable was saved; nil for a tensor in one piece.
	Slices []Slice
}

// maxShards bounds the number of data files, whose names have five digits.
const maxShards = 100_000

// OpenBundle reads PREFIX.index and checks it; Read opens the data files. The prefix of a SavedModel's bundle is
// DIR/variables/variables.
func OpenBundle(prefix string) (*Bundle, error) {
	path := prefix + ".index"
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	b, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b.prefix = prefix
	return b, nil
}

func parseIndex(data []byte) (*Bundle, error) {
	table, err := readTable(data)
	if err != nil {
		return nil, err
	}
	if len(table) == 0 || table[0].key != "" {
		return nil, fmt.Errorf("%w: the table has no header", ErrMalformed)
	}
	header := &tfproto.BundleHeaderProto{}
	if err := proto.Unmarshal(table[0].value, header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	b := &Bundle{shards: int(header.GetNumShards()), order: binary.BigEndian, entries: make(map[string]*tfproto.BundleEntryProto, len(table))}
	if header.GetEndianness() == tfproto.LittleEndian {
		b.order = binary.LittleEndian
	}
	if b.shards < 0 || b.shards > maxShards {
		return nil, fmt.Errorf("%w: %d data files", ErrMalformed, b.shards)
	}
	if v := header.GetVersion().GetMinConsumer(); v > 1 {
		return nil, fmt.Errorf("%w: the bundle asks for a reader of version %d, this is one of version 1", ErrMalformed, v)
	}
	for _, e := range table[1:] {
		entry := &tfproto.BundleEntryProto{}
		if err := proto.Unmarshal(e.value, entry); err != nil {
			return nil, fmt.Errorf("%w: entry %q: %w", ErrMalformed, e.key, err)
		}
		b.entries[e.key] = entry
		if !strings.HasPrefix(e.key, sliceKeyPrefix) {
			b.keys = append(b.keys, e.key)
		}
	}
	return b, nil
}

// Keys returns the names of the tensors, sorted.
func (b *Bundle) Keys() []string { return slices.Clone(b.keys) }

// Entry describes the tensor with the given name. The error wraps ErrNoKey if there is none.
func (b *Bundle) Entry(key string) (Entry, error) {
	e := b.entries[key]
	if e == nil || strings.HasPrefix(key, sliceKeyPrefix) {
		return Entry{}, fmt.Errorf("%w: %s.index has no %q", ErrNoKey, b.prefix, key)
	}
	r := Entry{DType: graph.DTypeOf(e.GetDtype()), Shape: graph.ShapeOf(e.GetShape())}
	if _, err := r.Shape.Elements(); r.Shape == nil || err != nil {
		return Entry{}, fmt.Errorf("%w: %s.index: %q has the shape %v", ErrMalformed, b.prefix, key, r.Shape)
	}
	for _, s := range e.GetSlices() {
		slice, err := sliceOf(s, r.Shape)
		if err != nil {
			return Entry{}, fmt.Errorf("%s.index: %q: %w", b.prefix, key, err)
		}
		r.Slices = append(r.Slices, slice)
	}
	return r, nil
}

// Read returns the tensor with the given name, put together from its slices where it was saved in parts. Its checksum is
// checked.
func (b *Bundle) Read(key string) (*tensor.Tensor, error) {
	e, err := b.Entry(key)
	if err != nil {
		return nil, err
	}
	var t *tensor.Tensor
	if e.Slices == nil {
		t, err = b.stored(b.entries[key], e.Shape)
	} else {
		t, err = b.assemble(key, e)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", b.prefix, key, err)
	}
	return t, nil
}

// stored reads a tensor that lies in one piece.
func (b *Bundle) stored(e *tfproto.BundleEntryProto, shape tensor.Shape) (*tensor.Tensor, error) {
	d := graph.DTypeOf(e.GetDtype())
	n, err := shape.Elements()
	if err != nil {
		return nil, err
	}
	if d.Size() == 0 && d != tensor.String {
		return nil, fmt.Errorf("%w: a value of type %v cannot be read outside TensorFlow", graph.ErrUnsupported, e.GetDtype())
	}
	size := e.GetSize()
	if d != tensor.String && (n > math.MaxInt/16 || int64(n)*int64(d.Size()) != size) {
		return nil, fmt.Errorf("%w: %d bytes are stored, %v %v takes %d", ErrMalformed, size, d, shape, n*d.Size())
	}
	f, err := b.open(e)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if d == tensor.String {
		return b.readStrings(f, e, n, shape)
	}
	t, err := tensor.New(d, shape...)
	if err != nil {
		return nil, err
	}
	if err := readAt(f, t.Bytes(), e.GetOffset()); err != nil {
		return nil, err
	}
	if err := checkCRC(crc32.Checksum(t.Bytes(), castagnoli), e.GetCrc32C()); err != nil {
		return nil, err
	}
	if foreign(b.order) {
		swapBytes(t)
	}
	return tensor.FromBytes(d, t.Bytes(), shape...)
}

// open opens the data file of an entry and checks that the file is long enough for it.
func (b *Bundle) open(e *tfproto.BundleEntryProto) (*os.File, error) {
	shard := int(e.GetShardId())
	if shard < 0 || shard >= b.shards {
		return nil, fmt.Errorf("%w: it lies in data file %d of %d", ErrMalformed, shard, b.shards)
	}
	path := dataFile(b.prefix, shard, b.shards)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (e.GetOffset() < 0 || e.GetSize() < 0 || e.GetSize() > info.Size() || e.GetOffset() > info.Size()-e.GetSize()) {
		err = fmt.Errorf("%w: %s has %d bytes, the tensor takes %d from %d on; the file may be truncated", ErrMalformed, filepath.Base(path), info.Size(), e.GetSize(), e.GetOffset())
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func dataFile(prefix string, shard, shards int) string {
	return fmt.Sprintf("%s.data-%05d-of-%05d", prefix, shard, shards)
}

func readAt(f io.ReaderAt, p []byte, offset int64) error {
	if _, err := f.ReadAt(p, offset); err != nil && (len(p) > 0 || !errors.Is(err, io.EOF)) {
		return fmt.Errorf("reading %d bytes at %d: %w", len(p), offset, err)
	}
	return nil
}

func checkCRC(crc, stored uint32) error {
	if maskCRC(crc) != stored {
		return fmt.Errorf("%w: the checksum does not match: the data file is damaged or belongs to another index", ErrMalformed)
	}
	return nil
}

// readStrings reads a tensor of n strings: their lengths (varints), a checksum of the lengths, the bytes of all strings.
// The entry's checksum covers the lengths as fixed integers, their checksum and the bytes.
func (b *Bundle) readStrings(f io.ReaderAt, e *tfproto.BundleEntryProto, n int, shape tensor.Shape) (*tensor.Tensor, error) {
	if int64(n) > e.GetSize() {
		return nil, fmt.Errorf("%w: %d strings in %d bytes", ErrMalformed, n, e.GetSize())
	}
	data := make([]byte, e.GetSize())
	if err := readAt(f, data, e.GetOffset()); err != nil {
		return nil, err
	}
	lengths := make([]uint64, n)
	crc, total := uint32(0), uint64(0)
	for i := range lengths {
		v, k := binary.Uvarint(data)
		if k <= 0 || v > uint64(e.GetSize()) {
			return nil, fmt.Errorf("%w: the length of string %d is damaged", ErrMalformed, i)
		}
		lengths[i], data = v, data[k:]
		total += v
		crc = updateLength(crc, v, b.order)
	}
	if len(data) < 4 || total != uint64(len(data)-4) {
		return nil, fmt.Errorf("%w: the lengths of the strings add up to %d bytes, %d are stored", ErrMalformed, total, max(len(data)-4, 0))
	}
	if err := checkCRC(crc, b.order.Uint32(data)); err != nil {
		return nil, err
	}
	if err := checkCRC(crc32.Update(crc, castagnoli, data), e.GetCrc32C()); err != nil {
		return nil, err
	}
	text := string(data[4:])
	s := make([]string, n)
	for i, v := range lengths {
		s[i], text = text[:v], text[v:]
	}
	return tensor.Of(s, shape...)
}

// updateLength adds the length of a string to a checksum: as 4 bytes, or as 8 where it needs them.
func updateLength(crc uint32, v uint64, order binary.ByteOrder) uint32 {
	var b [8]byte
	if v <= math.MaxUint32 {
		order.PutUint32(b[:], uint32(v))
		return crc32.Update(crc, castagnoli, b[:4])
	}
	order.PutUint64(b[:], v)
	return crc32.Update(crc, castagnoli, b[:])
}

// swapBytes changes the byte order of the elements; each half of a complex number is one by itself.
func swapBytes(t *tensor.Tensor) {
	size := t.DType().Size()
	if t.DType() == tensor.Complex64 || t.DType() == tensor.Complex128 {
		size /= 2
	}
	for b := t.Bytes(); len(b) > 0; b = b[size:] {
		slices.Reverse(b[:size])
	}
}
