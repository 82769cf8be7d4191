package tensor

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// Errors that callers branch on; every error of this package wraps one of them.
var (
	// ErrShape says that a shape is impossible, or is not the one that was needed.
	ErrShape = errors.New("tensor: wrong shape")
	// ErrDType says that an element type is unknown, or is not the one that was needed.
	ErrDType = errors.New("tensor: wrong element type")
	// ErrFormat says that a file is not what its format demands.
	ErrFormat = errors.New("tensor: malformed file")
	// ErrNotClose says that values differ by more than a tolerance allows.
	ErrNotClose = errors.New("tensor: values differ")
)

// Tensor is a value: an element type, a shape and the elements in row-major (C) order.
// The elements are shared, not copied: by the slice a tensor was made of, by Data, Reshape and Rows.
type Tensor struct {
	dtype   DType
	shape   Shape
	data    []byte   // every type but String; aligned for its elements
	strings []string // String
}

// Of returns a tensor over values, without copying them. Without a shape the tensor is a vector: [len(values)].
func Of[T Element](values []T, shape ...int) (*Tensor, error) {
	if shape == nil {
		shape = []int{len(values)}
	}
	return of(DTypeOf[T](), values, shape)
}

func of[T Element](d DType, values []T, shape Shape) (*Tensor, error) {
	n, err := shape.Elements()
	if err != nil {
		return nil, err
	}
	if n != len(values) {
		return nil, fmt.Errorf("%w: %v has %d elements, %d were given", ErrShape, shape, n, len(values))
	}
	t := &Tensor{dtype: d, shape: shape.known()}
	if s, ok := any(values).([]string); ok {
		t.strings = s
	} else if n > 0 {
		var z T
		t.data = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), n*int(unsafe.Sizeof(z)))
	}
	return t, nil
}

// Scalar returns a tensor of rank 0.
func Scalar[T Element](v T) *Tensor { return Must(of(DTypeOf[T](), []T{v}, Shape{})) }

// New returns a tensor of zeros (empty strings).
func New(d DType, shape ...int) (*Tensor, error) {
	n, err := sized(d, shape)
	if err != nil {
		return nil, err
	}
	t := withShape(shape)
	t.dtype = d
	if d == String {
		t.strings = make([]string, n)
	} else {
		t.data = alignedBytes(n * d.Size())
	}
	return t, nil
}

// withShape returns a tensor and its own copy of the shape, in one piece of memory where the rank is as small as it mostly is.
func withShape(shape Shape) *Tensor {
	if len(shape) > 4 {
		return &Tensor{shape: shape.known()}
	}
	var t struct {
		Tensor
		dims [4]int
	}
	t.shape = append(t.dims[:0:4], shape...)
	return &t.Tensor
}

// FromBytes returns a tensor over data, which holds the elements in the machine's byte order; data is copied only where
// its address is not aligned for the element type. Strings have no such form: use Of.
func FromBytes(d DType, data []byte, shape ...int) (*Tensor, error) {
	if d == String {
		return nil, fmt.Errorf("%w: strings cannot be made from bytes", ErrDType)
	}
	n, err := sized(d, shape)
	if err != nil {
		return nil, err
	}
	if n*d.Size() != len(data) {
		return nil, fmt.Errorf("%w: %v of %v takes %d bytes, %d were given", ErrShape, Shape(shape), d, n*d.Size(), len(data))
	}
	if d == Bool {
		for i, b := range data {
			if b > 1 {
				return nil, fmt.Errorf("%w: element %d of a bool is %d, not 0 or 1", ErrFormat, i, b)
			}
		}
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))%d.alignment() != 0 {
		aligned := alignedBytes(len(data))
		copy(aligned, data)
		data = aligned
	}
	return &Tensor{dtype: d, shape: Shape(shape).known(), data: data}, nil
}

// Must returns t, or panics if err is not nil. It is meant for tests and for values that are written in the program.
func Must(t *Tensor, err error) *Tensor {
	if err != nil {
		panic(err)
	}
	return t
}

// Data returns the elements without copying them. The Go type must be the tensor's own (quantized types are seen as the
// integers of their width, float8 as uint8).
func Data[T Element](t *Tensor) ([]T, error) {
	want := DTypeOf[T]()
	if t == nil || !t.dtype.holds(want) {
		return nil, fmt.Errorf("%w: the elements are %v, %v was asked for; Convert changes the type", ErrDType, t.DType(), want)
	}
	if t.dtype == String {
		s, _ := any(t.strings).([]T)
		return s, nil
	}
	if len(t.data) == 0 {
		return []T{}, nil
	}
	var z T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(t.data))), len(t.data)/int(unsafe.Sizeof(z))), nil
}

// DType returns the element type; Invalid for a nil tensor.
func (t *Tensor) DType() DType {
	if t == nil {
		return Invalid
	}
	return t.dtype
}

// Shape returns the dimensions; the caller must not change them.
func (t *Tensor) Shape() Shape { return t.shape }

