package hdf5

import (
	"bytes"
	"fmt"
)

// maxNesting bounds how deep types may contain types.
const maxNesting = 32

// maxElementSize bounds a type's size. What contains elements is smaller; it
// only keeps their number times their size from overflowing.
const maxElementSize = 1 << 30

// parseDatatype reads a datatype message:
//
//	class and version | bits (3) | size (4) | properties of the class
func parseDatatype(data []byte) (Datatype, error) {
	d := &decoder{buf: data, what: "datatype message"}
	t, err := decodeDatatype(d, 0)
	if err == nil {
		err = d.err
	}
	return t, err
}

func decodeDatatype(d *decoder, depth int) (Datatype, error) {
	if depth > maxNesting {
		return Datatype{}, formatErrorf("datatypes nested more than %d deep", maxNesting)
	}
	head := d.u8()
	var bits [3]byte
	copy(bits[:], d.take(3))
	size := d.u32()
	if d.err != nil {
		return Datatype{}, d.err
	}
	version := head >> 4
	t := Datatype{Class: Class(head & 15), Size: int(size)}
	if version < 1 || version > 5 {
		return t, unsupportedErrorf("datatype message version %d", version)
	}
	if size == 0 || size > maxElementSize {
		return t, formatErrorf("%s datatype of %d bytes", t.Class, size)
	}
	var err error
	switch t.Class {
	case ClassInteger, ClassBitField:
		t.BigEndian, t.Signed = bits[0]&1 != 0, bits[0]&8 != 0
		t.bitOffset, t.precision = int(d.u16()), int(d.u16())
	case ClassFloat:
		t.decodeFloat(d, bits)
	case ClassTime:
		d.skip(2)
	case ClassString:
		t.Padding, t.UTF8 = StringPadding(bits[0]&15), bits[0]>>4 == 1
	case ClassOpaque:
		t.Tag = string(bytes.TrimRight(d.take(int(bits[0])), "\x00"))
	case ClassReference:
	case ClassCompound:
		err = t.decodeCompound(d, version, int(le.Uint16(bits[:])), depth)
	case ClassEnum:
		err = t.decodeEnum(d, version, int(le.Uint16(bits[:])), depth)
	case ClassVarLen:
		t.VarString, t.Padding, t.UTF8 = bits[0]&15 == 1, StringPadding(bits[0]>>4), bits[1]&15 == 1
		err = t.decodeBase(d, depth)
		if err == nil && size != heapReferenceSize {
			err = formatErrorf("variable-length datatype of %d bytes, not %d", size, heapReferenceSize)
		}
	case ClassArray:
		err = t.decodeArray(d, version, depth)
	case ClassComplex:
		err = t.decodeBase(d, depth)
	default:
		return t, unsupportedErrorf("datatype %s", t.Class)
	}
	if err == nil {
		err = d.err
	}
	return t, err
}

func (t *Datatype) decodeFloat(d *decoder, bits [3]byte) {
	const implied = 2
	t.BigEndian = bits[0]&1 != 0
	t.bitOffset, t.precision = int(d.u16()), int(d.u16())
	t.Float = FloatFormat{
		Sign:       int(bits[1]),
		ExponentAt: int(d.u8()), Exponent: int(d.u8()),
		MantissaAt: int(d.u8()), Mantissa: int(d.u8()),
		Bias:       int(d.u32()),
		impliedBit: bits[0]>>4&3 == implied,
		vaxOrdered: bits[0]&0x40 != 0,
	}
}

func (t *Datatype) decodeBase(d *decoder, depth int) error {
	base, err := decodeDatatype(d, depth+1)
	t.Base = &base
	return err
}

// memberName reads a name, which older versions pad to a multiple of 8 bytes.
func memberName(d *decoder, version byte) string {
	if version >= 3 {
		return d.cstring(1)
	}
	return d.cstring(8)
}

func (t *Datatype) decodeCompound(d *decoder, version byte, n, depth int) error {
	for range n {
		m := Member{Name: memberName(d, version)}
		switch version {
		case 1:
			m.Offset = int(d.u32())
			d.skip(1 + 3 + 4 + 4 + 4*4) // shape, from before there were arrays
		case 2:
			m.Offset = int(d.u32())
		default:
			m.Offset = int(d.uint(byteWidth(uint64(t.Size))))
		}
		if d.err != nil {
			return d.err
		}
		field, err := decodeDatatype(d, depth+1)
		if err != nil {
			return fmt.Errorf("field %q: %w", m.Name, err)
		}
		if m.Offset > t.Size-field.Size {
			return formatErrorf("field %q of %d bytes at %d is beyond its compound's end at %d", m.Name, field.Size, m.Offset, t.Size)
		}
		m.Type = &field
		t.Members = append(t.Members, m)
	}
	return nil
}

func (t *Datatype) decodeEnum(d *decoder, version byte, n, depth int) error {
	if err := t.decodeBase(d, depth); err != nil {
		return err
	}
	if t.Base.Class != ClassInteger || t.Base.Size != t.Size || t.Size > 8 {
		return formatErrorf("enum of %d bytes of %s of %d bytes", t.Size, t.Base.Class, t.Base.Size)
	}
	for range n {
		if d.err != nil {
			return d.err
		}
		t.Members = append(t.Members, Member{Name: memberName(d, version)})
	}
	for i := range t.Members {
		value := bytes.Clone(d.take(t.Size))
		if t.Base.BigEndian {
			reverse(value)
		}
		shift := 64 - 8*t.Size
		t.Members[i].Value = int64(uintLE(value)<<shift) >> shift
	}
	return nil
}

func (t *Datatype) decodeArray(d *decoder, version byte, depth int) error {
	rank := int(d.u8())
	if version < 3 {
		d.skip(3)
	}
	if rank > maxRank {
		return formatErrorf("array datatype of rank %d", rank)
	}
	for range rank {
		t.Dims = append(t.Dims, int(d.u32()))
	}
	if version < 3 {
		d.skip(4 * rank) // permutation
	}
	return t.decodeBase(d, depth)
}

// datatypeOf returns the type in an object header, or the named one that the
// header refers to.
func (f *File) datatypeOf(messages messages) (Datatype, error) {
	m, err := messages.need(msgDatatype, "datatype message")
	if err != nil {
		return Datatype{}, err
	}
	if m.shared() {
		return f.sharedDatatype(m.data)
	}
	return parseDatatype(m.data)
}

// sharedDatatype reads the named datatype that a shared message refers to:
//
//	version 1 | type | 0 (6) | address     or
//	version 2 | type | address             or
//	version 3 | type (2: in another header) | address
func (f *File) sharedDatatype(data []byte) (Datatype, error) {
	d := &decoder{buf: data, what: "shared message"}
	version, kind := d.u8(), d.u8()
	switch {
	case version == 1:
		d.skip(6)
	case version == 3 && kind == 1:
		return Datatype{}, unsupportedErrorf("datatype in the shared message table")
	case version > 3:
		return Datatype{}, unsupportedErrorf("shared message version %d", version)
	}
	addr := d.u64()
	if d.err != nil {
		return Datatype{}, d.err
	}
	messages, err := f.readObjectHeader(addr)
	if err != nil {
		return Datatype{}, fmt.Errorf("named datatype: %w", err)
	}
	m, err := messages.need(msgDatatype, "datatype message")
	if err == nil && m.shared() {
		err = formatErrorf("the named datatype at address %d refers to another one", addr)
	}
	if err != nil {
		return Datatype{}, err
	}
	return parseDatatype(m.data)
}
