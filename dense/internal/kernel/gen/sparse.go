package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// sparseProducts emits the products that skip the zeros of x.
func sparseProducts(s isa) {
	sparseProduct(s)
	sparseOuter(s)
	for _, r := range rules {
		sparseUpdate(s, r)
	}
}

// sparseProduct emits out = init + x·w for one panel of x, of whose rows the non-zeros are given as the bits of a word.
func sparseProduct(s isa) {
	s.text("sparseProduct", "x *float32, nonzero *uint32, keep uint32, rows int, w, init *float32, initStride uintptr, out *float32")
	x, nonzero, rows, w := arg("x"), arg("nonzero"), arg("rows"), arg("w")
	init, initStride, out := arg("init"), arg("initStride"), arg("out")
	keep, word, k := Load(Param("keep"), GP32()), GP32(), GP64()
	acc, tmp := tile(s, 1, row/s.bytes)[0], s.vec()
	Label("row")
	for v := range acc {
		VMOVUPS(at(init, v*s.bytes), acc[v])
	}
	MOVL(at(nonzero, 0), word)
	ANDL(keep, word)
	JZ(LabelRef("next"))
	Label("bit")
	TZCNTL(word, k.As32())
	VBROADCASTSS(Mem{Base: x, Index: k, Scale: 4}, tmp)
	SHLQ(Imm(7), k) // a row of w
	for v := range acc {
		VFMADD231PS(Mem{Base: w, Index: k, Scale: 1, Disp: v * s.bytes}, tmp, acc[v])
	}
	BLSRL(word, word)
	JNZ(LabelRef("bit"))
	Label("next")
	for v := range acc {
		VMOVUPS(acc[v], at(out, v*s.bytes))
	}
	ADDQ(Imm(4), nonzero)
	ADDQ(initStride, init)
	for _, p := range regs(x, out) {
		ADDQ(U32(row), p)
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
	finish()
}

// sparseOuter emits out += xᵀ·dy over 64 rows, of which each column's non-zeros are given as the bits of a word.
func sparseOuter(s isa) {
	s.text("sparseOuter", "x *float32, nonzero *uint64, dy *float32, columns int, out *float32")
	x, nonzero, dy, columns, out := arg("x"), arg("nonzero"), arg("dy"), arg("columns"), arg("out")
	word, k := GP64(), GP64()
	acc, tmp := tile(s, 1, row/s.bytes)[0], s.vec()
	Label("column")
	MOVQ(at(nonzero, 0), word)
	TESTQ(word, word)
	JZ(LabelRef("next"))
	for v := range acc {
		VMOVUPS(at(out, v*s.bytes), acc[v])
	}
	Label("bit")
	TZCNTQ(word, k)
	SHLQ(Imm(7), k) // a row of x and of dy
	VBROADCASTSS(Mem{Base: x, Index: k, Scale: 1}, tmp)
	for v := range acc {
		VFMADD231PS(Mem{Base: dy, Index: k, Scale: 1, Disp: v * s.bytes}, tmp, acc[v])
	}
	BLSRQ(word, word)
	JNZ(LabelRef("bit"))
	for v := range acc {
		VMOVUPS(acc[v], at(out, v*s.bytes))
	}
	Label("next")
	ADDQ(Imm(4), x)
	ADDQ(Imm(8), nonzero)
	ADDQ(U32(row), out)
	DECQ(columns)
	JNZ(LabelRef("column"))
	finish()
}

// sparseUpdate emits the gradient of each row of a block of weights, over any number of words of 64 rows, and the update with it. The
// division and the root of one row run along with the products of the next.
func sparseUpdate(s isa, r rule) {
	s.text(r.name+"Sparse", "x *float32, nonzero *uint64, words int, dy *float32, columns int, w, m, v *float32, consts *[8]float32")
	k := r.load(s, arg("consts"))
	x, nonzero, columns, w, m, v := arg("x"), arg("nonzero"), arg("columns"), arg("w"), arg("m"), arg("v")
	words, xp, np, dy, word, i := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	acc, tmp := tile(s, 1, row/s.bytes)[0], s.vec()
	Label("column")
	for v := range acc {
		s.clear(acc[v])
	}
	MOVQ(x, xp)
	MOVQ(nonzero, np)
	Load(Param("dy"), dy)
	Load(Param("words"), words)
	Label("word")
	MOVQ(at(np, 0), word)
	TESTQ(word, word)
	JZ(LabelRef("next"))
	Label("bit")
	TZCNTQ(word, i)
	SHLQ(Imm(7), i) // a row of x and of dy
	VBROADCASTSS(Mem{Base: xp, Index: i, Scale: 1}, tmp)
	for v := range acc {
		VFMADD231PS(Mem{Base: dy, Index: i, Scale: 1, Disp: v * s.bytes}, tmp, acc[v])
	}
	BLSRQ(word, word)
	JNZ(LabelRef("bit"))
	Label("next")
	for _, p := range regs(xp, dy) {
		ADDQ(U32(64*row), p)
	}
	ADDQ(U32(32*8), np)
	DECQ(words)
	JNZ(LabelRef("word"))
	for p := range acc {
		d := p * s.bytes
		r.apply(s, k, func() Op { return acc[p] }, at(w, d), at(m, d), at(v, d))
	}
	ADDQ(Imm(4), x)
	ADDQ(Imm(8), nonzero)
	for _, p := range regs(w, m, v) {
		ADDQ(U32(row), p)
	}
	DECQ(columns)
	JNZ(LabelRef("column"))
	finish()
}

// nonZeros emits the bits of which elements of a row are not 0, a word a panel, and their transposition for up to 64 rows of a
// panel, a multiple of 8. They need AVX2 only.
func nonZeros() {
	avx2.text("nonZeros", "x *float32, xPanel uintptr, panels int, bits *uint32, stride uintptr")
	x, xPanel, panels, bits, stride := arg("x"), arg("xPanel"), arg("panels"), arg("bits"), arg("stride")
	zero := avx2.zero()
	Label("panel")
	all, part := GP32(), GP32()
	for i := 3; i >= 0; i-- {
		v := YMM()
		VCMPPS(Imm(notEqual), at(x, 32*i), zero, v)
		if i == 3 {
			VMOVMSKPS(v, all)
			continue
		}
		VMOVMSKPS(v, part)
		SHLL(Imm(8), all)
		ORL(part, all)
	}
	MOVL(all, at(bits, 0))
	ADDQ(xPanel, x)
	ADDQ(stride, bits)
	DECQ(panels)
	JNZ(LabelRef("panel"))
	finish()

	avx2.text("transposeBits", "columns *uint64, rows *uint32, n int")
	dst, src, n := arg("columns"), arg("rows"), arg("n")
	Label("rows")
	v, eight := avx2.load(at(src, 0)), GP32()
	for i := 31; i >= 0; i-- {
		VMOVMSKPS(v, eight)
		MOVB(eight.As8(), at(dst, 8*i))
		VPADDD(v, v, v)
	}
	ADDQ(Imm(32), src)
	INCQ(dst)
	SUBQ(Imm(8), n)
	JNZ(LabelRef("rows"))
	finish()
}

// notEqual is true of NaN.
const notEqual = 0x04
