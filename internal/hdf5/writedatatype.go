package hdf5

import "fmt"

// encodeDatatype encodes a datatype message of version 1; decodeDatatype
// shows how.
func encodeDatatype(t Datatype) ([]byte, error) {
	var bits [3]byte
	var properties []byte
	order := byte(0)
	if t.BigEndian {
		order = 1
	}
	switch {
	case t.Class == ClassInteger && t.kind() != kindNone:
		bits[0] = order
		if t.Signed {
			bits[0] |= 8
		}
		properties = le.AppendUint16([]byte{0, 0}, uint16(t.precision))
	case t.Class == ClassFloat && t.kind() != kindNone:
		const implied = 2 << 4
		f := t.Float
		bits = [3]byte{order | implied, byte(f.Sign), 0}
		properties = le.AppendUint16([]byte{0, 0}, uint16(t.precision))
		properties = append(properties, byte(f.ExponentAt), byte(f.Exponent), byte(f.MantissaAt), byte(f.Mantissa))
		properties = le.AppendUint32(properties, uint32(f.Bias))
	case t.Class == ClassString:
		bits[0] = byte(t.Padding) | charset(t)<<4
	case t.Class == ClassOpaque && len(t.Tag) < 248:
		properties = pad8([]byte(t.Tag))
		bits[0] = byte(len(properties))
	case t.Class == ClassEnum && t.kind() != kindNone:
		base, err := encodeDatatype(*t.Base)
		if err != nil {
			return nil, err
		}
		properties = base
		le.PutUint16(bits[:], uint16(len(t.Members)))
		for _, m := range t.Members {
			properties = append(properties, pad8(append([]byte(m.Name), 0))...)
		}
		for _, m := range t.Members {
			value := le.AppendUint64(nil, uint64(m.Value))[:t.Size]
			if t.Base.BigEndian {
				reverse(value)
			}
			properties = append(properties, value...)
		}
	case t.Class == ClassVarLen && t.VarString:
		base, err := encodeDatatype(numberDatatype(kindUint8))
		if err != nil {
			return nil, err
		}
		properties = base
		bits = [3]byte{1 | byte(t.Padding)<<4, charset(t), 0}
	default:
		return nil, unsupportedErrorf("writing elements of type %s", t)
	}
	b := append([]byte{1<<4 | byte(t.Class)}, bits[:]...)
	b = append(le.AppendUint32(b, uint32(t.Size)), properties...)
	if len(b) > maxMessageSize-7 {
		return nil, fmt.Errorf("%w: a datatype described by %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

func charset(t Datatype) byte {
	if t.UTF8 {
		return 1
	}
	return 0
}

// encodeDataspace encodes a dataspace message of version 1, or 2, which is
// the first to have null; parseDataspace shows how.
func encodeDataspace(a *Array) []byte {
	if a.Null {
		return []byte{2, 0, 0, 2}
	}
	b := []byte{1, byte(len(a.Shape)), 0, 0, 0, 0, 0, 0}
	for _, d := range a.Shape {
		b = le.AppendUint64(b, uint64(d))
	}
	return b
}

// pad8 appends zeros up to a multiple of 8 bytes.
func pad8(b []byte) []byte { return append(b, make([]byte, -len(b)&7)...) }
