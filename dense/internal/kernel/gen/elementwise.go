package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func regs(r ...Register) []Register { return r }

// elementwise emits the small loops over n float32 (a multiple of 16).
func elementwise(s isa) {
	// dst = src*a + b
	s.text("scale", "dst, src *float32, n int, a, b float32")
	dst, src, n, a, b := arg("dst"), arg("src"), arg("n"), s.scalar("a"), s.scalar("b")
	s.loop(n, regs(dst, src), func(d int) { s.store(s.fma(s.load(at(src, d)), a, b), at(dst, d)) })

	// dst += src
	s.text("add", "dst, src *float32, n int")
	dst, src, n = arg("dst"), arg("src"), arg("n")
	s.loop(n, regs(dst, src), func(d int) { s.store(s.add(s.load(at(src, d)), at(dst, d)), at(dst, d)) })

	// g += l1*sign(w) + l2*w
	s.text("regularize", "grad, w *float32, n int, l1, l2 float32")
	g, w, n, a, b := arg("grad"), arg("w"), arg("n"), s.scalar("l1"), s.scalar("l2")
	s.loop(n, regs(g, w), func(d int) {
		x := s.load(at(w, d))
		v := s.fma(b, x, at(g, d))
		sign := s.or(s.and(x, bits(0x80000000)), a)
		s.store(s.add(v, s.keepNonzero(x, sign)), at(g, d))
	})

	// g = min(max(g, -limit), limit)
	s.text("clip", "grad *float32, n int, limit float32")
	g, n, a = arg("grad"), arg("n"), s.scalar("limit")
	low := s.negate(a)
	s.loop(n, regs(g), func(d int) { s.store(s.min(a, s.max(low, s.load(at(g, d)))), at(g, d)) })

	dropout(s)
}

// keepNonzero returns v where x is not zero.
func (s isa) keepNonzero(x, v Op) Op { return s.keepIf(s.abs(x), gt, s.zero(), v) }

// dropout emits dst = src*scale where hash(key + index) >= threshold, else 0. The hash is the 32-bit finalizer
// "lowbias32" of C. Wellons; index counts on from start.
func dropout(s isa) {
	s.text("dropout", "dst, src *float32, n int, key, start, threshold uint32, scale float32")
	dst, src, n, scale := arg("dst"), arg("src"), arg("n"), s.scalar("scale")
	word := func(name string) Op {
		x, v := XMM(), s.vec()
		VMOVD(Load(Param(name), GP32()), x)
		VPBROADCASTD(x, v)
		return v
	}
	key, index, threshold := word("key"), word("start"), word("threshold")
	VPADDD(lanes(), index, index)
	s.loop(n, regs(dst, src), func(d int) {
		var h Op = s.vec()
		VPADDD(key, index, h)
		VPADDD(bits(uint32(s.bytes/4)), index, index)
		t := s.vec()
		for _, m := range []struct {
			shift  uint64
			factor uint32
		}{{16, 0x21f0aaad}, {15, 0x735a2d97}} {
			VPSRLD(Imm(m.shift), h, t)
			h = s.xor(h, t)
			VPMULLD(bits(m.factor), h, h)
		}
		VPSRLD(Imm(15), h, t)
		h = s.xor(h, t)
		v := s.mul(s.load(at(src, d)), scale)
		// keep where max(h, threshold) == h, unsigned
		VPMAXUD(threshold, h, t)
		if s.wide() {
			k := K()
			VPCMPEQD(t, h, k)
			VMOVAPS_Z(v, k, v)
		} else {
			VPCMPEQD(t, h, t)
			VANDPS(t, v, v)
		}
		s.store(v, at(dst, d))
	})
}

var laneNumbers *Mem

// lanes is 0, 1, 2 … 15 as integers.
func lanes() Mem {
	if laneNumbers == nil {
		m := GLOBL("lanes", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(uint32(i)))
		}
		laneNumbers = &m
	}
	return *laneNumbers
}

