package tensor

import (
	"fmt"
	"unsafe"
)

// DType is the type of a tensor's elements. The numbers are those of TensorFlow's DataType enumeration
// (tensorflow/core/framework/types.proto), so that a DType and a DT_* convert into each other unchanged.
type DType uint8

// The element types that a tensor can have. Quantized types hold the integers of the same width.
const (
	Invalid      DType = 0
	Float32      DType = 1
	Float64      DType = 2
	Int32        DType = 3
	Uint8        DType = 4
	Int16        DType = 5
	Int8         DType = 6
	String       DType = 7
	Complex64    DType = 8
	Int64        DType = 9
	Bool         DType = 10
	QInt8        DType = 11
	QUint8       DType = 12
	QInt32       DType = 13
	BFloat16     DType = 14
	QInt16       DType = 15
	QUint16      DType = 16
	Uint16       DType = 17
	Complex128   DType = 18
	Float16      DType = 19
	Resource     DType = 20 // a handle; it has no value outside its session
	Variant      DType = 21 // an opaque value; it has no value outside its session
	Uint32       DType = 22
	Uint64       DType = 23
	Float8E5M2   DType = 24
	Float8E4M3FN DType = 25
	Int4         DType = 29 // one element a byte, as TensorFlow holds it in memory
	Uint4        DType = 30 // one element a byte
)

// dtypeInfo holds NumPy's name (TensorFlow's where NumPy has none) and the bytes of one element; 0 where there is no fixed size.
type dtypeInfo struct {
	name string
	size int
}

var dtypes = map[DType]dtypeInfo{
	Float32: {"float32", 4}, Float64: {"float64", 8}, Int32: {"int32", 4}, Uint8: {"uint8", 1}, Int16: {"int16", 2}, Int8: {"int8", 1},
	String: {"object", 0}, Complex64: {"complex64", 8}, Int64: {"int64", 8}, Bool: {"bool", 1}, QInt8: {"qint8", 1}, QUint8: {"quint8", 1},
	QInt32: {"qint32", 4}, BFloat16: {"bfloat16", 2}, QInt16: {"qint16", 2}, QUint16: {"quint16", 2}, Uint16: {"uint16", 2},
	Complex128: {"complex128", 16}, Float16: {"float16", 2}, Resource: {"resource", 0}, Variant: {"variant", 0}, Uint32: {"uint32", 4},
	Uint64: {"uint64", 8}, Float8E5M2: {"float8_e5m2", 1}, Float8E4M3FN: {"float8_e4m3fn", 1}, Int4: {"int4", 1}, Uint4: {"uint4", 1},
}

// String returns NumPy's name of the type: "float32", "object" for strings, TensorFlow's name where NumPy has none.
func (d DType) String() string {
	if i, ok := dtypes[d]; ok {
		return i.name
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Size returns the bytes of one element, 0 for types without a fixed size (String, Resource, Variant, Invalid).
func (d DType) Size() int { return dtypes[d].size }

// Valid reports whether d is one of the types above.
func (d DType) Valid() bool { _, ok := dtypes[d]; return ok }

// IsFloat reports whether d is a real floating-point type.
func (d DType) IsFloat() bool {
	switch d {
	case Float32, Float64, Float16, BFloat16, Float8E5M2, Float8E4M3FN:
		return true
	default:
		return false
	}
}

// IsInteger reports whether d is a signed or unsigned integer type; quantized types are not.
func (d DType) IsInteger() bool {
	switch d {
	case Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Int4, Uint4:
		return true
	default:
		return false
	}
}

// ParseDType returns the type with the given NumPy or TensorFlow name; "string", "str" and "object" all mean String.
func ParseDType(name string) (DType, error) {
	switch name {
	case "string", "str":
		return String, nil
	case "half":
		return Float16, nil
	case "float":
		return Float32, nil
	case "double":
		return Float64, nil
	}
	for d, i := range dtypes {
		if i.name == name {
			return d, nil
		}
	}
	return Invalid, fmt.Errorf("%w: no element type is named %q", ErrDType, name)
}

// Element is a Go type that a tensor's elements can have.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool | complex64 | complex128 | Half | Brain | string
}

// DTypeOf returns the DType that holds elements of the Go type T.
func DTypeOf[T Element]() DType {
	var z T
	switch any(z).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case complex64:
		return Complex64
	case complex128:
		return Complex128
	case Half:
		return Float16
	case Brain:
		return BFloat16
	default:
		return String
	}
}

// holds reports whether a Go slice of the type that DTypeOf named want can view elements of type d: the type itself,
// or a quantized or narrow type of the same layout.
func (d DType) holds(want DType) bool {
	if d == want {
		return true
	}
	switch d {
	case QInt8, Int4:
		return want == Int8
	case QUint8, Uint4, Float8E5M2, Float8E4M3FN:
		return want == Uint8
	case QInt16:
		return want == Int16
	case QUint16:
		return want == Uint16
	case QInt32:
		return want == Int32
	default:
		return false
	}
}

// alignment returns the address alignment that Go needs for an element of type d.
func (d DType) alignment() uintptr {
	switch d {
	case Complex64:
		return unsafe.Alignof(complex64(0))
	case Complex128:
		return unsafe.Alignof(complex128(0))
	default:
		return max(uintptr(d.Size()), 1)
	}
}
