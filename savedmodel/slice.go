package savedmodel

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/internal/tfproto"
	"github.com/cambium-go/cambium/tensor"
)

// Slice is a part of a tensor: a range in each dimension (TensorSliceProto in tensorflow/core/framework/tensor_slice.proto).
type Slice []Range

// Range is Length indices of a dimension from Start on; Full says that it was written as the whole dimension.
type Range struct {
	Start, Length int
	Full          bool
}

// sliceKeyPrefix starts the keys under which slices are stored, and no other key.
const sliceKeyPrefix = "\x00"

// sliceOf checks a slice of a tensor of the given shape.
func sliceOf(p *tfproto.TensorSliceProto, shape tensor.Shape) (Slice, error) {
	if len(p.GetExtent()) != len(shape) {
		return nil, fmt.Errorf("%w: a slice of %d dimensions of a tensor of shape %v", ErrMalformed, len(p.GetExtent()), shape)
	}
	s := make(Slice, len(shape))
	for i, e := range p.GetExtent() {
		if e.GetHasLength() == nil {
			s[i] = Range{Length: shape[i], Full: true}
			continue
		}
		start, length := e.GetStart(), e.GetLength()
		if start < 0 || length < 0 || start > int64(shape[i]) || length > int64(shape[i])-start {
			return nil, fmt.Errorf("%w: a slice from %d of length %d of dimension %d of %v", ErrMalformed, start, length, i, shape)
		}
		s[i] = Range{Start: int(start), Length: int(length)}
	}
	return s, nil
}

// parseSlice reads what TensorFlow 1 writes as shape_and_slices: "10 20 0,5:-" is the first 5 rows of a tensor of shape
// [10,20].
func parseSlice(spec string) (tensor.Shape, Slice, error) {
	wrong := fmt.Errorf("%w: %q is no shape and slice", ErrMalformed, spec)
	words := strings.Fields(spec)
	if len(words) == 0 {
		return nil, nil, wrong
	}
	shape := make(tensor.Shape, len(words)-1)
	for i := range shape {
		v, err := strconv.Atoi(words[i])
		if err != nil || v < 0 {
			return nil, nil, wrong
		}
		shape[i] = v
	}
	p := &tfproto.TensorSliceProto{}
	for _, part := range strings.Split(words[len(words)-1], ":") {
		e := &tfproto.TensorSliceProto_Extent{}
		if part != "-" {
			from, length, _ := strings.Cut(part, ",")
			start, err := strconv.ParseInt(from, 10, 64)
			n, err2 := strconv.ParseInt(length, 10, 64)
			if err != nil || err2 != nil {
				return nil, nil, wrong
			}
			e.Start, e.HasLength = start, &tfproto.TensorSliceProto_Extent_Length{Length: n}
		}
		p.Extent = append(p.Extent, e)
	}
	s, err := sliceOf(p, shape)
	return shape, s, err
}

func (s Slice) shape() tensor.Shape {
	r := make(tensor.Shape, len(s))
	for i, d := range s {
		r[i] = d.Length
	}
	return r
}

// key returns the key under which a slice of a tensor is stored (EncodeTensorNameSlice in
// tensorflow/core/util/saved_tensor_slice_util.cc, written as strings::OrderedCode does).
func (s Slice) key(name string) string {
	b := appendUnsigned(nil, 0)
	for _, c := range []byte(name) {
		switch c {
		case 0x00:
			b = append(b, 0x00, 0xff)
		case 0xff:
			b = append(b, 0xff, 0x00)
		default:
			b = append(b, c)
		}
	}
	b = append(b, 0x00, 0x01)
	b = appendUnsigned(b, uint64(len(s)))
	for _, r := range s {
		if r.Full {
			b = appendSigned(appendSigned(b, 0), -1)
		} else {
			b = appendSigned(appendSigned(b, int64(r.Start)), int64(r.Length))
		}
	}
	return string(b)
}