// columns emits the loops down the rows of one panel, 32 columns at a time.
func columns(s isa) {
	nv := row / s.bytes
	tileOf := func() []Op { return tile(s, 1, nv)[0] }
	walk := func(rows Register, pointers []Register, body func(v, disp int)) {
		Label("row")
		for v := range nv {
			body(v, v*s.bytes)
		}
		for _, p := range pointers {
			ADDQ(U32(row), p)
		}
		DECQ(rows)
		JNZ(LabelRef("row"))
	}
	sums := func(name, signature string, pointers []string, body func(p []Register, acc Op, disp int)) {
		s.text(name, signature)
		var p []Register
		for _, n := range pointers {
			p = append(p, arg(n))
		}
		rows, out := arg("rows"), arg("out")
		acc := tileOf()
		for _, a := range acc {
			s.clear(a)
		}
		walk(rows, p, func(v, d int) { body(p, acc[v], d) })
		for v := range nv {
			s.store(acc[v], at(out, v*s.bytes))
		}
		finish()
	}
	// out[c] = sum over rows of x[r][c]
	sums("columnSum", "x *float32, rows int, out *float32", []string{"x"}, func(p []Register, acc Op, d int) {
		VADDPS(at(p[0], d), acc, acc)
	})
	// out[c] = sum over rows of |x[r][c]|
	sums("columnAbsolute", "x *float32, rows int, out *float32", []string{"x"}, func(p []Register, acc Op, d int) {
		VADDPS(s.abs(s.load(at(p[0], d))), acc, acc)
	})
	// out[c] = sum over rows of x[r][c]*y[r][c]
	sums("columnDot", "x, y *float32, rows int, out *float32", []string{"x", "y"}, func(p []Register, acc Op, d int) {
		VFMADD231PS(at(p[1], d), s.load(at(p[0], d)), acc)
	})

	// out[c] = sum over rows of (x[r][c]-mean[c])²
	s.text("columnSquares", "x *float32, rows int, mean, out *float32")
	x, rows, mean, out := arg("x"), arg("rows"), arg("mean"), arg("out")
	acc, mv := tileOf(), tileOf()
	for v := range nv {
		s.clear(acc[v])
		VMOVUPS(at(mean, v*s.bytes), mv[v])
	}
	walk(rows, regs(x), func(v, d int) {
		t := s.sub(s.load(at(x, d)), mv[v])
		VFMADD231PS(t, t, acc[v])
	})
	for v := range nv {
		s.store(acc[v], at(out, v*s.bytes))
	}
	finish()

	// dst[r][c] = (src[r][c]-shift[c])*a[c] + b[c]
	s.text("columnAffine", "dst, src *float32, rows int, shift, a, b *float32")
	dst, src, rows, shift, a, b := arg("dst"), arg("src"), arg("rows"), arg("shift"), arg("a"), arg("b")
	walk(rows, regs(dst, src), func(v, d int) {
		t := s.sub(s.load(at(src, d)), at(shift, d))
		s.store(s.fma(t, s.load(at(a, d)), at(b, d)), at(dst, d))
	})
	finish()

	// dx[r][c] = (dy[r][c] - c1[c] - xhat[r][c]*c2[c]) * a[c]
	s.text("normGrad", "dx, dy, xhat *float32, rows int, c1, c2, a *float32")
	dx, dy, xhat, rows := arg("dx"), arg("dy"), arg("xhat"), arg("rows")
	c1, c2, a := arg("c1"), arg("c2"), arg("a")
	walk(rows, regs(dx, dy, xhat), func(v, d int) {
		t := s.sub(s.load(at(dy, d)), at(c1, d))
		t = s.fnma(s.load(at(xhat, d)), s.load(at(c2, d)), t)
		s.store(s.mul(t, at(a, d)), at(dx, d))
	})
	finish()
}

// reduce folds a vector with op (VADDPS or VMAXPS) and returns the result in every lane.
func (s isa) reduce(v Op, op func(a, b Op) Op) Op {
	t := s.vec()
	if s.wide() {
		VSHUFF32X4(Imm(0x4e), v, v, t)
		v = op(v, t)
		t = s.vec()
		VSHUFF32X4(Imm(0xb1), v, v, t)
		v = op(v, t)
	} else {
		VPERM2F128(Imm(1), v, v, t)
		v = op(v, t)
	}
	for _, shuffle := range []uint64{0x4e, 0xb1} {
		t = s.vec()
		VSHUFPS(Imm(shuffle), v, v, t)
		v = op(v, t)
	}
	return v
}

