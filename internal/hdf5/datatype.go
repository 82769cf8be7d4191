package hdf5

import "fmt"

// Class is the kind of a datatype, as the format numbers them.
type Class byte

// Classes of datatypes.
const (
	ClassInteger   Class = 0
	ClassFloat     Class = 1
	ClassTime      Class = 2
	ClassString    Class = 3 // of fixed length
	ClassBitField  Class = 4
	ClassOpaque    Class = 5
	ClassCompound  Class = 6
	ClassReference Class = 7
	ClassEnum      Class = 8
	ClassVarLen    Class = 9 // sequences, or strings if VarString is set
	ClassArray     Class = 10
	ClassComplex   Class = 11
)

var classNames = [...]string{"integer", "float", "time", "string", "bit field", "opaque", "compound",
	"reference", "enum", "variable-length sequence", "array", "complex"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", byte(c))
}

// StringPadding says how a string that is shorter than its field ends.
type StringPadding byte

// Paddings of strings.
const (
	NullTerminated StringPadding = 0
	NullPadded     StringPadding = 1 // NumPy's "S"
	SpacePadded    StringPadding = 2
)

// A Datatype describes one element. Which fields have a meaning depends on
// the class.
type Datatype struct {
	Class     Class
	Size      int  // bytes of an element in the file
	BigEndian bool // integers, floats, bit fields
	Signed    bool // integers
	Float     FloatFormat
	Tag       string        // opaque: what the bytes are
	VarString bool          // variable-length: it is text
	Padding   StringPadding // strings
	UTF8      bool          // strings: not only ASCII
	Members   []Member      // compound: fields; enum: names of values
	Base      *Datatype     // enum, variable-length, array, complex
	Dims      []int         // array

	bitOffset, precision int // integers, floats
}

// A Member is a field of a compound type or a name of an enum's value.
type Member struct {
	Name   string
	Offset int       // compound: of the field in the element
	Type   *Datatype // compound
	Value  int64     // enum
}

// FloatFormat says which bits of a floating point number mean what, bit 0
// being the lowest.
type FloatFormat struct {
	Sign                   int // bit
	ExponentAt, Exponent   int // lowest bit, number of bits
	MantissaAt, Mantissa   int
	Bias                   int
	impliedBit, vaxOrdered bool
}

var (
	formatFloat16  = FloatFormat{15, 10, 5, 0, 10, 15, true, false}
	formatBFloat16 = FloatFormat{15, 7, 8, 0, 7, 127, true, false}
	formatFloat32  = FloatFormat{31, 23, 8, 0, 23, 127, true, false}
	formatFloat64  = FloatFormat{63, 52, 11, 0, 52, 1023, true, false}
)

// String is the type's name in NumPy's words where it has one: "float32",
// "bfloat16", "int8", "uint16", "bool", "string", "opaque[2]", "compound".
// It does not tell the byte order.
func (t Datatype) String() string {
	if k := t.kind(); k != kindNone {
		return k.String()
	}
	switch {
	case t.IsString():
		return "string"
	case t.Class == ClassOpaque:
		return fmt.Sprintf("opaque[%d]", t.Size)
	case t.Class == ClassInteger || t.Class == ClassFloat:
		return fmt.Sprintf("%s of %d bytes with %d bits", t.Class, t.Size, t.precision)
	}
	return t.Class.String()
}

// IsString reports whether elements are text, of fixed or variable length.
func (t Datatype) IsString() bool {
	return t.Class == ClassString || t.Class == ClassVarLen && t.VarString
}

// kind is how numbers are converted: integers of 1, 2, 4 or 8 bytes, float16,
// bfloat16, float32, float64 and booleans, in either byte order.
func (t Datatype) kind() kind {
	switch t.Class {
	case ClassInteger:
		if t.bitOffset != 0 || t.precision != 8*t.Size {
			return kindNone
		}
		return integerKind(t.Size, t.Signed)
	case ClassFloat:
		switch {
		case t.bitOffset != 0 || t.precision != 8*t.Size:
			return kindNone
		case t.Size == 2 && t.Float == formatFloat16:
			return kindFloat16
		case t.Size == 2 && t.Float == formatBFloat16:
			return kindBFloat16
		case t.Size == 4 && t.Float == formatFloat32:
			return kindFloat32
		case t.Size == 8 && t.Float == formatFloat64:
			return kindFloat64
		}
	case ClassEnum:
		base := t.Base.kind()
		if base == kindInt8 && t.isBool() {
			return kindBool
		}
		return base
	}
	return kindNone
}

// isBool recognises what h5py writes for NumPy's bool.
func (t Datatype) isBool() bool {
	return len(t.Members) == 2 && t.Members[0].Name == "FALSE" && t.Members[0].Value == 0 &&
		t.Members[1].Name == "TRUE" && t.Members[1].Value == 1
}

// byteOrder returns the elements' byte order, that of an enum being its
// base's.
func (t Datatype) bigEndian() bool {
	if t.Class == ClassEnum {
		return t.Base.BigEndian
	}
	return t.BigEndian
}
