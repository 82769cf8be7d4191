package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// products emits the tiles of the matrix product: MR rows of out = init + x·w, 32 or 16 columns wide for AVX-512,
// 16 for AVX2 (which walks a panel in two halves).
func products(s isa) {
	if s.wide() {
		for mr := 1; mr <= 8; mr++ {
			product(s, fmt.Sprintf("product%dx", mr), mr, 2)
			product(s, fmt.Sprintf("productHalf%dx", mr), mr, 1)
		}
		return
	}
	for mr := 1; mr <= 6; mr++ {
		product(s, fmt.Sprintf("product%dx", mr), mr, 2)
	}
}

// product emits one tile. x is read at x + (k/32)*xPanel + r*row + (k%32)*4, w at w + k*row.
func product(s isa, name string, mr, nv int) {
	s.text(name, "x *float32, xPanel uintptr, k int, w, init *float32, initStride uintptr, out *float32")
	x, xPanel, k, w, out := arg("x"), arg("xPanel"), arg("k"), arg("w"), arg("out")
	init, initStride := arg("init"), arg("initStride")
	acc := tile(s, mr, nv)
	for r := range mr {
		for v := range nv {
			VMOVUPS(at(init, v*s.bytes), acc[r][v])
		}
		if r < mr-1 {
			ADDQ(initStride, init)
		}
	}
	wv := make([]Op, nv)
	for v := range wv {
		wv[v] = s.vec()
	}
	tmp := s.vec()
	step := func(xp Register, i int) {
		for v := range nv {
			VMOVUPS(at(w, i*row+v*s.bytes), wv[v])
		}
		for r := range mr {
			if nv == 1 && s.wide() {
				VFMADD231PS_BCST(at(xp, r*row+4*i), wv[0], acc[r][0])
				continue
			}
			VBROADCASTSS(at(xp, r*row+4*i), tmp)
			for v := range nv {
				VFMADD231PS(tmp, wv[v], acc[r][v])
			}
		}
	}
	panelLoop(x, xPanel, k, w, step)
	for r := range mr {
		for v := range nv {
			VMOVUPS(acc[r][v], at(out, r*row+v*s.bytes))
		}
	}
	finish()
}

func tile(s isa, mr, nv int) [][]Op {
	acc := make([][]Op, mr)
	for r := range acc {
		acc[r] = make([]Op, nv)
		for v := range acc[r] {
			acc[r][v] = s.vec()
		}
	}
	return acc
}

// panelLoop calls step for k = 0, 1, …: eight at a time, then one at a time, panel by panel of x.
func panelLoop(x, xPanel, k, w Register, step func(xp Register, i int)) {
	const unroll = 8
	left, xp := GP64(), GP64()
	Label("panel")
	MOVQ(U32(32), left)
	CMPQ(k, left)
	CMOVQLT(k, left)
	SUBQ(left, k)
	MOVQ(x, xp)
	ADDQ(xPanel, x)
	SUBQ(Imm(unroll), left)
	JLT(LabelRef("rest"))
	Label("many")
	for i := range unroll {
		step(xp, i)
	}
	ADDQ(Imm(4*unroll), xp)
	ADDQ(U32(unroll*row), w)
	SUBQ(Imm(unroll), left)
	JGE(LabelRef("many"))
	Label("rest")
	ADDQ(Imm(unroll), left)
	JZ(LabelRef("next"))
	Label("one")
	step(xp, 0)
	ADDQ(Imm(4), xp)
	ADDQ(U32(row), w)
	DECQ(left)
	JNZ(LabelRef("one"))
	Label("next")
	TESTQ(k, k)
	JNZ(LabelRef("panel"))
}

// gemvs emits the product of one row with 1, 2 or 4 panels of w at once: enough independent chains to hide the latency
// of FMA. Each output is summed in the order of product, so a sample gets the same bits alone as in a batch.
func gemvs(s isa) {
	for _, panels := range []int{1, 2, 4} {
		if panels == 4 && !s.wide() {
			continue
		}
		gemv(s, panels)
	}
}

