package hdf5

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// An Array is the value of a dataset or attribute to write. One of Data,
// Stream and Strings holds its elements, row-major; the functions [Numbers],
// [Text], [FixedText] and [Bools] make the usual ones.
type Array struct {
	Datatype Datatype
	Shape    []int // none for a scalar
	Null     bool  // no elements at all, as h5py.Empty

	// Data are the elements in the byte order of Datatype. They are neither
	// copied nor changed, and must not change until they have been written.
	Data []byte

	// Stream writes the elements' bytes, exactly as many as Datatype and
	// Shape say, when the file is written. Only for datasets.
	Stream func(io.Writer) error

	// Strings are elements of a string type.
	Strings []string
}

// Numbers is an array of numbers in the memory of data, which is not copied.
// shape is nil for a scalar.
func Numbers[T Number](shape []int, data []T) Array {
	a := Array{Datatype: DatatypeOf[T](), Shape: shape, Data: bytesOf(data)}
	if hostIsBigEndian {
		a.Datatype.BigEndian = true
	}
	return a
}

// Bools is an array of NumPy's bool, an enum of FALSE and TRUE.
func Bools(shape []int, data []bool) Array {
	b := make([]byte, len(data))
	for i, v := range data {
		if v {
			b[i] = 1
		}
	}
	return Array{Datatype: boolDatatype(), Shape: shape, Data: b}
}

// Text is an array of UTF-8 strings of variable length, which h5py writes for
// str. shape is nil for a scalar.
func Text(shape []int, data []string) Array {
	return Array{Datatype: textDatatype(), Shape: shape, Strings: data}
}

// FixedText is an array of strings padded to the length of the longest, as
// NumPy's "S", which h5py writes for a list of bytes and Keras for names of
// layers and weights.
func FixedText(shape []int, data []string) Array {
	size := 1
	for _, s := range data {
		size = max(size, len(s))
	}
	return Array{Datatype: Datatype{Class: ClassString, Size: size, Padding: NullPadded}, Shape: shape, Strings: data}
}

// DatatypeOf is the little-endian datatype of T.
func DatatypeOf[T Number]() Datatype { return numberDatatype(kindOf[T]()) }

// NumpyDatatype is the little-endian datatype that h5py writes for NumPy's
// (or ml_dtypes') type of that name: bool, int8 to int64, uint8 to uint64,
// float16, float32, float64, and bfloat16, which are 2 opaque bytes. Error:
// [ErrUnsupported] for another name.
func NumpyDatatype(name string) (Datatype, error) {
	switch i := slices.Index(kindNames[:], name); kind(i) {
	case kindNone:
	case kindBool:
		return boolDatatype(), nil
	case kindBFloat16:
		return Datatype{Class: ClassOpaque, Size: 2}, nil
	default:
		if i > 0 {
			return numberDatatype(kind(i)), nil
		}
	}
	return Datatype{}, unsupportedErrorf("no datatype for %q", name)
}

func numberDatatype(k kind) Datatype {
	t := Datatype{Class: ClassInteger}
	switch k {
	case kindInt8, kindUint8:
		t.Size = 1
	case kindInt16, kindUint16:
		t.Size = 2
	case kindInt32, kindUint32:
		t.Size = 4
	case kindInt64, kindUint64:
		t.Size = 8
	case kindFloat16:
		t = Datatype{Class: ClassFloat, Size: 2, Float: formatFloat16}
	case kindFloat32:
		t = Datatype{Class: ClassFloat, Size: 4, Float: formatFloat32}
	case kindFloat64:
		t = Datatype{Class: ClassFloat, Size: 8, Float: formatFloat64}
	}
	t.Signed = k >= kindInt8 && k <= kindInt64
	t.precision = 8 * t.Size
	return t
}

func boolDatatype() Datatype {
	base := numberDatatype(kindInt8)
	return Datatype{Class: ClassEnum, Size: 1, Base: &base, Members: []Member{{Name: "FALSE"}, {Name: "TRUE", Value: 1}}}
}

