package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// An Attribute is a small named value of a group or dataset.
type Attribute struct {
	f     *File
	name  string
	dtype Datatype
	shape []int
	null  bool
	raw   []byte // as in the file
}

// parseAttribute reads
//
//	version 1 | 0 | sizes of name, type, shape (2 each) | name | type | shape
//	version 2 | flags | sizes | …           none padded to 8 bytes
//	version 3 | flags | sizes | character set | …
//
// followed by the elements. A flag says that the type is a named one.
func (f *File) parseAttribute(data []byte) (*Attribute, error) {
	d := &decoder{buf: data, what: "attribute message"}
	version, flags := d.u8(), d.u8()
	sizes := [3]int{int(d.u16()), int(d.u16()), int(d.u16())}
	pad := 1
	switch version {
	case 1:
		pad, flags = 8, 0
	case 2:
	case 3:
		d.skip(1)
	default:
		return nil, unsupportedErrorf("attribute message version %d", version)
	}
	field := func(size int) []byte {
		b := d.take((size + pad - 1) / pad * pad)
		return b[:min(size, len(b))]
	}
	name, dtype, space := field(sizes[0]), field(sizes[1]), field(sizes[2])
	if d.err != nil {
		return nil, d.err
	}
	a := &Attribute{f: f, name: strings.TrimRight(string(name), "\x00")}
	if err := a.parse(dtype, space, flags, d.buf); err != nil {
		return nil, fmt.Errorf("attribute %q: %w", a.name, err)
	}
	return a, nil
}

func (a *Attribute) parse(dtype, space []byte, flags byte, elements []byte) (err error) {
	const sharedType, sharedSpace = 1, 2
	if flags&sharedSpace != 0 {
		return unsupportedErrorf("shared dataspace")
	}
	if flags&sharedType != 0 {
		a.dtype, err = a.f.sharedDatatype(dtype)
	} else {
		a.dtype, err = parseDatatype(dtype)
	}
	if err != nil {
		return err
	}
	s, err := parseDataspace(space)
	if err != nil {
		return err
	}
	n, err := s.elements(a.dtype.Size, uint64(len(elements)))
	if err != nil {
		return err
	}
	if rest := len(elements) - n*a.dtype.Size; rest >= 8 && !s.null { // up to 7 bytes pad the message
		return formatErrorf("shape %v of %d-byte elements leaves %d bytes over", s.dims, a.dtype.Size, rest)
	}
	a.shape, err = s.shape()
	a.null, a.raw = s.null, elements[:n*a.dtype.Size]
	return err
}

// Name returns the attribute's name.
func (a *Attribute) Name() string { return a.name }

// Datatype returns the type of the elements.
func (a *Attribute) Datatype() Datatype { return a.dtype }

// Shape returns the lengths of the dimensions, none for a scalar.
func (a *Attribute) Shape() []int { return slices.Clone(a.shape) }

// IsNull reports whether the attribute has no value at all, as h5py.Empty,
// which is not the same as an empty array.
func (a *Attribute) IsNull() bool { return a.null }

// Strings returns the elements of text, row-major. Error: [ErrType] if they
// are not text.
func (a *Attribute) Strings() ([]string, error) {
	s, err := a.f.decodeStrings(a.raw, a.dtype)
	return s, a.wrap(err)
}

// Text returns the value of an attribute with one element of text. Error:
// [ErrType] if it is anything else.
func (a *Attribute) Text() (string, error) {
	s, err := a.Strings()
	if err == nil && len(s) != 1 {
		err = a.wrap(typeErrorf("%d strings, not one", len(s)))
	}
	if err != nil {
		return "", err
	}
	return s[0], nil
}

// AttributeNumbers returns the elements of a numeric attribute, row-major,
// converted to T. Error: [ErrType] if they are not numbers or do not fit.
func AttributeNumbers[T Number](a *Attribute) ([]T, error) {
	dst := make([]T, len(a.raw)/a.dtype.Size)
	if err := convert(dst, a.raw, a.dtype); err != nil {
		return nil, a.wrap(err)
	}
	return dst, nil
}

// Value returns the value as Go has it: nil if there is none, string, bool,
// int64, uint64 or float64 for a scalar, and a slice of those for an array
// of any rank, row-major. Error: [ErrUnsupported] for other types.
func (a *Attribute) Value() (any, error) {
	k := a.dtype.kind()
	switch {
	case a.null:
		return nil, nil
	case a.dtype.IsString():
		v, err := a.Strings()
		return scalarOrSlice(a, v, err)
	case k == kindBool:
		b := make([]bool, len(a.raw))
		for i := range b {
			b[i] = a.raw[i] != 0
		}
		return scalarOrSlice(a, b, nil)
	case k >= kindFloat16:
		v, err := AttributeNumbers[float64](a)
		return scalarOrSlice(a, v, err)
	case k >= kindUint8:
		v, err := AttributeNumbers[uint64](a)
		return scalarOrSlice(a, v, err)
	case k != kindNone:
		v, err := AttributeNumbers[int64](a)
		return scalarOrSlice(a, v, err)
	}
	return nil, a.wrap(unsupportedErrorf("values of %s", a.dtype))
}

func scalarOrSlice[T any](a *Attribute, v []T, err error) (any, error) {
	switch {
	case err != nil:
		return nil, err
	case len(a.shape) == 0:
		return v[0], nil
	}
	return v, nil
}

func (a *Attribute) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("attribute %q: %w", a.name, err)
}
