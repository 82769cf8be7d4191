package dense

import (
	"math"

	"github.com/cambium-go/cambium/dense/internal/kernel"
)

// vectors is a node's learned scale and shift with their gradients of the present batch.
type vectors struct {
	gamma, beta *parameter // either may be nil
	scale       []float32  // gamma, or ones
	shift       []float32  // beta, or zeros
}

func newVectors(gamma, beta *parameter, columns int) vectors {
	v := vectors{gamma: gamma, beta: beta}
	n := kernel.Panels(columns) * kernel.Width
	if gamma != nil {
		v.scale = gamma.value
	} else {
		v.scale = alignedFloats(n)
		for i := range columns {
			v.scale[i] = 1
		}
	}
	if beta != nil {
		v.shift = beta.value
	} else {
		v.shift = alignedFloats(n)
	}
	return v
}

// batchNormNode normalizes each column over the batch (Ioffe and Szegedy 2015), as keras.layers.BatchNormalization.
type batchNormNode struct {
	vectors
	mean, variance    *parameter // moving statistics
	momentum, epsilon float32
	frozen            bool // uses moving statistics in training too, as Keras does where trainable is false
}

// batchNormState is one batch's statistics, panel by panel.
type batchNormState struct {
	normalized         matrix // (x-mean)/σ
	mean, inverse      []float32
	gammaGrad, betaGrd []float32
	c1, c2, a          []float32
}

func (n *batchNormNode) reach() reach {
	if n.frozen {
		return reachBlock
	}
	return reachColumns
}
func (n *batchNormNode) columns(in int) int { return in }
func (n *batchNormNode) keepsInput() bool   { return false }
func (n *batchNormNode) keepsOutput() bool  { return false }
func (n *batchNormNode) inPlace() bool      { return true }

func (n *batchNormNode) allocate(t *tape, rows int) {
	size := t.out.panels() * kernel.Width
	s := &batchNormState{normalized: newMatrix(rows, t.out.columns)}
	for _, v := range []*[]float32{&s.mean, &s.inverse, &s.gammaGrad, &s.betaGrd, &s.c1, &s.c2, &s.a} {
		*v = alignedFloats(size)
	}
	t.state = s
}

// infer uses the moving statistics: y = (x-mean)·γ/√(variance+ε) + β.
func (n *batchNormNode) infer(in, out matrix, b block, s *scratch) {
	for p := b.p0; p < b.p1; p++ {
		at := p * kernel.Width
		a := s.tile[:kernel.Width]
		for c := range a {
			a[c] = n.scale[at+c] * inverseRoot(n.variance.value[at+c]+n.epsilon)
		}
		kernel.ColumnAffine(out.rows(p, b), in.rows(p, b), b.count(), n.mean.value[at:], a, n.shift[at:])
	}
}

func inverseRoot(v float32) float32 { return float32(1 / math.Sqrt(float64(v))) }

// train uses the batch's statistics and moves the moving ones: moving = moving·momentum + batch·(1-momentum).
func (n *batchNormNode) train(t *tape, b block, s *scratch) {
	if n.frozen {
		n.infer(t.in, t.out, b, s)
		return
	}
	state, rows := t.state.(*batchNormState), float32(b.count())
	for p := b.p0; p < b.p1; p++ {
		at, x, hat := p*kernel.Width, t.in.from(p, b.first), state.normalized.from(p, b.first)
		mean, inverse, variance := state.mean[at:][:kernel.Width], state.inverse[at:][:kernel.Width], s.tile[:kernel.Width]
		kernel.ColumnSum(x, b.count(), mean)
		kernel.Scale(mean, mean, 1/rows, 0)
		kernel.ColumnSquares(x, b.count(), mean, variance)
		kernel.Scale(variance, variance, 1/rows, 0)
		for c, v := range variance {
			inverse[c] = inverseRoot(v + n.epsilon)
			if at+c < n.mean.columns {
				n.mean.value[at+c] = n.mean.value[at+c]*n.momentum + mean[c]*(1-n.momentum)
				n.variance.value[at+c] = n.variance.value[at+c]*n.momentum + v*(1-n.momentum)
			}
		}
		kernel.ColumnAffine(hat, x, b.count(), mean, inverse, zeros[:])
		kernel.ColumnAffine(t.out.from(p, b.first), hat, b.count(), zeros[:], n.scale[at:], n.shift[at:])
	}
}

// backward: dx = γ/σ · (dy - mean(dy) - x̂·mean(dy·x̂)).
func (n *batchNormNode) backward(t *tape, b block, _ *scratch) {
	state, rows := t.state.(*batchNormState), float32(b.count())
	for p := b.p0; p < b.p1; p++ {
		at := p * kernel.Width
		dy, dx := t.dOut.from(p, b.first), t.dIn.from(p, b.first)
		a := state.a[at:][:kernel.Width]
		if n.frozen {
			for c := range a {
				a[c] = n.scale[at+c] * inverseRoot(n.variance.value[at+c]+n.epsilon)
			}
			kernel.ColumnAffine(dx, dy, b.count(), zeros[:], a, zeros[:])
			continue
		}
		hat := state.normalized.from(p, b.first)
		kernel.ColumnDot(dy, hat, b.count(), state.gammaGrad[at:])
		kernel.ColumnSum(dy, b.count(), state.betaGrd[at:])
		for c := range a {
			a[c] = n.scale[at+c] * state.inverse[at+c]
			state.c1[at+c] = state.betaGrd[at+c] / rows
			state.c2[at+c] = state.gammaGrad[at+c] / rows
		}
		kernel.NormGrad(dx, dy, hat, b.count(), state.c1[at:], state.c2[at:], a)
	}
}

