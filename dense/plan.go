package dense

import (
	"slices"

	"github.com/cambium-go/cambium/dense/internal/pool"
)

// A step is a list of actions (gather, forward through each node, loss, backward through each node) that is cut into
// phases. The tasks of a phase are independent; each carries its part of the batch through all actions of the phase while
// it is in the cache. Between phases all threads meet.
//
//	byRows     a task is some samples, all columns: small Dense layers, softmax, the loss
//	byColumns  a task is one panel of 32 columns, all samples: batch normalization
//	byGrid     a task is one panel for some samples: large Dense layers, whose weights a thread then reads but once
type partition int

const (
	byRows partition = iota
	byColumns
	byGrid
)

// action is one node's forward or backward, or the gathering of a batch, or the loss.
type action struct {
	reach   reach
	panels  int  // of what it computes
	per     int  // rows a sample of what it computes; blocks of byRows are in samples
	samples bool // run takes samples even so (gather, loss, fold)
	small   bool // a product whose weights are few
	cost    float64
	run     func(b block, s *scratch)
}

type phase struct {
	partition partition
	actions   []action
	tasks     int
	bounds    []int32 // which tasks are whose, see pool.Run
	alone     bool
	run       func(task, worker int)
}

type plan struct {
	phases []phase
	halved bool // the first product is computed in halves
}

// maxTasks is up to how many tasks a phase is divided into.
const maxTasks = pool.MaxTasks / 2

// aloneCost is the number of multiplications below which waking other threads does not pay.
const aloneCost = 100_000

// plan returns the phases for batches of n samples.
func (t *trainer) plan(n int) *plan {
	p := t.plans[n]
	if p == nil {
		halved := t.halves.on() && n >= halvesSamples
		p = &plan{halved: halved, phases: group(t.actions(halved), t.pool.Threads())}
		for i := range p.phases {
			t.cut(&p.phases[i], n)
		}
		t.plans[n] = p
	}
	return p
}

// actions lists a step up to the gradients, without what each worker does for itself.
func (t *trainer) actions(halved bool) []action {
	var list []action
	if !t.shares.input {
		list = append(list, action{reach: reachRows, samples: true, run: t.gather, cost: float64(8 * t.m.inputPer * t.m.inputColumns)})
	}
	for i, e := range t.m.entries {
		run := func(b block, s *scratch) { e.node.train(&s.own.tapes[i], b, s) }
		if i == 0 && halved {
			list = append(list, t.halves.actions(t)...)
			continue
		}
		if i == 0 && t.shares.input {
			run = func(b block, s *scratch) {
				t.gatherOwn(0, b.first/e.per, b.last/e.per, &s.own)
				e.node.train(&s.own.tapes[0], b, s)
			}
		}
		list = append(list, newAction(e, t.tapes[i].out, outPer(e), run))
	}
	list = append(list, action{reach: reachRows, samples: true, run: t.head.run, cost: float64(20 * t.m.OutputWidth())})
	for _, i := range t.backward() {
		if e := t.m.entries[i]; !slices.Contains(t.shares.backward, i) {
			list = append(list, newAction(e, t.tapes[i].dIn, e.per, func(b block, s *scratch) { e.node.backward(&s.own.tapes[i], b, s) }))
		}
	}
	return list
}

func newAction(e entry, out matrix, per int, run func(b block, s *scratch)) action {
	a := action{reach: e.node.reach(), panels: out.panels(), per: per, samples: e.fold, run: run, cost: float64(4 * out.columns * per)}
	if d, ok := e.node.(*denseNode); ok {
		a.small = d.small()
		a.cost = float64(e.kernel.panels() * e.kernel.panelSize() * per)
	}
	return a
}

// group cuts actions into phases.
func group(actions []action, threads int) []phase {
	var phases []phase
	for i, a := range actions {
		if n := len(phases); n > 0 && phases[n-1].takes(a) {
			phases[n-1].actions = append(phases[n-1].actions, a)
			continue
		}
		phases = append(phases, phase{partition: start(actions[i:], threads), actions: []action{a}})
	}
	return phases
}

