package dense

import (
	"math"

	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/train"
)

// head computes the loss of each sample and the gradient of the network's output.
//
// A cross-entropy of probabilities that a softmax or sigmoid computes as the last node is taken from that node's input
// instead, as Keras does: softmax and loss together have the gradient p - y.
type head struct {
	m         *Model
	t         *trainer // nil in inference
	kind      headKind
	output    matrix // predictions
	logits    matrix // what a fused loss is computed from
	gradient  matrix // of output, or of logits where the last node is skipped
	last      int    // the entry that is skipped going back, -1 for none
	penalties []float64
	losses    []float64 // of the batch's samples, weighted, activity penalties included
}

type headKind int

const (
	generalHead headKind = iota
	softmaxHead          // probabilities by the network's softmax
	logitsHead           // categorical cross-entropy of logits
	sigmoidHead          // probabilities by the network's sigmoid
	binaryHead           // binary cross-entropy of logits
	squareHead
	absoluteHead
)

// kindOfHead returns how the model's loss is computed.
func (m *Model) kindOfHead() headKind {
	categorical := m.loss.Name == train.CategoricalCrossentropy || m.loss.Name == train.SparseCategoricalCrossentropy
	binary := m.loss.Name == train.BinaryCrossentropy
	switch {
	case categorical && m.loss.FromLogits:
		return logitsHead
	case categorical && m.endsWith(Softmax):
		return softmaxHead
	case binary && m.loss.FromLogits:
		return binaryHead
	case binary && m.endsWith(Sigmoid):
		return sigmoidHead
	case m.loss.Name == train.MeanSquaredError:
		return squareHead
	case m.loss.Name == train.MeanAbsoluteError:
		return absoluteHead
	}
	return generalHead
}

func (m *Model) endsWith(a ActivationFunction) bool {
	if len(m.entries) == 0 {
		return false
	}
	switch n := m.entries[len(m.entries)-1].node.(type) {
	case *softmaxNode:
		return a.kind == softmaxActivation
	case *activationNode:
		return n.function.name == a.name
	}
	return false
}

func (m *Model) fusedSigmoid() bool { return m.compiled && m.kindOfHead() == sigmoidHead }

// newHead makes a trainer's head; its gradient matrix is new.
func newHead(m *Model, t *trainer, penalties []float64) *head {
	h := &head{m: m, t: t, kind: m.kindOfHead(), last: -1, penalties: penalties, losses: make([]float64, t.capacity)}
	h.output, h.logits = t.input, t.input
	if n := len(t.tapes); n > 0 {
		h.output, h.logits = t.tapes[n-1].out, t.tapes[n-1].out
		if h.kind == softmaxHead || h.kind == sigmoidHead {
			h.last, h.logits = n-1, t.tapes[n-1].in
		}
	}
	h.gradient = newMatrix(t.capacity, h.output.columns)
	return h
}

// skips reports whether the loss's gradient is already that of entry i's input.
func (h *head) skips(i int) bool { return i == h.last }

// run computes losses and gradients of samples b.first … b.last-1 of the batch.
func (h *head) run(b block, s *scratch) {
	t := h.t
	if t.outputs != nil {
		for r := b.first; r < b.last; r++ {
			h.output.row(t.outputs[r*h.output.columns:][:h.output.columns], r)
		}
	}
	b.p0, b.p1 = 0, h.output.panels()
	switch h.kind {
	case softmaxHead, logitsHead:
		h.categorical(b, s)
	case sigmoidHead, binaryHead:
		h.binary(b, s)
	default:
		for r := b.first; r < b.last; r++ {
			h.sample(r, s)
		}
	}
	for r := b.first; r < b.last; r++ {
		h.losses[r] += h.penalties[r]
	}
}

// weight returns the weight of the batch's sample r.
func (h *head) weight(r int) float32 { return h.t.data.weight(int(h.t.order[r])) }

// target returns the target of the batch's sample r.
func (h *head) target(r int) []float32 { return h.t.data.target(int(h.t.order[r])) }

// categorical: loss = T·log Σ eᶻ - Σ t·z with T = Σ t, gradient = (T·softmax(z) - t)·weight/samples.
func (h *head) categorical(b block, s *scratch) {
	columns, stride := h.logits.columns, h.gradient.stride
	mask := softmaxMask(columns, s)
	for first := b.first; first < b.last; first += len(s.top) {
		rows := min(len(s.top), b.last-first)
		kernel.Softmax(h.gradient.data[first*kernel.Width:], h.logits.data[first*kernel.Width:], rows, stride, h.gradient.panels(),
			mask, s.top[:], s.sum[:])
		for i := range rows {
			r := first + i
			lse := float64(s.top[i]) + math.Log(float64(s.sum[i]))
			if h.m.loss.Sparse() && h.m.loss.LabelSmoothing == 0 {
				h.losses[r] = h.oneClass(r, lse)
			} else {
				h.losses[r] = h.oneDistribution(r, lse)
			}
		}
		h.scale(block{first: first, last: first + rows})
	}
}