func gemv(s isa, panels int) {
	s.text(fmt.Sprintf("gemv%dx", panels), "x *float32, xPanel uintptr, k int, w *float32, wPanel uintptr, init, out *float32, outPanel uintptr")
	x, xPanel, k, init, out, outPanel := arg("x"), arg("xPanel"), arg("k"), arg("init"), arg("out"), arg("outPanel")
	w, wPanel := []Register{arg("w")}, arg("wPanel")
	for i := 1; i < panels; i++ {
		w = append(w, GP64())
		LEAQ(Mem{Base: w[i-1], Index: wPanel, Scale: 1}, w[i])
	}
	nv := row / s.bytes
	acc := tile(s, panels, nv)
	for p := range panels {
		for v := range nv {
			VMOVUPS(at(init, p*row+v*s.bytes), acc[p][v])
		}
	}
	tmp := s.vec()
	// The first panel's pointer is advanced by panelLoop, the others here, after their last use in an iteration.
	for i := panels - 1; i > 0; i-- {
		SUBQ(w[0], w[i]) // distances from the first panel
	}
	panelLoop(x, xPanel, k, w[0], func(xp Register, i int) {
		VBROADCASTSS(at(xp, 4*i), tmp)
		for p := range panels {
			for v := range nv {
				m := at(w[0], i*row+v*s.bytes)
				if p > 0 {
					m.Index, m.Scale = w[p], 1
				}
				VFMADD231PS(m, tmp, acc[p][v])
			}
		}
	})
	for p := range panels {
		for v := range nv {
			VMOVUPS(acc[p][v], at(out, v*s.bytes))
		}
		ADDQ(outPanel, out)
	}
	finish()
}

// outers emits the tiles of the weight gradient: MR rows of out = xᵀ·dy, summed over the batch in order.
func outers(s isa) {
	if s.wide() {
		for mr := 1; mr <= 8; mr++ {
			outer(s, fmt.Sprintf("outer%dx", mr), mr, 2, nil)
			outer(s, fmt.Sprintf("outerHalf%dx", mr), mr, 1, nil)
		}
		for _, r := range rules {
			outer(s, r.name+"Outer", 8, 2, &r)
		}
		return
	}
	for mr := 1; mr <= 6; mr++ {
		outer(s, fmt.Sprintf("outer%dx", mr), mr, 2, nil)
	}
}

// outer emits a loop over tiles, one below the other: x is read at x + b*row + i*4, dy at dy + b*row. With a rule, a tile is
// not stored: while it is in registers, weights are updated with it.
func outer(s isa, name string, mr, nv int, r *rule) {
	const inputs = "x, dy *float32, rows int, tiles int, "
	var out, w, m, v Register
	var k []Op
	if r == nil {
		s.text(name, inputs+"out *float32")
		out = arg("out")
	} else {
		s.text(name, inputs+"w, m, v *float32, consts *[8]float32")
		w, m, v = arg("w"), arg("m"), arg("v")
		k = r.load(s, arg("consts"))
	}
	x0, dy0, rows0, tiles := arg("x"), arg("dy"), arg("rows"), arg("tiles")
	x, dy, rows := GP64(), GP64(), GP64()
	acc := tile(s, mr, nv)
	Label("tile")
	MOVQ(x0, x)
	MOVQ(dy0, dy)
	MOVQ(rows0, rows)
	for r := range mr {
		for v := range nv {
			s.clear(acc[r][v])
		}
	}
	outerRows(s, x, dy, rows, acc)
	for i := range mr {
		for j := range nv {
			d := i*row + j*s.bytes
			if r == nil {
				VMOVUPS(acc[i][j], at(out, d))
			} else {
				r.apply(s, k, func() Op { return acc[i][j] }, at(w, d), at(m, d), at(v, d))
			}
		}
	}
	ADDQ(Imm(uint64(4*mr)), x0)
	for _, p := range regs(out, w, m, v) {
		if p != nil {
			ADDQ(U32(uint32(mr*row)), p)
		}
	}
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	finish()
}

// outerRows adds the rows' products to a tile, four rows at a time, then one at a time.
func outerRows(s isa, x, dy, rows Register, acc [][]Op) {
	nv := len(acc[0])
	dv := make([]Op, nv)
	for v := range dv {
		dv[v] = s.vec()
	}
	tmp := s.vec()
	step := func(u int) {
		for v := range nv {
			VMOVUPS(at(dy, u*row+v*s.bytes), dv[v])
		}
		for r := range acc {
			if nv == 1 && s.wide() {
				VFMADD231PS_BCST(at(x, u*row+4*r), dv[0], acc[r][0])
				continue
			}
			VBROADCASTSS(at(x, u*row+4*r), tmp)
			for v := range nv {
				VFMADD231PS(tmp, dv[v], acc[r][v])
			}
		}
	}
	const unroll = 4
	SUBQ(Imm(unroll), rows)
	JLT(LabelRef("rest"))
	Label("many")
	for u := range unroll {
		step(u)
	}
	ADDQ(U32(unroll*row), x)
	ADDQ(U32(unroll*row), dy)
	SUBQ(Imm(unroll), rows)
	JGE(LabelRef("many"))
	Label("rest")
	ADDQ(Imm(unroll), rows)
	JZ(LabelRef("done"))
	Label("one")
	step(0)
	ADDQ(U32(row), x)
	ADDQ(U32(row), dy)
	DECQ(rows)
	JNZ(LabelRef("one"))
	Label("done")
}
