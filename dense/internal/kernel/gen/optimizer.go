package main

import (
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// rule is an optimizer's update of one vector: of a weight w, its gradient g and the rule's slots, with the factors k in the
// order of the stub's comment. Divide and square root are exact, so that every instruction set gives the same bits.
type rule struct {
	name    string
	factors int
	body    func(s isa, k []Op, w, g, m, v get, setW, setM, setV set)
}

type (
	get = func() Op
	set = func(Op)
)

// optimizers emits the rules in one pass over n float32 (a multiple of 16).
func optimizers(s isa) {
	for _, r := range rules {
		s.text(r.name, "w, grad, m, v *float32, n int, consts *[8]float32")
		w, g, m, v, n := arg("w"), arg("grad"), arg("m"), arg("v"), arg("n")
		k := r.load(s, arg("consts"))
		s.loop(n, regs(w, g, m, v), func(d int) {
			r.apply(s, k, func() Op { return s.load(at(g, d)) }, at(w, d), at(m, d), at(v, d))
		})
	}
}

// load broadcasts the factors.
func (r rule) load(s isa, consts Register) []Op {
	var k []Op
	for i := range r.factors {
		k = append(k, s.vec())
		broadcast(at(consts, 4*i), k[i])
	}
	return k
}

// apply updates the vector at w with slots at m and v.
func (r rule) apply(s isa, k []Op, g get, w, m, v Mem) {
	in := func(p Mem) get { return func() Op { return s.load(p) } }
	out := func(p Mem) set { return func(x Op) { s.store(x, p) } }
	r.body(s, k, in(w), g, in(m), in(v), out(w), out(m), out(v))
}

var rules = []rule{
	// w -= rate*g
	{"sgd", 1, func(s isa, k []Op, w, g, m, v get, setW, setM, setV set) {
		setW(s.fnma(k[0], g(), w()))
	}},
	// m = m*momentum - rate*g; w += m
	{"momentum", 2, func(s isa, k []Op, w, g, m, v get, setW, setM, setV set) {
		x := s.fnma(k[0], g(), s.mul(m(), k[1]))
		setM(x)
		setW(s.add(w(), x))
	}},
	// m = m*momentum - rate*g; w += m*momentum - rate*g
	{"nesterov", 2, func(s isa, k []Op, w, g, m, v get, setW, setM, setV set) {
		step := s.mul(k[0], g())
		x := s.sub(s.mul(m(), k[1]), step)
		setM(x)
		setW(s.add(w(), s.sub(s.mul(x, k[1]), step)))
	}},
	// v = rho*v + (1-rho)*g²; w -= rate*g/sqrt(v+epsilon)
	{"rmsprop", 4, func(s isa, k []Op, w, g, m, v get, setW, setM, setV set) {
		x := g()
		acc := s.fma(s.mul(x, x), k[2], s.mul(v(), k[1]))
		setV(acc)
		setW(s.sub(w(), s.div(s.mul(k[0], x), s.sqrt(s.add(acc, k[3])))))
	}},
	// v += g²; w -= rate*g/sqrt(v+epsilon)
	{"adagrad", 2, func(s isa, k []Op, w, g, m, v get, setW, setM, setV set) {
		x := g()
		acc := s.fma(x, x, v())
		setV(acc)
		setW(s.sub(w(), s.div(s.mul(k[0], x), s.sqrt(s.add(acc, k[1])))))
	}},
	// m += (g-m)*(1-beta1); v += (g²-v)*(1-beta2); w = w*decay - alpha*m/(sqrt(v)+epsilon)
	{"adam", 5, func(s isa, k []Op, w, g, m, v get, setW, setM, setV set) {
		x, a, b := g(), m(), v()
		a = s.fma(s.sub(x, a), k[1], a)
		setM(a)
		b = s.fma(s.sub(s.mul(x, x), b), k[2], b)
		setV(b)
		step := s.div(s.mul(k[0], a), s.add(s.sqrt(b), k[3]))
		setW(s.sub(s.mul(w(), k[4]), step))
	}},
}
