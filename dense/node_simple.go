package dense

import (
	"math"

	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/train"
)

// dropoutNode sets elements to zero at random in training and scales the others by 1/(1-rate) (Srivastava et al. 2014).
// The mask is a function of seed, layer, step, row and column, so backward computes it again instead of storing it.
type dropoutNode struct {
	elementwise
	rate   float64
	stream uint64 // of the layer
}

// dropoutStreams is where the layers' streams of train.Random begin.
const dropoutStreams = 1 << 20

func (n *dropoutNode) infer(in, out matrix, b block, _ *scratch) {
	for p := b.p0; p < b.p1; p++ {
		if dst, src := out.rows(p, b), in.rows(p, b); &dst[0] != &src[0] {
			copy(dst, src)
		}
	}
}

func (n *dropoutNode) apply(t *tape, dst, src matrix, b block) {
	threshold := uint32(min(n.rate*(1<<32), math.MaxUint32))
	key, scale := uint32(train.NewRandom(t.batch.seed, dropoutStreams+n.stream).At(t.batch.step)>>32), float32(1/(1-n.rate))
	for p := b.p0; p < b.p1; p++ {
		panel := key + uint32(p)*0x9e3779b9 // another key for each panel: rows count on within it
		kernel.Dropout(dst.rows(p, b), src.rows(p, b), panel, uint32(b.first*kernel.Width), threshold, scale)
	}
}

func (n *dropoutNode) train(t *tape, b block, _ *scratch)    { n.apply(t, t.out, t.in, b) }
func (n *dropoutNode) backward(t *tape, b block, _ *scratch) { n.apply(t, t.dIn, t.dOut, b) }

// affineNode computes (x-mean)·scale + offset, a column at a time: Rescaling and Normalization.
type affineNode struct {
	elementwise
	mean, scale, offset []float32 // [panels*32]
}

func newAffineNode(columns int) *affineNode {
	n := kernel.Panels(columns) * kernel.Width
	return &affineNode{mean: alignedFloats(n), scale: alignedFloats(n), offset: alignedFloats(n)}
}

func (n *affineNode) infer(in, out matrix, b block, _ *scratch) {
	for p := b.p0; p < b.p1; p++ {
		at := p * kernel.Width
		kernel.ColumnAffine(out.rows(p, b), in.rows(p, b), b.count(), n.mean[at:], n.scale[at:], n.offset[at:])
	}
}

func (n *affineNode) train(t *tape, b block, s *scratch) { n.infer(t.in, t.out, b, s) }

func (n *affineNode) backward(t *tape, b block, _ *scratch) {
	for p := b.p0; p < b.p1; p++ {
		kernel.ColumnAffine(t.dIn.rows(p, b), t.dOut.rows(p, b), b.count(), zeros[:], n.scale[p*kernel.Width:], zeros[:])
	}
}

// activityNode passes its input on and adds a penalty on it to the loss: a sample's penalty to the sample's loss, so that the
// sum is divided by the number of samples, as in Keras 3.
type activityNode struct {
	rowwise
	regularizer Regularizer
	per         int // rows a sample
}

func (n *activityNode) inPlace() bool     { return true }
func (n *activityNode) keepsOutput() bool { return true }

func (n *activityNode) infer(in, out matrix, b block, s *scratch) {
	for p := b.p0; p < b.p1; p++ {
		if dst, src := out.rows(p, b), in.rows(p, b); &dst[0] != &src[0] {
			copy(dst, src)
		}
	}
	if s.activity != nil {
		n.penalties(out, b, s.activity)
	}
}

// penalties adds each sample's penalty to dst, [samples].
func (n *activityNode) penalties(out matrix, b block, dst []float64) {
	for r := b.first; r < b.last; r++ {
		magnitudes, squares := 0.0, 0.0
		for p := range out.panels() {
			for _, v := range out.from(p, r)[:left(out.columns, p)] {
				magnitudes += math.Abs(float64(v))
				squares += float64(v) * float64(v)
			}
		}
		dst[r/n.per] += float64(n.regularizer.L1)*magnitudes + float64(n.regularizer.L2)*squares
	}
}

func (n *activityNode) train(t *tape, b block, s *scratch) {
	s.activity = t.penalties
	n.infer(t.in, t.out, b, s)
	s.activity = nil
}

func (n *activityNode) backward(t *tape, b block, _ *scratch) {
	samples := float32(t.batch.samples)
	for p := b.p0; p < b.p1; p++ {
		dx, dy := t.dIn.rows(p, b), t.dOut.rows(p, b)
		if &dx[0] != &dy[0] {
			copy(dx, dy)
		}
		kernel.Regularize(dx, t.out.rows(p, b), n.regularizer.L1/samples, 2*n.regularizer.L2/samples)
		if used := left(t.out.columns, p); used < kernel.Width {
			for r := 0; r < len(dx); r += kernel.Width {
				clear(dx[r+used : r+kernel.Width])
			}
		}
	}
}

// foldNode changes how many rows a sample has: [samples, a·b] ↔ [samples·a, b], for layers that act on the last axis.
type foldNode struct {
	rowwise
	features          int // of a sample
	from, to          int // rows a sample
	inColumns, outCol int
}

func newFoldNode(features, from, to int) *foldNode {
	return &foldNode{features: features, from: from, to: to, inColumns: features / from, outCol: features / to}
}

func (n *foldNode) columns(int) int { return n.outCol }

// move copies samples first … last-1 element by element.
func (n *foldNode) move(dst matrix, dstPer int, src matrix, srcPer, first, last int) {
	for s := first; s < last; s++ {
		for f := range n.features {
			r, c := s*srcPer+f/src.columns, f%src.columns
			v := src.data[src.at(r, c)]
			r, c = s*dstPer+f/dst.columns, f%dst.columns
			dst.data[dst.at(r, c)] = v
		}
	}
}

// Blocks of a fold are in samples.
func (n *foldNode) infer(in, out matrix, b block, _ *scratch) {
	n.move(out, n.to, in, n.from, b.first, b.last)
}

func (n *foldNode) train(t *tape, b block, s *scratch) { n.infer(t.in, t.out, b, s) }

func (n *foldNode) backward(t *tape, b block, _ *scratch) {
	n.move(t.dIn, n.from, t.dOut, n.to, b.first, b.last)
}