// Rank returns the number of dimensions.
func (t *Tensor) Rank() int { return len(t.shape) }

// Len returns the number of elements.
func (t *Tensor) Len() int {
	if t.dtype == String {
		return len(t.strings)
	}
	return len(t.data) / t.dtype.Size()
}

// Bytes returns the elements in the machine's byte order without copying them; nil for strings.
func (t *Tensor) Bytes() []byte { return t.data }

// Reshape returns the same elements under another shape. One dimension may be -1: it is worked out.
func (t *Tensor) Reshape(shape ...int) (*Tensor, error) {
	s, err := Shape(shape).infer(t.Len())
	if err != nil {
		return nil, err
	}
	r := *t
	r.shape = s
	return &r, nil
}

// Rows returns rows from (inclusive) to (exclusive) of the first dimension, without copying.
func (t *Tensor) Rows(from, to int) (*Tensor, error) {
	if len(t.shape) == 0 || from < 0 || to < from || to > t.shape[0] {
		return nil, fmt.Errorf("%w: rows %d to %d of %v", ErrShape, from, to, t.shape)
	}
	r := *t
	r.shape = append(Shape{to - from}, t.shape[1:]...)
	if t.shape[0] == 0 {
		return &r, nil
	}
	row := t.Len() / t.shape[0]
	if t.dtype == String {
		r.strings = t.strings[from*row : to*row : to*row]
	} else {
		row *= t.dtype.Size()
		r.data = t.data[from*row : to*row : to*row]
	}
	return &r, nil
}

// Concat joins tensors of one element type along the first dimension; all other dimensions must be equal.
func Concat(parts ...*Tensor) (*Tensor, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("%w: nothing to join", ErrShape)
	}
	first, rows := parts[0], 0
	for i, p := range parts {
		if p == nil {
			return nil, fmt.Errorf("%w: part %d is no tensor", ErrDType, i)
		}
		if p.dtype != first.dtype {
			return nil, fmt.Errorf("%w: part %d is %v, part 0 is %v", ErrDType, i, p.dtype, first.dtype)
		}
		if len(p.shape) == 0 || !p.shape[1:].Equal(first.shape[1:]) {
			return nil, fmt.Errorf("%w: part %d is %v, part 0 is %v: they differ after the first dimension", ErrShape, i, p.shape, first.shape)
		}
		rows += p.shape[0]
	}
	t, err := New(first.dtype, append([]int{rows}, first.shape[1:]...)...)
	if err != nil {
		return nil, err
	}
	data, strs := t.data, t.strings
	for _, p := range parts {
		data = data[copy(data, p.data):]
		strs = strs[copy(strs, p.strings):]
	}
	return t, nil
}

// Clone returns a tensor with its own copy of the elements.
func (t *Tensor) Clone() *Tensor {
	r := &Tensor{dtype: t.dtype, shape: t.shape.Clone(), strings: slices.Clone(t.strings)}
	if t.data != nil {
		r.data = alignedBytes(len(t.data))
		copy(r.data, t.data)
	}
	return r
}

// Equal reports whether both have the same type, shape and bits; NaN equals the same NaN.
func (t *Tensor) Equal(u *Tensor) bool {
	return t.dtype == u.dtype && t.shape.Equal(u.shape) && bytes.Equal(t.data, u.data) && slices.Equal(t.strings, u.strings)
}

// String describes the tensor in a few words: "float32 [1,784]".
func (t *Tensor) String() string {
	if t == nil {
		return "no tensor"
	}
	return t.dtype.String() + " " + t.shape.String()
}

// sized returns the elements of a shape whose bytes an int can count too.
func sized(d DType, shape Shape) (int, error) {
	if !d.Valid() || (d.Size() == 0 && d != String) {
		return 0, fmt.Errorf("%w: a tensor of %v has no value outside TensorFlow", ErrDType, d)
	}
	n, err := shape.Elements()
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt/max(d.Size(), 16) {
		return 0, fmt.Errorf("%w: %v of %v has more bytes than an int can count", ErrShape, shape.String(), d)
	}
	return n, nil
}

// known returns a copy that is never nil.
func (s Shape) known() Shape { return append(make(Shape, 0, len(s)), s...) }

// infer replaces a -1 by what makes s hold n elements.
func (s Shape) infer(n int) (Shape, error) {
	r, at := s.known(), -1
	for i, d := range r {
		if d == -1 && at < 0 {
			at, r[i] = i, 1
		}
	}
	m, err := r.Elements()
	if err != nil {
		return nil, err
	}
	if at >= 0 {
		if m > 0 && n%m == 0 {
			r[at], m = n/m, n
		} else {
			m = -1 // no length, or any, would do
		}
	}
	if m != n {
		return nil, fmt.Errorf("%w: %d elements do not fit %v", ErrShape, n, s)
	}
	return r, nil
}

// alignedBytes returns n zero bytes aligned for every element type.
func alignedBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}
