package dense

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
	alone     bool
	run       func(task, worker int)
}

type plan struct{ phases []phase }

// smallWeights is up to how many bytes of weights a thread reads whole rather than share them panel by panel.
const smallWeights = 64 << 10

// aloneCost is the number of multiplications below which waking other threads does not pay.
const aloneCost = 100_000

// plan returns the phases for batches of n samples.
func (t *trainer) plan(n int) *plan {
	p := t.plans[n]
	if p == nil {
		p = &plan{phases: group(t.actions(), t.pool.Threads())}
		for i := range p.phases {
			t.cut(&p.phases[i], n)
		}
		t.plans[n] = p
	}
	return p
}

// actions lists a step up to the gradients.
func (t *trainer) actions() []action {
	list := []action{{reach: reachRows, samples: true, run: t.gather, cost: float64(8 * t.m.inputPer * t.m.inputColumns)}}
	for i := range t.m.entries {
		e, tp := t.m.entries[i], &t.tapes[i]
		list = append(list, newAction(e, tp.out, outPer(e), func(b block, s *scratch) { e.node.train(tp, b, s) }))
	}
	list = append(list, action{reach: reachRows, samples: true, run: t.head.run, cost: float64(20 * t.m.OutputWidth())})
	for i := len(t.m.entries) - 1; i >= 0; i-- {
		e, tp := t.m.entries[i], &t.tapes[i]
		if t.head.skips(i) {
			continue
		}
		// A normalization's backward also prepares the gradients of its own vectors.
		if e.needsInputGrad || e.needsGrad && len(e.learnedParameters) > 0 {
			list = append(list, newAction(e, tp.dIn, e.per, func(b block, s *scratch) { e.node.backward(tp, b, s) }))
		}
	}
	return list
}

func newAction(e entry, out matrix, per int, run func(b block, s *scratch)) action {
	a := action{reach: e.node.reach(), panels: out.panels(), per: per, samples: e.fold, run: run, cost: float64(4 * out.columns * per)}
	if a.reach == reachProduct {
		weights := e.kernel.panels() * e.kernel.panelSize()
		a.small = 4*weights <= smallWeights
		a.cost = float64(weights * per)
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
	for p.tasks > 1<<15 { // more than the pool takes
		step *= 2
		pieces = (n + step - 1) / step
		p.tasks = panels * pieces
	}
	actions, columns := p.actions, p.partition != byRows
	p.run = func(task, worker int) {
		panel, piece := task/pieces, task%pieces
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

// clampRows divides n samples into about pieces pieces of a multiple of 8, not fewer than low and not more than high.
func clampRows(n, pieces, low, high int) int {
	rows := ((n+pieces-1)/pieces + 7) &^ 7
	return min(max(rows, low), high)
}
