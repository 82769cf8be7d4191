package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func broadcast(m Mem, v Op) { VBROADCASTSS(m, v) }

// gathers emits the copies of one sample (panels whole panels of 32) into its row of each panel. They need AVX2 only.
func gathers() {
	for _, bytes := range []bool{false, true} {
		name, kind := "gather", "*float32"
		if bytes {
			name, kind = "gatherBytes", "*uint8"
		}
		avx2.text(name, "dst *float32, panel uintptr, panels int, src "+kind)
		dst, panel, panels, src := arg("dst"), arg("panel"), arg("panels"), arg("src")
		Label("panel")
		for d := 0; d < row; d += 32 {
			v := YMM()
			if bytes {
				VPMOVZXBD(at(src, d/4), v)
				VCVTDQ2PS(v, v)
			} else {
				VMOVUPS(at(src, d), v)
			}
			VMOVUPS(v, at(dst, d))
		}
		if bytes {
			ADDQ(Imm(32), src)
		} else {
			ADDQ(U32(row), src)
		}
		ADDQ(panel, dst)
		DECQ(panels)
		JNZ(LabelRef("panel"))
		finish()
	}
}

// prefetch emits the request of cache lines for later.
func prefetch() {
	TEXT("prefetch", NOSPLIT, "func(src *byte, lines int)")
	Pragma("noescape")
	src, lines := arg("src"), arg("lines")
	Label("line")
	PREFETCHT1(at(src, 0))
	ADDQ(Imm(64), src)
	DECQ(lines)
	JNZ(LabelRef("line"))
	RET()
}

// transpose emits dst[c][r] = src[r][c] for a block of 32 by 32, sixteen 8 by 8 squares.
func transpose() {
	avx2.text("transpose", "dst, src *float32")
	dst, src := arg("dst"), arg("src")
	for r := 0; r < 32; r += 8 {
		for c := 0; c < 32; c += 8 {
			square(func(i, half int) Mem { return at(src, (r+i)*row+c*4+half*16) }, func(j int) Mem { return at(dst, (c+j)*row+r*4) })
		}
	}
	finish()
}

// square transposes 8 by 8: rows i and i+4 share a register, so that only in-lane shuffles remain.
func square(from func(i, half int) Mem, to func(j int) Mem) {
	for half := range 2 {
		var v [4]Op
		for i := range v {
			y := []VecPhysical{Y12, Y13, Y14, Y15}[i] // physical: avo would take the upper half for undefined
			VMOVUPS(from(i, half), y.AsX())
			VINSERTF128(Imm(1), from(i+4, half), y, y)
			v[i] = y
		}
		var u [4]Op
		for i := range u {
			u[i] = YMM()
		}
		VUNPCKLPS(v[1], v[0], u[0])
		VUNPCKHPS(v[1], v[0], u[1])
		VUNPCKLPS(v[3], v[2], u[2])
		VUNPCKHPS(v[3], v[2], u[3])
		for j := range 4 {
			y := YMM()
			VSHUFPS(Imm([]uint64{0x44, 0xee}[j&1]), u[2+j/2], u[j/2], y)
			VMOVUPS(y, to(half*4+j))
		}
	}
}

// control emits the pause of a spin loop and the floating-point control word.
func control() {
	TEXT("pause", NOSPLIT, "func()")
	PAUSE()
	RET()
	TEXT("setMXCSR", NOSPLIT, "func(v uint32) (old uint32)")
	o, _ := Return("old").Resolve()
	i, _ := Param("v").Resolve()
	STMXCSR(o.Addr)
	LDMXCSR(i.Addr)
	RET()
}
