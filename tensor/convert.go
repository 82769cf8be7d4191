package tensor

import (
	"fmt"
	"math"
)

// Convert returns the tensor as another element type, if that loses nothing: every element has the same value afterwards
// (NaN stays NaN; an integer that a float32 cannot hold, or 0.1 as a float32 of a float64, is an error that names both
// types and the first such value). Strings and numbers do not convert into each other. If the type is d already, t itself
// is returned.
func (t *Tensor) Convert(d DType) (*Tensor, error) {
	if t.DType() == d {
		return t, nil
	}
	r, err := t.Cast(d)
	if err != nil || widens(t.dtype, d) {
		return r, err
	}
	for i := range t.Len() {
		if !t.number(i).equal(r.number(i)) {
			return nil, fmt.Errorf("%w: %v does not convert to %v without loss: element %s is %s", ErrDType, t.dtype, d, t.shape.index(i), t.text(i))
		}
	}
	return r, nil
}

// widens reports whether every value of type from is one of type to, so that nothing needs to be compared.
func widens(from, to DType) bool {
	for _, d := range widenings[from] {
		if d == to {
			return true
		}
	}
	return false
}

var widenings = map[DType][]DType{
	Bool:     {Uint8, Int8, Uint16, Int16, Uint32, Int32, Uint64, Int64, Float16, BFloat16, Float32, Float64},
	Uint8:    {Uint16, Int16, Uint32, Int32, Uint64, Int64, Float16, BFloat16, Float32, Float64},
	Int8:     {Int16, Int32, Int64, Float16, BFloat16, Float32, Float64},
	Uint16:   {Uint32, Int32, Uint64, Int64, Float32, Float64},
	Int16:    {Int32, Int64, Float32, Float64},
	Uint32:   {Uint64, Int64, Float64},
	Int32:    {Int64, Float64},
	Float16:  {Float32, Float64},
	BFloat16: {Float32, Float64},
	Float32:  {Float64},
}

// Cast returns the tensor as another element type the way NumPy's astype does: floats are rounded to nearest (to integers:
// truncated), integers wrap around, a complex number loses its imaginary part, everything but zero is true. What C and
// NumPy leave undefined is defined here: a float that no 64-bit integer holds, and NaN, become the lowest one (2⁶³ for
// uint64), which is then cut to the width asked for. If the type is d already, t itself is returned.
func (t *Tensor) Cast(d DType) (*Tensor, error) {
	if t.DType() == d && t != nil {
		return t, nil
	}
	if t == nil || t.dtype == String || d == String {
		return nil, fmt.Errorf("%w: %v does not convert to %v", ErrDType, t.DType(), d)
	}
	r, err := New(d, t.shape...)
	if err != nil {
		return nil, err
	}
	switch t.dtype {
	case Float32:
		castFloats(r, view[float32](t), func(v float32) float64 { return float64(v) })
	case Float64:
		castFloats(r, view[float64](t), func(v float64) float64 { return v })
	case Float16:
		castFloats(r, view[Half](t), func(v Half) float64 { return float64(v.Float32()) })
	case BFloat16:
		castFloats(r, view[Brain](t), func(v Brain) float64 { return float64(v.Float32()) })
	case Float8E5M2:
		castFloats(r, view[uint8](t), func(v uint8) float64 { return float64(e5m2.values[v]) })
	case Float8E4M3FN:
		castFloats(r, view[uint8](t), func(v uint8) float64 { return float64(e4m3fn.values[v]) })
	case Int8, QInt8:
		castIntegers(r, view[int8](t))
	case Int4:
		castNibbles(r, view[int8](t), signedNibble)
	case Uint4:
		castNibbles(r, view[uint8](t), func(v uint8) uint8 { return v & 0xf })
	case Int16, QInt16:
		castIntegers(r, view[int16](t))
	case Int32, QInt32:
		castIntegers(r, view[int32](t))
	case Int64:
		castIntegers(r, view[int64](t))
	case Uint8, QUint8, Bool:
		castIntegers(r, view[uint8](t))
	case Uint16, QUint16:
		castIntegers(r, view[uint16](t))
	case Uint32:
		castIntegers(r, view[uint32](t))
	case Uint64:
		castIntegers(r, view[uint64](t))
	case Complex64:
		castComplex(r, view[complex64](t), func(v complex64) complex128 { return complex128(v) })
	case Complex128:
		castComplex(r, view[complex128](t), func(v complex128) complex128 { return v })
	}
	return r, nil
}

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// view returns the elements as a slice of T, whose size must be that of the element type.
func view[T Element](t *Tensor) []T {
	r := *t
	r.dtype = DTypeOf[T]()
	s, _ := Data[T](&r)
	return s
}

