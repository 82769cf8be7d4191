package tensor

import "math"

// float8 describes an 8-bit floating-point format: the value of each of its 256 encodings.
type float8 struct {
	values [256]float32
	nan    uint8 // the NaN that rounding yields, without its sign
	over   uint8 // what a positive number too large becomes, without its sign
}

var (
	// e5m2 has 5 exponent and 2 fraction bits and, like float16, infinities.
	e5m2 = newFloat8(2, 0x7c, func(m uint8) bool { return m > 0x7c }, 0x7e, 0x7c)
	// e4m3fn has 4 exponent and 3 fraction bits; it has no infinity, and only 0x7f is NaN.
	e4m3fn = newFloat8(3, 0x80, func(m uint8) bool { return m == 0x7f }, 0x7f, 0x7f)
)

// newFloat8 tabulates a format with the given number of fraction bits, whose infinity (if any) and NaNs are told by their magnitude bits.
func newFloat8(fraction uint, inf uint8, isNaN func(uint8) bool, nan, over uint8) *float8 {
	f := &float8{nan: nan, over: over}
	bias := 1<<(6-fraction) - 1
	for i := range 256 {
		m := uint8(i) & 0x7f
		exp, frac := int(m>>fraction), float64(m&(1<<fraction-1))
		v := math.Ldexp(1+frac/float64(int(1)<<fraction), exp-bias)
		switch {
		case exp == 0:
			v = math.Ldexp(frac, 1-bias-int(fraction))
		case m == inf:
			v = math.Inf(1)
		}
		if isNaN(m) {
			v = math.NaN()
		}
		if i > 0x7f {
			v = -v
		}
		f.values[i] = float32(v)
	}
	return f
}

// of rounds v to the nearest value of the format, ties to even. What is too large becomes infinity where there is one, else NaN,
// as in ml_dtypes.
func (f *float8) of(v float32) uint8 {
	u := math.Float32bits(v)
	sign, abs := uint8(u>>31)<<7, math.Float32frombits(u&0x7fffffff)
	if abs != abs {
		return sign | f.nan
	}
	low, high := uint8(0), uint8(0) // high: the smallest magnitude of at least abs
	for high < f.over && !(f.values[high] >= abs) {
		low, high = high, high+1
	}
	if high == f.over { // beyond the last finite value: it holds up to half a step further
		step := f.values[low] - f.values[low-1]
		if half := f.values[low] + step/2; abs < half || (abs == half && low&1 == 0) {
			return sign | low
		}
		return sign | f.over
	}
	down, up := abs-f.values[low], f.values[high]-abs
	if up < down || (up == down && high&1 == 0) {
		return sign | high
	}
	return sign | low
}
