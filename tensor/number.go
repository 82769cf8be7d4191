package tensor

import (
	"math"
	"unsafe"
)

// number is the value of one element of any numeric type, so that elements of different types can be compared.
type number struct {
	integer   bool       // an integer or a bool: negative and magnitude hold; else float does
	negative  bool       // below zero
	magnitude uint64     // the absolute value
	float     complex128 // a real number has no imaginary part
}

// number returns the value of element i; strings have none.
func (t *Tensor) number(i int) number {
	switch t.dtype {
	case Float32:
		return realNumber(float64(at[float32](t, i)))
	case Float64:
		return realNumber(at[float64](t, i))
	case Float16:
		return realNumber(float64(at[Half](t, i).Float32()))
	case BFloat16:
		return realNumber(float64(at[Brain](t, i).Float32()))
	case Float8E5M2:
		return realNumber(float64(e5m2.values[t.data[i]]))
	case Float8E4M3FN:
		return realNumber(float64(e4m3fn.values[t.data[i]]))
	case Complex64:
		return number{float: complex128(at[complex64](t, i))}
	case Complex128:
		return number{float: at[complex128](t, i)}
	case Int8, QInt8:
		return signedNumber(int64(at[int8](t, i)))
	case Int4:
		return signedNumber(int64(signedNibble(at[int8](t, i))))
	case Uint4:
		return number{integer: true, magnitude: uint64(t.data[i] & 0xf)}
	case Int16, QInt16:
		return signedNumber(int64(at[int16](t, i)))
	case Int32, QInt32:
		return signedNumber(int64(at[int32](t, i)))
	case Int64:
		return signedNumber(at[int64](t, i))
	case Uint16, QUint16:
		return number{integer: true, magnitude: uint64(at[uint16](t, i))}
	case Uint32:
		return number{integer: true, magnitude: uint64(at[uint32](t, i))}
	case Uint64:
		return number{integer: true, magnitude: at[uint64](t, i)}
	default: // Uint8, QUint8, Bool
		return number{integer: true, magnitude: uint64(t.data[i])}
	}
}

// at returns element i, whose type must be as wide as T.
func at[T Element](t *Tensor, i int) T {
	var z T
	return *(*T)(unsafe.Pointer(&t.data[i*int(unsafe.Sizeof(z))]))
}

// signedNibble returns the number in the lower four bits; TensorFlow leaves the upper ones undefined.
func signedNibble(b int8) int8 { return b << 4 >> 4 }

// put sets element i, whose type must be as wide as T.
func put[T Element](t *Tensor, i int, v T) {
	*(*T)(unsafe.Pointer(&t.data[i*int(unsafe.Sizeof(v))])) = v
}

func realNumber(f float64) number { return number{float: complex(f, 0)} }

func signedNumber(i int64) number {
	if i < 0 {
		return number{integer: true, negative: true, magnitude: -uint64(i)}
	}
	return number{integer: true, magnitude: uint64(i)}
}

// equal reports whether both are the same value; NaN is the same value as NaN.
func (n number) equal(m number) bool {
	switch {
	case n.integer && m.integer:
		return n.negative == m.negative && n.magnitude == m.magnitude
	case n.integer:
		f := math.Abs(real(m.float))
		return imag(m.float) == 0 && f == math.Trunc(f) && f < 1<<64 && uint64(f) == n.magnitude && n.negative == (real(m.float) < 0)
	case m.integer:
		return m.equal(n)
	default:
		return sameFloat(real(n.float), real(m.float)) && sameFloat(imag(n.float), imag(m.float))
	}
}

func sameFloat(a, b float64) bool { return a == b || (a != a && b != b) }

// minus returns |n - m|: 0 for equal values (infinities and NaN among them), NaN where only one is NaN.
func (n number) minus(m number) float64 {
	switch {
	case n.equal(m):
		return 0
	case n.integer && m.integer && n.negative == m.negative:
		return float64(max(n.magnitude, m.magnitude) - min(n.magnitude, m.magnitude))
	default:
		a, b := n.complex(), m.complex()
		return math.Hypot(real(a)-real(b), imag(a)-imag(b))
	}
}

// complex returns the value as a complex number, rounded if it is a large integer.
func (n number) complex() complex128 {
	switch f := float64(n.magnitude); {
	case !n.integer:
		return n.float
	case n.negative:
		return complex(-f, 0)
	default:
		return complex(f, 0)
	}
}
