package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set: its vectors and the few operations that it spells differently.
type isa struct {
	name  string
	bytes int
	vec   func() VecVirtual
}

var (
	avx512 = isa{"512", 64, ZMM}
	avx2   = isa{"256", 32, YMM}
)

func (s isa) wide() bool { return s.bytes == 64 }

// text starts function name+suffix. Pointers do not escape.
func (s isa) text(name, signature string) {
	TEXT(name+s.name, NOSPLIT, "func("+signature+")")
	Pragma("noescape")
}

// arg loads an integer or pointer argument.
func arg(name string) Register { return Load(Param(name), GP64()) }

// scalar broadcasts a float32 argument.
func (s isa) scalar(name string) Op {
	a, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := s.vec()
	VBROADCASTSS(a.Addr, v)
	return v
}

func at(base Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

// constants holds the bits of the float32 constants already laid out.
var constants = map[uint32]Mem{}

// c is the constant f in every lane, as a memory operand.
func c(f float64) Mem { return bits(math.Float32bits(float32(f))) }

// bits is the 32-bit pattern u in every lane, as a memory operand.
func bits(u uint32) Mem {
	m, ok := constants[u]
	if !ok {
		m = GLOBL(fmt.Sprintf("lanes_%08x", u), RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(u))
		}
		constants[u] = m
	}
	return m
}

func (s isa) load(m Op) Op {
	v := s.vec()
	VMOVUPS(m, v)
	return v
}

func (s isa) store(v Op, m Mem) { VMOVUPS(v, m) }

func (s isa) zero() Op {
	v := s.vec()
	s.clear(v)
	return v
}

func (s isa) clear(v Op) {
	if s.wide() {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

func (s isa) copy(a Op) Op {
	v := s.vec()
	VMOVUPS(a, v)
	return v
}

// reg returns v in a register.
func (s isa) reg(v Op) Op {
	if m, ok := v.(Mem); ok {
		return s.load(m)
	}
	return v
}

// The arithmetic below reads in the textbook's order and returns a new register; operands may be constants in memory.

func (s isa) add(a, b Op) Op { v := s.vec(); VADDPS(b, s.reg(a), v); return v }
func (s isa) sub(a, b Op) Op { v := s.vec(); VSUBPS(b, s.reg(a), v); return v }
func (s isa) mul(a, b Op) Op { v := s.vec(); VMULPS(b, s.reg(a), v); return v }
func (s isa) div(a, b Op) Op { v := s.vec(); VDIVPS(b, s.reg(a), v); return v }

// max and min are NaN where b is: x86 returns its second source then.
func (s isa) max(a, b Op) Op { v := s.vec(); VMAXPS(b, s.reg(a), v); return v }
func (s isa) min(a, b Op) Op { v := s.vec(); VMINPS(b, s.reg(a), v); return v }

// fma returns a*b + d, d in a register or in memory.
func (s isa) fma(a, b, d Op) Op { v := s.copy(a); VFMADD213PS(d, s.reg(b), v); return v }

// fnma returns d - a*b.
func (s isa) fnma(a, b, d Op) Op { v := s.copy(a); VFNMADD213PS(d, s.reg(b), v); return v }

func (s isa) sqrt(a Op) Op { v := s.vec(); VSQRTPS(a, v); return v }

func (s isa) and(a, b Op) Op {
	v := s.vec()
	if s.wide() {
		VPANDD(b, a, v)
	} else {
		VANDPS(b, a, v)
	}
	return v
}

func (s isa) or(a, b Op) Op {
	v := s.vec()
	if s.wide() {
		VPORD(b, a, v)
	} else {
		VORPS(b, a, v)
	}
	return v
}

func (s isa) xor(a, b Op) Op {
	v := s.vec()
	if s.wide() {
		VPXORD(b, a, v)
	} else {
		VPXOR(b, a, v)
	}
	return v
}

func (s isa) abs(a Op) Op { return s.and(a, bits(0x7fffffff)) }

// negate flips the sign.
func (s isa) negate(a Op) Op { return s.xor(a, bits(0x80000000)) }

// poly evaluates a polynomial in x, highest coefficient first.
func (s isa) poly(x Op, coefficients ...float64) Op {
	v := s.load(c(coefficients[0]))
	for _, k := range coefficients[1:] {
		VFMADD213PS(c(k), x, v)
	}
	return v
}

// Comparison predicates (ordered, quiet).
const (
	lt = 0x11
	le = 0x12
	gt = 0x1e
)

// selectIf returns yes where a OP b holds, else no. b may be in memory.
func (s isa) selectIf(a Op, predicate int, b, yes, no Op) Op {
	v := s.vec()
	if s.wide() {
		k := K()
		VCMPPS(Imm(uint64(predicate)), b, a, k)
		VBLENDMPS(yes, no, k, v)
		return v
	}
	m := s.vec()
	VCMPPS(Imm(uint64(predicate)), b, a, m)
	VBLENDVPS(m, yes, no, v)
	return v
}

// keepIf returns v where a OP b holds, else zero.
func (s isa) keepIf(a Op, predicate int, b, v Op) Op {
	r := s.vec()
	if s.wide() {
		k := K()
		VCMPPS(Imm(uint64(predicate)), b, a, k)
		VMOVAPS_Z(v, k, r)
		return r
	}
	m := s.vec()
	VCMPPS(Imm(uint64(predicate)), b, a, m)
	VANDPS(v, m, r)
	return r
}

// loop emits body for every vector of n float32 (a multiple of 16): body gets the byte offset within the iteration.
// pointers are advanced; unroll vectors are processed an iteration where that divides 16 lanes.
func (s isa) loop(n Register, pointers []Register, body func(disp int)) {
	Label("loop")
	for d := 0; d < 64; d += s.bytes {
		body(d)
	}
	for _, p := range pointers {
		ADDQ(Imm(64), p)
	}
	SUBQ(Imm(16), n)
	JNZ(LabelRef("loop"))
	finish()
}

func finish() {
	VZEROUPPER()
	RET()
}