// rows emits softmax over rows that run through several panels: mask (32 float32) is added to the last panel and is 0
// for real columns, -1e30 for padding. top and sum receive each row's maximum and its sum of exponentials.
func rows(s isa) {
	s.text("softmax", "dst, src *float32, rows int, panel uintptr, panels int, mask, top, sum *float32")
	dst, src, count, panel, panels := arg("dst"), arg("src"), arg("rows"), arg("panel"), arg("panels")
	mask, top, sum := arg("mask"), arg("top"), arg("sum")
	p, q, left := GP64(), GP64(), GP64()
	each := func(label string, body func(d int, last bool)) {
		MOVQ(src, p)
		MOVQ(dst, q)
		MOVQ(panels, left)
		DECQ(left)
		JZ(LabelRef(label + "last"))
		Label(label)
		for d := 0; d < row; d += s.bytes {
			body(d, false)
		}
		ADDQ(panel, p)
		ADDQ(panel, q)
		DECQ(left)
		JNZ(LabelRef(label))
		Label(label + "last")
		for d := 0; d < row; d += s.bytes {
			body(d, true)
		}
	}
	value := func(d int, last bool) Op {
		v := s.load(at(p, d))
		if last {
			v = s.add(v, at(mask, d))
		}
		return v
	}
	Label("row")
	m := s.load(c(-3.0e38))
	each("max", func(d int, last bool) { VMAXPS(value(d, last), m, m) })
	m = s.reduce(m, s.max)
	total := s.zero()
	each("exp", func(d int, last bool) {
		e := s.exp(s.sub(value(d, last), m))
		VADDPS(e, total, total)
		s.store(e, at(q, d))
	})
	total = s.reduce(total, s.add)
	inverse := s.div(s.load(c(1)), total)
	each("scale", func(d int, last bool) {
		v := s.mul(inverse, at(q, d))
		s.store(v, at(q, d))
	})
	nextRow(m, total, top, sum, src, dst, count)
}

// halfRows emits softmax over rows of at most 16 columns in one panel: a row stays in registers. The other 16 columns are set
// to zero.
func halfRows(s isa) {
	s.text("softmaxHalf", "dst, src *float32, rows int, mask, top, sum *float32")
	dst, src, count, mask, top, sum := arg("dst"), arg("src"), arg("rows"), arg("mask"), arg("top"), arg("sum")
	const half = row / 2
	masks := map[int]Op{}
	for d := 0; d < half; d += s.bytes {
		masks[d] = s.load(at(mask, d))
	}
	zero, one := s.zero(), s.load(c(1))
	Label("row")
	var z []Op
	for d := 0; d < half; d += s.bytes {
		z = append(z, s.add(masks[d], at(src, d)))
	}
	m := z[0]
	for _, v := range z[1:] {
		m = s.max(m, v)
	}
	m = s.reduce(m, s.max)
	var total Op
	for i := range z {
		z[i] = s.exp(s.sub(z[i], m))
		if total == nil {
			total = z[i]
		} else {
			total = s.add(total, z[i])
		}
	}
	total = s.reduce(total, s.add)
	inverse := s.div(one, total)
	for i, v := range z {
		s.store(s.mul(v, inverse), at(dst, i*s.bytes))
		s.store(zero, at(dst, half+i*s.bytes))
	}
	nextRow(m, total, top, sum, src, dst, count)
}

// nextRow stores what softmax found in a row and goes on with the next.
func nextRow(m, total Op, top, sum, src, dst, count Register) {
	VMOVSS(low(m), at(top, 0))
	VMOVSS(low(total), at(sum, 0))
	ADDQ(Imm(4), top)
	ADDQ(Imm(4), sum)
	ADDQ(U32(row), src)
	ADDQ(U32(row), dst)
	DECQ(count)
	JNZ(LabelRef("row"))
	finish()
}

// low is the first 128 bits of a vector register.
func low(v Op) Op { return v.(VecVirtual).AsX() }
