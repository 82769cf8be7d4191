package hdf5

import "fmt"

// attributeList keeps attributes in the order in which they were set.
type attributeList []namedArray

type namedArray struct {
	name  string
	array Array
}

func (l *attributeList) set(name string, value any) error {
	if err := checkName(name); err != nil {
		return err
	}
	a, err := checkedAttribute(name, value)
	if err != nil {
		return fmt.Errorf("attribute %q: %w", name, err)
	}
	for i := range *l {
		if (*l)[i].name == name {
			(*l)[i].array = a
			return nil
		}
	}
	*l = append(*l, namedArray{name, a})
	return nil
}

func checkedAttribute(name string, value any) (Array, error) {
	a, err := arrayOf(value)
	if err != nil {
		return a, err
	}
	if a.Stream != nil {
		return a, typeErrorf("attributes are not streamed")
	}
	bytes, err := a.check()
	if err != nil {
		return a, err
	}
	if bytes > MaxAttributeSize {
		return a, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, bytes, MaxAttributeSize)
	}
	dtype, err := encodeDatatype(a.Datatype)
	if err != nil {
		return a, err
	}
	if size := attributeHead + len(name) + 1 + len(dtype) + len(encodeDataspace(&a)) + 4*8 + bytes; size > maxMessageSize {
		return a, fmt.Errorf("%w: %d bytes with its name and type, the limit is %d", ErrTooLarge, size, maxMessageSize)
	}
	return a, nil
}

const (
	attributeHead  = 8
	maxMessageSize = 65528 // what 16 bits hold, a multiple of 8
)

// attributeMessage encodes an attribute; parseAttribute shows how. Text of
// variable length goes to the global heap.
func (l *fileLayout) attributeMessage(a namedArray) (message, error) {
	dtype, err := encodeDatatype(a.array.Datatype)
	if err != nil {
		return message{}, err
	}
	space := encodeDataspace(&a.array)
	b := []byte{1, 0}
	b = le.AppendUint16(b, uint16(len(a.name)+1))
	b = le.AppendUint16(b, uint16(len(dtype)))
	b = le.AppendUint16(b, uint16(len(space)))
	b = pad8(append(append(b, a.name...), 0))
	b = append(b, pad8(dtype)...)
	b = append(b, pad8(space)...)
	b = append(b, l.elements(&a.array)...)
	return message{kind: msgAttribute, data: pad8(b)}, nil
}

// elements are the bytes of an array that is not streamed.
func (l *fileLayout) elements(a *Array) []byte {
	switch {
	case len(a.Strings) == 0:
		return a.Data
	case a.Datatype.Class == ClassVarLen:
		return l.placeStrings(a.Strings)
	}
	size := a.Datatype.Size
	b := make([]byte, size*len(a.Strings))
	for i, s := range a.Strings {
		field := b[i*size : (i+1)*size]
		if a.Datatype.Padding == SpacePadded {
			fill(field, []byte{' '})
		}
		copy(field, s)
	}
	return b
}
