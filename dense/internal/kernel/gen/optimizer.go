package main

import (
	. "github.com/mmcloughlin/avo/operand"
)

// optimizers emits the update rules in one pass over n float32 (a multiple of 16) of a weight w, its gradient g and the
// rule's slots. consts holds the rule's factors in the order of the stub's comment. Divide and square root are exact,
// so that every instruction set gives the same bits.
func optimizers(s isa) {
	const signature = "w, grad, m, v *float32, n int, consts *[8]float32"
	rule := func(name string, factors int, body func(k []Op, w, g, m, v func() Op, setW, setM, setV func(Op))) {
		s.text(name, signature)
		w, g, m, v, n := arg("w"), arg("grad"), arg("m"), arg("v"), arg("n")
		consts := arg("consts")
		var k []Op
		for i := range factors {
			k = append(k, s.vec())
			broadcast(at(consts, 4*i), k[i])
		}
		s.loop(n, regs(w, g, m, v), func(d int) {
			in := func(p Mem) func() Op { return func() Op { return s.load(p) } }
			out := func(p Mem) func(Op) { return func(x Op) { s.store(x, p) } }
			body(k, in(at(w, d)), in(at(g, d)), in(at(m, d)), in(at(v, d)), out(at(w, d)), out(at(m, d)), out(at(v, d)))
		})
	}
	type get = func() Op
	type set = func(Op)

	// w -= rate*g
	rule("sgd", 1, func(k []Op, w, g, m, v get, setW, setM, setV set) {
		setW(s.fnma(k[0], g(), w()))
	})
	// m = m*momentum - rate*g; w += m
	rule("momentum", 2, func(k []Op, w, g, m, v get, setW, setM, setV set) {
		x := s.fnma(k[0], g(), s.mul(m(), k[1]))
		setM(x)
		setW(s.add(w(), x))
	})
	// m = m*momentum - rate*g; w += m*momentum - rate*g
	rule("nesterov", 2, func(k []Op, w, g, m, v get, setW, setM, setV set) {
		step := s.mul(k[0], g())
		x := s.sub(s.mul(m(), k[1]), step)
		setM(x)
		setW(s.add(w(), s.sub(s.mul(x, k[1]), step)))
	})
	// v = rho*v + (1-rho)*g²; w -= rate*g/sqrt(v+epsilon)
	rule("rmsprop", 4, func(k []Op, w, g, m, v get, setW, setM, setV set) {
		x := g()
		acc := s.fma(s.mul(x, x), k[2], s.mul(v(), k[1]))
		setV(acc)
		setW(s.sub(w(), s.div(s.mul(k[0], x), s.sqrt(s.add(acc, k[3])))))
	})
	// v += g²; w -= rate*g/sqrt(v+epsilon)
	rule("adagrad", 2, func(k []Op, w, g, m, v get, setW, setM, setV set) {
		x := g()
		acc := s.fma(x, x, v())
		setV(acc)
		setW(s.sub(w(), s.div(s.mul(k[0], x), s.sqrt(s.add(acc, k[1])))))
	})
	// m += (g-m)*(1-beta1); v += (g²-v)*(1-beta2); w = w*decay - alpha*m/(sqrt(v)+epsilon)
	rule("adam", 5, func(k []Op, w, g, m, v get, setW, setM, setV set) {
		x, a, b := g(), m(), v()
		a = s.fma(s.sub(x, a), k[1], a)
		setM(a)
		b = s.fma(s.sub(s.mul(x, x), b), k[2], b)
		setV(b)
		step := s.div(s.mul(k[0], a), s.add(s.sqrt(b), k[3]))
		setW(s.sub(s.mul(w(), k[4]), step))
	})
}