// oneClass is the loss of a sample of one class, T = 1; the gradient is not yet scaled.
func (h *head) oneClass(r int, lse float64) float64 {
	c := int(h.target(r)[0])
	h.gradient.data[h.gradient.at(r, c)]--
	return float64(h.weight(r)) * (lse - float64(h.logits.data[h.logits.at(r, c)]))
}

// oneDistribution is the loss of a sample whose target is a distribution; the gradient is not yet scaled.
func (h *head) oneDistribution(r int, lse float64) float64 {
	l, y := h.m.loss, h.target(r)
	columns, smoothing := h.logits.columns, float32(l.LabelSmoothing)
	base := smoothing / float32(columns)
	total, dotted := float32(1), 0.0
	if !l.Sparse() {
		total = 0
		for _, v := range y {
			total += v*(1-smoothing) + base
		}
	}
	for c := range columns {
		target := base
		switch {
		case !l.Sparse():
			target += y[c] * (1 - smoothing)
		case int(y[0]) == c:
			target += 1 - smoothing
		}
		dotted += float64(target) * float64(h.logits.data[h.logits.at(r, c)])
		g := &h.gradient.data[h.gradient.at(r, c)]
		*g = *g*total - target
	}
	return float64(h.weight(r)) * (float64(total)*lse - dotted)
}

// scale multiplies the gradient of some samples by weight/samples.
func (h *head) scale(b block) {
	samples := float32(h.t.batch.samples)
	for p := range h.gradient.panels() {
		if g := h.gradient.rows(p, b); h.t.data.weights == nil {
			kernel.Scale(g, g, 1/samples, 0)
			continue
		}
		for r := b.first; r < b.last; r++ {
			g := h.gradient.from(p, r)[:kernel.Width]
			kernel.Scale(g, g, h.weight(r)/samples, 0)
		}
	}
}

// binary: loss = mean(softplus(z) - y·z), gradient = (sigmoid(z) - y)·weight/(samples·width).
func (h *head) binary(b block, s *scratch) {
	columns, smoothing := h.logits.columns, float32(h.m.loss.LabelSmoothing)
	for first := b.first; first < b.last; first += 64 {
		part := block{first, min(b.last, first+64), 0, 0}
		for r := part.first; r < part.last; r++ {
			h.losses[r] = 0
		}
		for p := range h.logits.panels() {
			z, g := h.logits.rows(p, part), h.gradient.rows(p, part)
			soft := s.chunk[:len(z)]
			kernel.Activate(kernel.Softplus, soft, z, 0)
			kernel.Activate(kernel.Sigmoid, g, z, 0)
			n := left(columns, p)
			for i := range part.count() {
				r := first + i
				y, weight := h.target(r)[p*kernel.Width:][:n], h.weight(r)
				scale, sum := weight/(float32(h.t.batch.samples)*float32(columns)), 0.0
				z, soft, g := z[i*kernel.Width:][:kernel.Width], soft[i*kernel.Width:][:n], g[i*kernel.Width:][:kernel.Width]
				for c, v := range y {
					v += smoothing * (0.5 - v)
					sum += float64(soft[c]) - float64(z[c])*float64(v)
					g[c] = (g[c] - v) * scale
				}
				clear(g[n:])
				h.losses[r] += float64(weight) * sum / float64(columns)
			}
		}
	}
}

// sample computes one sample's loss and gradient from the loss's definition; squared and absolute errors in place.
func (h *head) sample(r int, s *scratch) {
	weight, y := h.weight(r), h.target(r)
	columns := h.output.columns
	scale := weight / float32(h.t.batch.samples)
	if h.kind == generalHead {
		h.output.row(s.row, r)
		h.losses[r] = float64(weight) * float64(train.SampleLoss(h.m.loss, y, s.row))
		train.SampleGradient(h.m.loss, s.rowGrad, y, s.row)
		for i := range s.rowGrad {
			s.rowGrad[i] *= scale
		}
		h.gradient.setRow(r, s.rowGrad)
		return
	}
	sum := 0.0
	scale /= float32(columns)
	for p := range h.output.panels() {
		n := left(columns, p)
		x, g, y := h.output.from(p, r)[:n], h.gradient.from(p, r)[:kernel.Width], y[p*kernel.Width:][:n]
		clear(g[n:])
		for c, v := range x {
			e := v - y[c]
			switch {
			case h.kind == squareHead:
				sum += float64(e) * float64(e)
				g[c] = 2 * e * scale
			case e > 0:
				sum += float64(e)
				g[c] = scale
			case e < 0:
				sum -= float64(e)
				g[c] = -scale
			default:
				sum += float64(e)
				g[c] = e * scale // 0, or NaN
			}
		}
	}
	h.losses[r] = float64(weight) * sum / float64(columns)
}

// loss returns the mean of the first n samples' losses.
func (h *head) loss(n int) float64 {
	sum := 0.0
	for _, v := range h.losses[:n] {
		sum += v
	}
	return sum / float64(n)
}