// appendUnsigned writes the number of bytes, then the bytes, high ones first.
func appendUnsigned(b []byte, v uint64) []byte {
	n := (bits.Len64(v) + 7) / 8
	b = append(b, byte(n))
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// appendSigned writes the number, its sign extended, high bytes first, in so many bytes that each has one bit to spare. As
// many of the leading bits as there are bytes are inverted, so that the bytes sort as the numbers do.
func appendSigned(b []byte, v int64) []byte {
	magnitude := v
	if v < 0 {
		magnitude = ^v
	}
	n := 1 // bytes: 7 bits of each are left for the number and its sign
	for n < 10 && bits.Len64(uint64(magnitude)) >= 7*n {
		n++
	}
	var buf [16]byte // two's complement, high bytes first
	binary.BigEndian.PutUint64(buf[8:], uint64(v))
	if v < 0 {
		for i := range 8 {
			buf[i] = 0xff
		}
	}
	out := buf[16-n:]
	if n <= 8 {
		out[0] ^= ^byte(0xff >> n)
	} else {
		out[0] ^= 0xff
		out[1] ^= ^byte(0xff >> (n - 8))
	}
	return append(b, out...)
}

// assemble puts the slices of a partitioned tensor together. Together they must be as large as the tensor.
func (b *Bundle) assemble(key string, e Entry) (*tensor.Tensor, error) {
	want, err := e.Shape.Elements()
	if err != nil {
		return nil, err
	}
	parts := make([]*tensor.Tensor, len(e.Slices))
	have := 0
	for i, s := range e.Slices {
		if parts[i], err = b.slice(key, e.DType, s); err != nil {
			return nil, err
		}
		have += parts[i].Len()
	}
	if have != want {
		return nil, fmt.Errorf("%w: the slices have %d elements, a tensor of shape %v has %d", ErrMalformed, have, e.Shape, want)
	}
	t, err := tensor.New(e.DType, e.Shape...)
	if err != nil {
		return nil, err
	}
	for i, s := range e.Slices {
		copySlice(t, s, parts[i], true)
	}
	return t, nil
}

// slice reads one stored slice of a tensor.
func (b *Bundle) slice(key string, d tensor.DType, s Slice) (*tensor.Tensor, error) {
	e := b.entries[s.key(key)]
	if e == nil {
		return nil, fmt.Errorf("%w: the slice %v is missing", ErrMalformed, s)
	}
	if shape := graph.ShapeOf(e.GetShape()); graph.DTypeOf(e.GetDtype()) != d || !shape.Equal(s.shape()) {
		return nil, fmt.Errorf("%w: the slice %v has the shape %v", ErrMalformed, s, shape)
	}
	return b.stored(e, s.shape())
}

// ReadSlice returns the part of a tensor that a partitioned variable of TensorFlow 1 restores; spec is its entry in
// RestoreV2's shape_and_slices, such as "10 20 0,5:-". An empty spec means the whole tensor.
func (b *Bundle) ReadSlice(key, spec string) (*tensor.Tensor, error) {
	if spec == "" {
		return b.Read(key)
	}
	shape, s, err := parseSlice(spec)
	if err != nil {
		return nil, err
	}
	e, err := b.Entry(key)
	if err != nil {
		return nil, err
	}
	if !e.Shape.Equal(shape) {
		return nil, fmt.Errorf("%w: %s: %q has the shape %v, the graph asks for a slice of %v", ErrMalformed, b.prefix, key, e.Shape, shape)
	}
	if b.entries[s.key(key)] != nil {
		return b.slice(key, e.DType, s)
	}
	whole, err := b.Read(key)
	if err != nil {
		return nil, err
	}
	part, err := tensor.New(e.DType, s.shape()...)
	if err != nil {
		return nil, err
	}
	copySlice(whole, s, part, false)
	return part, nil
}

// copySlice copies part into the place s of whole, or that place of whole into part.
func copySlice(whole *tensor.Tensor, s Slice, part *tensor.Tensor, into bool) {
	if part.Len() == 0 {
		return
	}
	row, shape := 1, whole.Shape() // the elements that lie together in both
	if len(s) > 0 {
		row = s[len(s)-1].Length
	}
	for p := 0; p < part.Len(); p += row {
		w, stride, rest := 0, 1, p
		for d := len(s) - 1; d >= 0; d-- {
			w += (rest%s[d].Length + s[d].Start) * stride
			rest /= s[d].Length
			stride *= shape[d]
		}
		if into {
			copyElements(whole, w, part, p, row)
		} else {
			copyElements(part, p, whole, w, row)
		}
	}
}

func copyElements(dst *tensor.Tensor, to int, src *tensor.Tensor, from, n int) {
	if dst.DType() == tensor.String {
		d, _ := tensor.Data[string](dst)
		s, _ := tensor.Data[string](src)
		copy(d[to:to+n], s[from:from+n])
		return
	}
	size := dst.DType().Size()
	copy(dst.Bytes()[to*size:(to+n)*size], src.Bytes()[from*size:(from+n)*size])
}
