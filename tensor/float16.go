package tensor

import "math"

// Half is an IEEE 754 half-precision number (float16): 1 sign, 5 exponent and 10 fraction bits.
type Half uint16

// Brain is a bfloat16 number: the upper half of a float32.
type Brain uint16

// Float32 returns the number as a float32, which holds every bfloat16 exactly.
func (b Brain) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// BrainOf rounds f to the nearest bfloat16, ties to even; NaN stays NaN.
func BrainOf(f float32) Brain {
	u := math.Float32bits(f)
	if f != f {
		return Brain(u>>16 | 0x40)
	}
	return Brain((u + 0x7fff + u>>16&1) >> 16)
}

// Float32 returns the number as a float32, which holds every float16 exactly.
func (h Half) Float32() float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0x1f: // infinity, NaN
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case 0: // zero, subnormal: frac · 2^-24
		f := float32(frac) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(f))
	default:
		return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
	}
}

// HalfOf rounds f to the nearest float16, ties to even; what is too large becomes an infinity, NaN stays NaN.
func HalfOf(f float32) Half {
	u := math.Float32bits(f)
	sign, abs := Half(u>>31)<<15, u&0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN
		return sign | 0x7e00 | Half(abs>>13&0x3ff)
	case abs >= 0x477ff000: // rounds to 65536 or more
		return sign | 0x7c00
	case abs < 0x38800000: // below 2^-14: adding 0.5 rounds to a multiple of 2^-24
		m := math.Float32bits(math.Float32frombits(abs) + 0.5)
		return sign | Half(m-0x3f000000)
	default:
		abs += 0xfff + abs>>13&1
		return sign | Half((abs-(127-15)<<23)>>13)
	}
}

// halfOf64 rounds f to the nearest float16 at once: a float32 in between would round twice. Its low bit, set where the
// float32 was cut short, keeps the second rounding off a false tie.
func halfOf64(f float64) Half {
	s := float32(f)
	if float64(s) != f && f == f && !math.IsInf(float64(s), 0) {
		u := math.Float32bits(s)
		if math.Abs(float64(s)) > math.Abs(f) {
			u-- // towards zero
		}
		s = math.Float32frombits(u | 1)
	}
	return HalfOf(s)
}
