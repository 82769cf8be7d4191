package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// exp emits e**x: x = n·ln 2 + r, a polynomial of degree 7 in r (its Taylor series: |r| <= 0.35), and 2**n in two
// factors so that results near the ends of the range come out as Inf, subnormal or 0. NaN stays NaN.
func (s isa) exp(x Op) Op {
	x = s.max(c(-104), x)
	x = s.min(c(89), x)
	n := s.vec()
	VCVTPS2DQ(s.mul(x, c(math.Log2E)), n)
	f := s.vec()
	VCVTDQ2PS(n, f)
	r := s.fnma(f, c(0.693359375), x)
	r = s.fnma(f, c(-2.12194440e-4), r)
	p := s.poly(r, 1./5040, 1./720, 1./120, 1./24, 1./6, 1./2, 1, 1)
	half, rest := s.vec(), s.vec()
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, rest)
	return s.mul(s.mul(p, s.power(half)), s.power(rest))
}

// power emits 2**n for integer lanes in the range of normal numbers.
func (s isa) power(n Op) Op {
	v := s.vec()
	VPADDD(bits(127), n, v)
	VPSLLD(Imm(23), v, v)
	return v
}

// expm1 emits e**x - 1 for x <= 0: a polynomial near zero, where the difference would cancel.
func (s isa) expm1(x Op) Op {
	far := s.sub(s.exp(x), c(1))
	near := s.mul(x, s.poly(x, 1./362880, 1./40320, 1./5040, 1./720, 1./120, 1./24, 1./6, 1./2, 1))
	return s.selectIf(x, gt, c(-0.5), near, far)
}

// sigmoid emits 1 / (1 + e**-x).
func (s isa) sigmoid(x Op) Op {
	return s.div(s.load(c(1)), s.add(s.exp(s.negate(x)), c(1)))
}

// tanh emits 1 - 2/(e**2|x| + 1) with x's sign, and below 0.625 the polynomial of Cephes' tanhf.
func (s isa) tanh(x Op) Op {
	a := s.abs(x)
	e := s.add(s.exp(s.add(a, a)), c(1))
	far := s.sub(s.load(c(1)), s.div(s.load(c(2)), e))
	far = s.or(far, s.and(x, bits(0x80000000)))
	z := s.mul(x, x)
	p := s.poly(z, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
	near := s.fma(s.mul(p, z), x, x)
	return s.selectIf(a, lt, c(0.625), near, far)
}

// log emits the natural logarithm of x in [1, 2]: the series of 2·atanh(s), s = (x-1)/(x+1) <= 1/3.
func (s isa) log12(xm1 Op) Op {
	q := s.div(xm1, s.add(xm1, c(2)))
	z := s.mul(q, q)
	p := s.poly(z, 2./15, 2./13, 2./11, 2./9, 2./7, 2./5, 2./3, 2)
	return s.mul(q, p)
}

// softplus emits log(1 + e**x) = max(x, 0) + log(1 + e**-|x|).
func (s isa) softplus(x Op) Op {
	t := s.exp(s.negate(s.abs(x)))
	return s.add(s.max(s.zero(), x), s.log12(t))
}

// erfc emits 1 - erf(a) for a >= 0: an odd polynomial below 1, above it e**(q(a) - a²). Both fitted by Chebyshev
// interpolation against float64; the error stays below 1.4e-7.
func (s isa) erfc(a Op) Op {
	z := s.mul(a, a)
	near := s.poly(z, 7.882497113837771e-05, -0.0008018854993505966, 0.005189311942717047, -0.026854328796052106,
		0.11283597463486746, -0.37612626903580204, 1.128379165881503)
	near = s.fnma(near, a, s.load(c(1)))
	b := s.min(c(4), a)
	q := s.poly(b, -1.3309389390560469e-05, 0.00031757203459731065, -0.00343686759785158, 0.02262198592504068,
		-0.1033189800357644, 0.3609066805016098, -1.1259259493253035, -0.0007569686248651841)
	far := s.exp(s.sub(q, z))
	return s.selectIf(a, lt, c(1), near, far)
}

// normal emits the distribution function of the standard normal.
func (s isa) normal(x Op) Op {
	e := s.mul(s.erfc(s.abs(s.mul(x, c(math.Sqrt2/2)))), c(0.5))
	return s.selectIf(x, lt, s.zero(), e, s.sub(s.load(c(1)), e))
}

const (
	seluScale = 1.0507009873554804934193349852946
	seluAlpha = 1.6732632423543772848170429916717
	// geluRoot is sqrt(2/pi).
	geluRoot  = 0.79788456080286535587989211986876
	geluCubic = 0.044715
)
