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
			outer(s, fmt.Sprintf("outer%dx", mr), mr, 2)
			outer(s, fmt.Sprintf("outerHalf%dx", mr), mr, 1)
		}
		for _, r := range rules {
			outerUpdate(s, r, r.name+"Outer", 2)
			outerUpdate(s, r, r.name+"OuterHalf", 1)
		}
		return
	}
	for mr := 1; mr <= 6; mr++ {
		outer(s, fmt.Sprintf("outer%dx", mr), mr, 2)
	}
}

// outer emits a loop over tiles, one below the other: x is read at x + b*row + i*4, dy at dy + b*row.
func outer(s isa, name string, mr, nv int) {
	s.text(name, "x, dy *float32, rows, tiles int, out *float32")
	x0, dy0, rows0, tiles, out := arg("x"), arg("dy"), arg("rows"), arg("tiles"), arg("out")
	o := newOuterTile(s, mr, nv)
	Label("tile")
	MOVQ(x0, o.x)
	MOVQ(dy0, o.dy)
	MOVQ(rows0, o.rows)
	o.clear()
	SUBQ(Imm(unroll), o.rows)
	JLT(LabelRef("rest"))
	Label("many")
	o.four(func(int) {})
	JGE(LabelRef("many"))
	Label("rest")
	o.rest()
	o.store(out)
	ADDQ(Imm(uint64(4*mr)), x0)
	ADDQ(U32(uint32(mr*row)), out)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	finish()
}

// outerUpdate emits a loop over tiles of 8 by 32 or 16 that also updates the weights. Dividing and taking roots have a unit of their
// own, so a tile's update runs along with the products of the next: the gradient waits in grad, [8][32], and two vectors are
// updated with every four rows of the batch. x continues in the next panel, xPanel further, after every four tiles.
func outerUpdate(s isa, r rule, name string, nv int) {
	const mr, size, perPanel = 8, 8 * row, 4
	vector := row / nv // the distance of vectors
	s.text(name, "x *float32, xPanel uintptr, dy *float32, rows, tiles int, w, m, v, grad *float32, consts *[8]float32")
	k := r.load(s, arg("consts"))
	x0, tiles, g := arg("x"), arg("tiles"), arg("grad")
	w, m, v := arg("w"), arg("m"), arg("v")
	for _, p := range regs(w, m, v) { // they follow one tile behind
		SUBQ(U32(size), p)
	}
	done, count := GP64(), GP64() // done is how far the update of the tile before has come
	MOVQ(U32(size), done)
	MOVQ(U32(perPanel), count)
	o := newOuterTile(s, mr, nv)
	update := func(d int) {
		place := func(base Register) Mem { return Mem{Base: base, Index: done, Scale: 1, Disp: d} }
		r.apply(s, k, func() Op { return s.load(place(g)) }, place(w), place(m), place(v))
	}
	drain := func(label string) {
		CMPQ(done, U32(size))
		JGE(LabelRef(label + "done"))
		Label(label)
		update(0)
		ADDQ(U32(uint32(vector)), done)
		CMPQ(done, U32(size))
		JLT(LabelRef(label))
		Label(label + "done")
	}
	Label("tile")
	MOVQ(x0, o.x)
	Load(Param("dy"), o.dy)
	Load(Param("rows"), o.rows)
	o.clear()
	SUBQ(Imm(unroll), o.rows)
	JLT(LabelRef("rest"))
	CMPQ(done, U32(size))
	JGE(LabelRef("plain"))
	Label("both")
	o.four(func(u int) {
		if u%2 == 0 {
			update(u / 2 * vector)
		}
	})
	LEAQ(Mem{Base: done, Disp: 2 * vector}, done)
	JLT(LabelRef("rest"))
	CMPQ(done, U32(size))
	JLT(LabelRef("both"))
	Label("plain")
	o.four(func(int) {})
	JGE(LabelRef("plain"))
	Label("rest")
	o.rest()
	drain("drain")
	o.store(g)
	for _, p := range regs(w, m, v) {
		ADDQ(U32(size), p)
	}
	XORQ(done, done)
	ADDQ(Imm(4*mr), x0)
	DECQ(count)
	JNZ(LabelRef("same"))
	MOVQ(U32(perPanel), count)
	SUBQ(Imm(row), x0)
	Load(Param("xPanel"), o.x)
	ADDQ(o.x, x0)
	Label("same")
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	drain("last")
	finish()
}

// unroll is how many rows of the batch an iteration of outerTile.four takes.
const unroll = 4

// outerTile is a tile in registers, and what its rows are read with.
type outerTile struct {
	s           isa
	x, dy, rows Register
	acc         [][]Op
	dv          []Op
	tmp         Op
}

func newOuterTile(s isa, mr, nv int) outerTile {
	return outerTile{s, GP64(), GP64(), GP64(), tile(s, mr, nv), tile(s, 1, nv)[0], s.vec()}
}

func (o outerTile) clear() {
	for r := range o.acc {
		for v := range o.acc[r] {
			o.s.clear(o.acc[r][v])
		}
	}
}

// step adds the products of row u.
func (o outerTile) step(u int) {
	for v := range o.dv {
		VMOVUPS(at(o.dy, u*row+v*o.s.bytes), o.dv[v])
	}
	for r := range o.acc {
		if len(o.dv) == 1 && o.s.wide() {
			VFMADD231PS_BCST(at(o.x, u*row+4*r), o.dv[0], o.acc[r][0])
			continue
		}
		VBROADCASTSS(at(o.x, u*row+4*r), o.tmp)
		for v := range o.dv {
			VFMADD231PS(o.tmp, o.dv[v], o.acc[r][v])
		}
	}
}

// four adds four rows, with something else after each, and leaves the flags of what rows are left less four.
func (o outerTile) four(between func(u int)) {
	for u := range unroll {
		o.step(u)
		between(u)
	}
	ADDQ(U32(unroll*row), o.x)
	ADDQ(U32(unroll*row), o.dy)
	SUBQ(Imm(unroll), o.rows)
}

// rest adds the last rows, of which there are fewer than four.
func (o outerTile) rest() {
	ADDQ(Imm(unroll), o.rows)
	JZ(LabelRef("done"))
	Label("one")
	o.step(0)
	ADDQ(U32(row), o.x)
	ADDQ(U32(row), o.dy)
	DECQ(o.rows)
	JNZ(LabelRef("one"))
	Label("done")
}

func (o outerTile) store(out Register) {
	for r := range o.acc {
		for v := range o.acc[r] {
			VMOVUPS(o.acc[r][v], at(out, r*row+v*o.s.bytes))
		}
	}
}
