package hdf5

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"
)

// Number is what numeric elements can be read as and written from.
type Number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// kind is a numeric type without its byte order.
type kind byte

const (
	kindNone kind = iota
	kindBool
	kindInt8
	kindInt16
	kindInt32
	kindInt64
	kindUint8
	kindUint16
	kindUint32
	kindUint64
	kindFloat16
	kindBFloat16
	kindFloat32
	kindFloat64
)

var kindNames = [...]string{"", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
	"float16", "bfloat16", "float32", "float64"}

func (k kind) String() string { return kindNames[k] }

func integerKind(size int, signed bool) kind {
	k := kindNone
	switch size {
	case 1:
		k = kindInt8
	case 2:
		k = kindInt16
	case 4:
		k = kindInt32
	case 8:
		k = kindInt64
	}
	if k != kindNone && !signed {
		k += kindUint8 - kindInt8
	}
	return k
}

// kindOf is T's kind.
func kindOf[T Number]() kind {
	var zero T
	size := int(unsafe.Sizeof(zero))
	half := 0.5 // not constant, so that the conversion is at run time
	if T(half) != 0 {
		if size == 4 {
			return kindFloat32
		}
		return kindFloat64
	}
	return integerKind(size, zero-1 < zero)
}

// float16 converts IEEE 754 half precision, which float32 holds exactly.
func float16(h uint16) float32 {
	sign, exponent, mantissa := uint32(h>>15), uint32(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0: // zero and subnormal numbers: mantissa · 2⁻²⁴
		value := float32(mantissa) / (1 << 24)
		return math.Float32frombits(math.Float32bits(value) | sign<<31)
	case 31: // infinities and NaN
		return math.Float32frombits(sign<<31 | 0xff<<23 | mantissa<<13)
	}
	return math.Float32frombits(sign<<31 | (exponent+127-15)<<23 | mantissa<<13)
}

// convert converts the elements of src, of kind k and of either byte order,
// to T. Numbers that an integer T cannot hold are an error.
func convert[T Number](dst []T, src []byte, t Datatype) error {
	k := t.kind()
	var order binary.ByteOrder = binary.LittleEndian
	if t.bigEndian() {
		order = binary.BigEndian
	}
	to := kindOf[T]()
	switch k {
	case kindBool, kindInt8:
		return convertIntegers(dst, to, k, func(i int) int64 { return int64(int8(src[i])) })
	case kindInt16:
		return convertIntegers(dst, to, k, func(i int) int64 { return int64(int16(order.Uint16(src[2*i:]))) })
	case kindInt32:
		return convertIntegers(dst, to, k, func(i int) int64 { return int64(int32(order.Uint32(src[4*i:]))) })
	case kindInt64:
		return convertIntegers(dst, to, k, func(i int) int64 { return int64(order.Uint64(src[8*i:])) })
	case kindUint8:
		return convertIntegers(dst, to, k, func(i int) uint64 { return uint64(src[i]) })
	case kindUint16:
		return convertIntegers(dst, to, k, func(i int) uint64 { return uint64(order.Uint16(src[2*i:])) })
	case kindUint32:
		return convertIntegers(dst, to, k, func(i int) uint64 { return uint64(order.Uint32(src[4*i:])) })
	case kindUint64:
		return convertIntegers(dst, to, k, func(i int) uint64 { return order.Uint64(src[8*i:]) })
	case kindFloat16:
		return convertFloats(dst, to, k, func(i int) float32 { return float16(order.Uint16(src[2*i:])) })
	case kindBFloat16:
		return convertFloats(dst, to, k, func(i int) float32 { return math.Float32frombits(uint32(order.Uint16(src[2*i:])) << 16) })
	case kindFloat32:
		return convertFloats(dst, to, k, func(i int) float32 { return math.Float32frombits(order.Uint32(src[4*i:])) })
	case kindFloat64:
		return convertFloats(dst, to, k, func(i int) float64 { return math.Float64frombits(order.Uint64(src[8*i:])) })
	}
	return typeErrorf("%s elements are not numbers", t)
}

func convertIntegers[T Number, S int64 | uint64](dst []T, to, from kind, at func(i int) S) error {
	if to == kindFloat32 || to == kindFloat64 {
		for i := range dst {
			dst[i] = T(at(i))
		}
		return nil
	}
	for i := range dst {
		v := at(i)
		dst[i] = T(v)
		if S(dst[i]) != v || (dst[i] < 0) != (v < 0) {
			return typeErrorf("%s %d does not fit %s", from, v, to)
		}
	}
	return nil
}

func convertFloats[T Number, S float32 | float64](dst []T, to, from kind, at func(i int) S) error {
	if to != kindFloat32 && to != kindFloat64 {
		return typeErrorf("%s elements asked for as %s", from, to)
	}
	for i := range dst {
		dst[i] = T(at(i))
	}
	return nil
}

// bytesOf is the memory of s.
func bytesOf[T Number](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

// hostIsBigEndian: the memory of numbers is then not what files hold.
var hostIsBigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

func reverse(b []byte) { slices.Reverse(b) }

// swapBytes reverses each element of size bytes.
func swapBytes(b []byte, size int) {
	switch size {
	case 1:
	case 2:
		for i := 0; i+2 <= len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	case 4:
		for i := 0; i+4 <= len(b); i += 4 {
			le.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
		}
	default:
		for ; len(b) >= size; b = b[size:] {
			reverse(b[:size])
		}
	}
}