func textDatatype() Datatype {
	base := numberDatatype(kindUint8)
	return Datatype{Class: ClassVarLen, Size: heapReferenceSize, Base: &base, VarString: true, UTF8: true}
}

// arrayOf is the array for a Go value; see [GroupBuilder.SetAttr].
func arrayOf(value any) (Array, error) {
	switch v := value.(type) {
	case Array:
		return v, nil
	case nil:
		return Array{Datatype: DatatypeOf[float32](), Null: true}, nil
	case string:
		return Text(nil, []string{v}), nil
	case []string:
		return Text([]int{len(v)}, v), nil
	case bool:
		return Bools(nil, []bool{v}), nil
	case []bool:
		return Bools([]int{len(v)}, v), nil
	case int:
		return Numbers(nil, []int64{int64(v)}), nil
	case []int:
		wide := make([]int64, len(v))
		for i, x := range v {
			wide[i] = int64(x)
		}
		return Numbers([]int{len(v)}, wide), nil
	}
	for _, try := range []func(any) (Array, bool){
		numbersOf[int8], numbersOf[int16], numbersOf[int32], numbersOf[int64],
		numbersOf[uint8], numbersOf[uint16], numbersOf[uint32], numbersOf[uint64],
		numbersOf[float32], numbersOf[float64],
	} {
		if a, ok := try(value); ok {
			return a, nil
		}
	}
	return Array{}, typeErrorf("no datatype for a Go %T", value)
}

func numbersOf[T Number](value any) (Array, bool) {
	switch v := value.(type) {
	case T:
		return Numbers(nil, []T{v}), true
	case []T:
		return Numbers([]int{len(v)}, slices.Clone(v)), true
	}
	return Array{}, false
}

// check verifies that the type can be written and that the elements are as
// many as the shape says, and returns their size in bytes.
func (a *Array) check() (bytes int, err error) {
	space := dataspace{null: a.Null}
	for _, d := range a.Shape {
		if d < 0 {
			return 0, typeErrorf("shape %v", a.Shape)
		}
		space.dims = append(space.dims, uint64(d))
	}
	if len(a.Shape) > maxRank {
		return 0, typeErrorf("rank %d, the limit is %d", len(a.Shape), maxRank)
	}
	if a.Null && len(a.Shape) > 0 {
		return 0, typeErrorf("a null array of shape %v", a.Shape)
	}
	if a.Datatype.Size <= 0 {
		return 0, typeErrorf("a datatype of %d bytes", a.Datatype.Size)
	}
	if _, err := encodeDatatype(a.Datatype); err != nil {
		return 0, err
	}
	n, err := space.elements(a.Datatype.Size, 1<<62)
	if err != nil {
		return 0, fmt.Errorf("%w: shape %v", ErrTooLarge, a.Shape)
	}
	bytes = n * a.Datatype.Size
	switch {
	case a.Datatype.IsString() && a.Data == nil && a.Stream == nil:
		if len(a.Strings) != n {
			return 0, typeErrorf("%d strings for shape %v", len(a.Strings), a.Shape)
		}
		return bytes, a.checkStrings()
	case a.Datatype.Class == ClassVarLen:
		return 0, typeErrorf("elements of variable length are to be given as Strings")
	case a.Stream == nil && len(a.Data) != bytes:
		return 0, typeErrorf("%d bytes for shape %v of %s, which needs %d", len(a.Data), a.Shape, a.Datatype, bytes)
	}
	return bytes, nil
}

// checkStrings refuses strings that would be read back as others.
func (a *Array) checkStrings() error {
	longest := math.MaxInt32
	if a.Datatype.Class == ClassString {
		longest = a.Datatype.Size
	}
	for _, s := range a.Strings {
		if strings.ContainsRune(s, 0) {
			return typeErrorf("the string %.40q has a NUL, which ends it in HDF5", s)
		}
		if len(s) > longest {
			return fmt.Errorf("%w: a string of %d bytes in a field of %d", ErrTooLarge, len(s), longest)
		}
	}
	return nil
}