// start picks the partition of a phase that begins with the first of the actions.
func start(actions []action, threads int) partition {
	first := actions[0]
	rest := actions
	for len(rest) > 0 && rest[0].reach == reachBlock {
		rest = rest[1:]
	}
	switch {
	case first.reach == reachRows || first.reach == reachProduct && first.small:
		return byRows
	case first.reach == reachColumns:
		return byColumns
	case first.reach == reachBlock && len(rest) > 0 && (rest[0].reach == reachRows || rest[0].small):
		return byRows
	}
	// A large product, or elements: by columns where a batch normalization follows and there are columns enough.
	after := actions[1:]
	for len(after) > 0 && after[0].reach == reachBlock {
		after = after[1:]
	}
	if len(after) > 0 && after[0].reach == reachColumns && first.panels >= 2*threads {
		return byColumns
	}
	return byGrid
}

// takes reports whether an action can follow in the same tasks.
func (p *phase) takes(a action) bool {
	last := p.actions[len(p.actions)-1]
	same := a.panels == last.panels && a.per == last.per
	switch p.partition {
	case byRows:
		return a.reach == reachBlock || a.reach == reachRows || a.small
	case byColumns:
		return same && (a.reach == reachBlock || a.reach == reachColumns)
	default:
		return same && a.reach == reachBlock
	}
}

// cut divides a phase into tasks for n samples.
func (t *trainer) cut(p *phase, n int) {
	threads := t.pool.Threads()
	panels, step := p.actions[0].panels, n
	switch p.partition {
	case byRows:
		panels, step = 1, clampRows(n, 4*threads, 8, 64)
	case byGrid:
		step = clampRows(n, (2*threads+panels-1)/panels, 16, 128)
	}
	pieces := (n + step - 1) / step
	p.tasks = panels * pieces
	cost := 0.0
	for _, a := range p.actions {
		cost += a.cost * float64(n)
	}
	p.alone = cost < aloneCost || p.tasks == 1
	for p.tasks > maxTasks {
		step *= 2
		pieces = (n + step - 1) / step
		p.tasks = panels * pieces
	}
	var parts []part
	parts, p.bounds = deal(panels, pieces, threads)
	actions, columns := p.actions, p.partition != byRows
	p.run = func(task, worker int) {
		panel, piece := parts[task].panel, parts[task].piece
		first, last := piece*step, min(n, (piece+1)*step)
		for i := range actions {
			a := &actions[i]
			b := block{first, last, 0, a.panels}
			if columns {
				b.p0, b.p1 = panel, panel+1
			}
			if !a.samples {
				b.first, b.last = first*a.per, last*a.per
			}
			a.run(b, t.scratch[worker])
		}
	}
}

// part is a task's panel, and its piece of the rows or of the inputs.
type part struct{ panel, piece int }

// deal lists the tasks of panels by pieces, and where each thread's begin. Each has panels of its own, of which it takes one
// piece after the other: what the panels read of a piece is then read while it is in the cache. With fewer panels than threads
// all tasks are divided evenly.
func deal(panels, pieces, threads int) (tasks []part, bounds []int32) {
	if panels < threads {
		for i := range panels * pieces {
			tasks = append(tasks, part{i / pieces, i % pieces})
		}
		for w := range threads + 1 {
			bounds = append(bounds, int32(w*len(tasks)/threads))
		}
		return tasks, bounds
	}
	for w := range threads {
		bounds = append(bounds, int32(len(tasks)))
		for piece := range pieces {
			for panel := w * panels / threads; panel < (w+1)*panels/threads; panel++ {
				tasks = append(tasks, part{panel, piece})
			}
		}
	}
	return tasks, append(bounds, int32(len(tasks)))
}

// clampRows divides n samples into about pieces pieces of a multiple of 8, not fewer than low and not more than high.
func clampRows(n, pieces, low, high int) int {
	rows := ((n+pieces-1)/pieces + 7) &^ 7
	return min(max(rows, low), high)
}