func (n *batchNormNode) vectorGradient(t *tape, p *parameter, panel int, g []float32) {
	state := t.state.(*batchNormState)
	if p == n.gamma {
		copy(g, state.gammaGrad[panel*kernel.Width:][:kernel.Width])
	} else {
		copy(g, state.betaGrd[panel*kernel.Width:][:kernel.Width])
	}
}

// layerNormNode normalizes each row (Ba et al. 2016), as keras.layers.LayerNormalization over the last axis.
type layerNormNode struct {
	rowwise
	vectors
	epsilon float32
}

type layerNormState struct {
	normalized matrix
	inverse    []float32 // a row
}

func (n *layerNormNode) allocate(t *tape, rows int) {
	t.state = &layerNormState{normalized: newMatrix(rows, t.out.columns), inverse: make([]float32, rows)}
}

func (n *layerNormNode) infer(in, out matrix, b block, _ *scratch) {
	for r := b.first; r < b.last; r++ {
		mean, inverse := n.statistics(in, r)
		for p := range in.panels() {
			at, x, y := p*kernel.Width, in.from(p, r)[:kernel.Width], out.from(p, r)[:kernel.Width]
			scale, shift := n.scale[at:][:kernel.Width], n.shift[at:][:kernel.Width]
			for c := range x {
				y[c] = float32((x[c]-mean)*inverse)*scale[c] + shift[c]
			}
		}
	}
}

// statistics returns a row's mean and 1/√(variance+ε).
func (n *layerNormNode) statistics(in matrix, r int) (mean, inverse float32) {
	sum := 0.0
	for p := range in.panels() {
		for _, v := range in.from(p, r)[:left(in.columns, p)] {
			sum += float64(v)
		}
	}
	center, squares := sum/float64(in.columns), 0.0
	for p := range in.panels() {
		for _, v := range in.from(p, r)[:left(in.columns, p)] {
			squares += (float64(v) - center) * (float64(v) - center)
		}
	}
	return float32(center), float32(1 / math.Sqrt(squares/float64(in.columns)+float64(n.epsilon)))
}

func (n *layerNormNode) train(t *tape, b block, _ *scratch) {
	state := t.state.(*layerNormState)
	for r := b.first; r < b.last; r++ {
		mean, inverse := n.statistics(t.in, r)
		state.inverse[r] = inverse
		for p := range t.in.panels() {
			at, x, y := p*kernel.Width, t.in.from(p, r)[:kernel.Width], t.out.from(p, r)[:kernel.Width]
			scale, shift, hat := n.scale[at:][:kernel.Width], n.shift[at:][:kernel.Width], state.normalized.from(p, r)[:kernel.Width]
			for c := range x {
				hat[c] = (x[c] - mean) * inverse
				y[c] = hat[c]*scale[c] + shift[c]
			}
		}
	}
}

// backward: with g = γ·dy, dx = 1/σ · (g - mean(g) - x̂·mean(g·x̂)), means over the row.
func (n *layerNormNode) backward(t *tape, b block, _ *scratch) {
	state, width := t.state.(*layerNormState), float64(t.out.columns)
	for r := b.first; r < b.last; r++ {
		sum, dot := 0.0, 0.0
		for p := range t.out.panels() {
			at, dy, hat := p*kernel.Width, t.dOut.from(p, r)[:kernel.Width], state.normalized.from(p, r)[:kernel.Width]
			for c := range left(t.out.columns, p) {
				g := dy[c] * n.scale[at+c]
				sum += float64(g)
				dot += float64(g) * float64(hat[c])
			}
		}
		mean, meanDot := float32(sum/width), float32(dot/width)
		for p := range t.out.panels() {
			at, dy, hat := p*kernel.Width, t.dOut.from(p, r)[:kernel.Width], state.normalized.from(p, r)[:kernel.Width]
			dx := t.dIn.from(p, r)[:kernel.Width]
			clear(dx)
			for c := range left(t.out.columns, p) {
				dx[c] = (dy[c]*n.scale[at+c] - mean - hat[c]*meanDot) * state.inverse[r]
			}
		}
	}
}

func (n *layerNormNode) vectorGradient(t *tape, p *parameter, panel int, g []float32) {
	dy, hat := t.dOut.from(panel, 0), t.state.(*layerNormState).normalized.from(panel, 0)
	if p == n.gamma {
		kernel.ColumnDot(dy, hat, t.rows(), g)
	} else {
		kernel.ColumnSum(dy, t.rows(), g)
	}
}

// vectorLearner is a node with learned vectors other than a Dense layer's bias.
type vectorLearner interface {
	learned() []*parameter
	// vectorGradient sets g, [32], to the gradient of one panel of a vector.
	vectorGradient(t *tape, p *parameter, panel int, g []float32)
}

// learned returns the vectors that there are.
func (v vectors) learned() []*parameter {
	var list []*parameter
	for _, p := range []*parameter{v.gamma, v.beta} {
		if p != nil {
			list = append(list, p)
		}
	}
	return list
}