// each fills r, seen as Ts, with f of every element of src.
func each[S, T Element](r *Tensor, src []S, f func(S) T) {
	dst := view[T](r)
	for i, v := range src {
		dst[i] = f(v)
	}
}

func castIntegers[S integer](r *Tensor, src []S) {
	switch r.dtype {
	case Float32:
		each(r, src, func(v S) float32 { return float32(v) })
	case Float64:
		each(r, src, func(v S) float64 { return float64(v) })
	case Float16:
		each(r, src, func(v S) Half { return halfOf64(float64(v)) }) // 53 bits are far beyond the largest float16
	case BFloat16:
		each(r, src, func(v S) Brain { return BrainOf(float32(v)) })
	case Float8E5M2:
		each(r, src, func(v S) uint8 { return e5m2.of(float32(v)) })
	case Float8E4M3FN:
		each(r, src, func(v S) uint8 { return e4m3fn.of(float32(v)) })
	case Complex64:
		each(r, src, func(v S) complex64 { return complex(float32(v), 0) })
	case Complex128:
		each(r, src, func(v S) complex128 { return complex(float64(v), 0) })
	case Bool:
		each(r, src, func(v S) bool { return v != 0 })
	case Uint64:
		each(r, src, func(v S) uint64 { return uint64(v) })
	default:
		castToInteger(r, src, func(v S) int64 { return int64(v) })
	}
}

// castNibbles casts from a type of four bits, which value takes out of a byte.
func castNibbles[S integer](r *Tensor, src []S, value func(S) S) {
	whole := make([]S, len(src))
	for i, v := range src {
		whole[i] = value(v)
	}
	castIntegers(r, whole)
}

func castFloats[S Element](r *Tensor, src []S, value func(S) float64) {
	switch r.dtype {
	case Float32:
		each(r, src, func(v S) float32 { return float32(value(v)) })
	case Float64:
		each(r, src, value)
	case Float16:
		each(r, src, func(v S) Half { return halfOf64(value(v)) })
	case BFloat16:
		each(r, src, func(v S) Brain { return BrainOf(float32(value(v))) })
	case Float8E5M2:
		each(r, src, func(v S) uint8 { return e5m2.of(float32(value(v))) })
	case Float8E4M3FN:
		each(r, src, func(v S) uint8 { return e4m3fn.of(float32(value(v))) })
	case Complex64:
		each(r, src, func(v S) complex64 { return complex(float32(value(v)), 0) })
	case Complex128:
		each(r, src, func(v S) complex128 { return complex(value(v), 0) })
	case Bool:
		each(r, src, func(v S) bool { return value(v) != 0 })
	case Uint64:
		each(r, src, func(v S) uint64 { return truncateUnsigned(value(v)) })
	default:
		castToInteger(r, src, func(v S) int64 { return truncate(value(v)) })
	}
}

func castComplex[S Element](r *Tensor, src []S, value func(S) complex128) {
	switch r.dtype {
	case Complex64:
		each(r, src, func(v S) complex64 { return complex64(value(v)) })
	case Complex128:
		each(r, src, value)
	case Bool:
		each(r, src, func(v S) bool { return value(v) != 0 })
	default:
		castFloats(r, src, func(v S) float64 { return real(value(v)) })
	}
}

// castToInteger fills a tensor of integers of up to 64 bits, except uint64; higher bits are cut off.
func castToInteger[S Element](r *Tensor, src []S, value func(S) int64) {
	switch r.dtype {
	case Int4:
		each(r, src, func(v S) int8 { return signedNibble(int8(value(v))) })
	case Uint4:
		each(r, src, func(v S) uint8 { return uint8(value(v)) & 0xf })
	case Int8, QInt8, Uint8, QUint8:
		each(r, src, func(v S) int8 { return int8(value(v)) })
	case Int16, QInt16, Uint16, QUint16:
		each(r, src, func(v S) int16 { return int16(value(v)) })
	case Int32, QInt32, Uint32:
		each(r, src, func(v S) int32 { return int32(value(v)) })
	case Int64:
		each(r, src, value)
	}
}

// truncate cuts the fraction off; what no int64 holds becomes the lowest one, as on x86-64.
func truncate(f float64) int64 {
	if f >= -(1<<63) && f < 1<<63 {
		return int64(f)
	}
	return math.MinInt64
}

// truncateUnsigned cuts the fraction off; a negative number wraps around, what no uint64 holds becomes 2⁶³, as on x86-64.
func truncateUnsigned(f float64) uint64 {
	if f >= 1<<63 && f < 1<<64 {
		return uint64(f)
	}
	return uint64(truncate(f))
}
