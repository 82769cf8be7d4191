package main

import (
	"math"

	. "github.com/mmcloughlin/avo/operand"
)

// activations emits, for each activation, NAME: dst[i] = f(src[i]), and NAMEGrad: dz[i] = dy[i]·f'. The derivative is
// computed from the output y where it can be, so that an activation works in place, and from the input x for gelu,
// silu and mish. alpha is the slope or scale of leaky_relu and elu.
func activations(s isa) {
	one := func() Op { return s.load(c(1)) }
	unary := func(name string, f func(x Op) Op) {
		s.text(name, "dst, src *float32, n int, alpha float32")
		dst, src, n := arg("dst"), arg("src"), arg("n")
		s.loop(n, regs(dst, src), func(d int) { s.store(f(s.load(at(src, d))), at(dst, d)) })
	}
	unaryAlpha := func(name string, f func(x, alpha Op) Op) {
		s.text(name, "dst, src *float32, n int, alpha float32")
		dst, src, n, alpha := arg("dst"), arg("src"), arg("n"), s.scalar("alpha")
		s.loop(n, regs(dst, src), func(d int) { s.store(f(s.load(at(src, d)), alpha), at(dst, d)) })
	}
	grad := func(name string, f func(dy, r Op) Op) {
		s.text(name+"Grad", "dz, dy, ref *float32, n int, alpha float32")
		dz, dy, ref, n := arg("dz"), arg("dy"), arg("ref"), arg("n")
		s.loop(n, regs(dz, dy, ref), func(d int) { s.store(f(s.load(at(dy, d)), s.load(at(ref, d))), at(dz, d)) })
	}
	gradAlpha := func(name string, f func(dy, r, alpha Op) Op) {
		s.text(name+"Grad", "dz, dy, ref *float32, n int, alpha float32")
		dz, dy, ref, n, alpha := arg("dz"), arg("dy"), arg("ref"), arg("n"), s.scalar("alpha")
		s.loop(n, regs(dz, dy, ref), func(d int) { s.store(f(s.load(at(dy, d)), s.load(at(ref, d)), alpha), at(dz, d)) })
	}

	unary("relu", func(x Op) Op { return s.max(s.zero(), x) })
	grad("relu", func(dy, y Op) Op { return s.keepIf(y, gt, s.zero(), dy) })

	unary("relu6", func(x Op) Op { return s.min(c6(s), s.max(s.zero(), x)) })
	grad("relu6", func(dy, y Op) Op { return s.keepIf(y, gt, s.zero(), s.keepIf(y, lt, c(6), dy)) })

	unaryAlpha("leakyRelu", func(x, a Op) Op { return s.selectIf(x, lt, s.zero(), s.mul(x, a), x) })
	gradAlpha("leakyRelu", func(dy, y, a Op) Op { return s.selectIf(y, gt, s.zero(), dy, s.mul(dy, a)) })

	unaryAlpha("elu", func(x, a Op) Op { return s.selectIf(x, lt, s.zero(), s.mul(s.expm1(x), a), x) })
	gradAlpha("elu", func(dy, y, a Op) Op { return s.selectIf(y, gt, s.zero(), dy, s.mul(dy, s.add(y, a))) })

	unary("selu", func(x Op) Op {
		return s.selectIf(x, lt, s.zero(), s.mul(s.expm1(x), c(seluScale*seluAlpha)), s.mul(x, c(seluScale)))
	})
	grad("selu", func(dy, y Op) Op {
		return s.selectIf(y, gt, s.zero(), s.mul(dy, c(seluScale)), s.mul(dy, s.add(y, c(seluScale*seluAlpha))))
	})

	unary("sigmoid", s.sigmoid)
	grad("sigmoid", func(dy, y Op) Op { return s.mul(dy, s.mul(y, s.sub(one(), y))) })

	unary("hardSigmoid", func(x Op) Op {
		return s.min(s.load(c(1)), s.max(s.zero(), s.fma(x, s.load(c(1./6)), c(0.5))))
	})
	grad("hardSigmoid", func(dy, y Op) Op {
		return s.keepIf(y, gt, s.zero(), s.keepIf(y, lt, c(1), s.mul(dy, c(1./6))))
	})

	unary("tanh", s.tanh)
	grad("tanh", func(dy, y Op) Op { return s.fnma(s.mul(dy, y), y, dy) })

	unary("softplus", s.softplus)
	grad("softplus", func(dy, y Op) Op { return s.negate(s.mul(dy, s.expm1(s.negate(y)))) })

	unary("softsign", func(x Op) Op { return s.div(x, s.add(s.abs(x), c(1))) })
	grad("softsign", func(dy, y Op) Op {
		t := s.sub(one(), s.abs(y))
		return s.mul(dy, s.mul(t, t))
	})

	unary("exponential", s.exp)
	grad("exponential", func(dy, y Op) Op { return s.mul(dy, y) })

	unary("silu", func(x Op) Op { return s.mul(x, s.sigmoid(x)) })
	grad("silu", func(dy, x Op) Op {
		g := s.sigmoid(x)
		return s.mul(dy, s.fma(s.mul(x, g), s.sub(one(), g), g))
	})

	// mish(x) = x·tanh(softplus(x)); with t = e**x, tanh(log(1+t)) = (t²+2t)/(t²+2t+2). Above 20 the quotient is 1.
	quotient := func(x Op) Op {
		t := s.exp(s.min(c20(s), x))
		u := s.mul(t, s.add(t, c(2)))
		return s.div(u, s.add(u, c(2)))
	}
	unary("mish", func(x Op) Op { return s.mul(x, quotient(x)) })
	grad("mish", func(dy, x Op) Op {
		q := quotient(x)
		return s.mul(dy, s.fma(s.mul(x, s.sigmoid(x)), s.fnma(q, q, one()), q))
	})

	unary("gelu", func(x Op) Op { return s.mul(x, s.normal(x)) })
	grad("gelu", func(dy, x Op) Op {
		density := s.mul(s.exp(s.mul(s.mul(x, x), c(-0.5))), c(1/math.Sqrt(2*math.Pi)))
		return s.mul(dy, s.fma(x, density, s.normal(x)))
	})

	inner := func(x Op) Op {
		x2 := s.mul(x, x)
		return s.mul(s.mul(x, c(geluRoot)), s.fma(x2, s.load(c(geluCubic)), c(1)))
	}
	unary("geluTanh", func(x Op) Op {
		h := s.mul(x, c(0.5))
		return s.fma(h, s.tanh(inner(x)), h)
	})
	grad("geluTanh", func(dy, x Op) Op {
		t := s.tanh(inner(x))
		d := s.mul(s.fma(s.mul(x, x), s.load(c(3*geluCubic)), c(1)), c(geluRoot)) // derivative of inner
		d = s.mul(d, s.fnma(t, t, one()))
		y := s.fma(x, d, s.add(t, c(1)))
		return s.mul(s.mul(dy, c(0.5)), y)
	})
}

func c6(s isa) Op  { return s.load(c(6)) }
func c20(s isa) Op { return s.load(c(20)) }
