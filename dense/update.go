package dense

import (
	"math"

	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/train"
)

// updater computes the gradients of the weights and applies the optimizer, block by block: a gradient is used while it is in
// the first-level cache and never stored, unless a norm over all of it is needed first.
type updater struct {
	t         *trainer
	lists     [2]taskList // without and with the first product's halves
	list      *taskList   // of the present step
	gradient  func(task, worker int)
	apply     func(task, worker int)
	alone     bool
	learning  []*parameter
	blocks    int // of all of them
	norms     bool
	rule      kernel.Rule
	general   bool // no kernel for this optimizer: train.Optimizer.Update
	constants [8]float32
	current   train.Coefficients
	factor    []float32 // of each learning parameter, from its norm
}

// taskList is an update's tasks, and which are whose: see pool.Run.
type taskList struct {
	tasks  []updateTask
	bounds []int32
}

// updateTask is blocks first … last-1 down one panel of a parameter.
type updateTask struct {
	entry       int
	parameter   *parameter
	index       int // among the learning parameters
	panel       int
	first, last int
	bias        *parameter // to be done along with block 0
	biasIndex   int
	from, upto  int // which part of the next batch it brings closer, in 1/2¹⁶,
	lo, hi      int // and which columns
}

func newUpdater(t *trainer) updater {
	o := t.m.optimizer
	u := updater{t: t, learning: t.m.trainable(), norms: o.ClipNorm > 0 || o.GlobalClipNorm > 0}
	u.factor = make([]float32, len(u.learning))
	u.rule, u.general = ruleOf(o)
	for _, p := range u.learning {
		u.blocks += p.blocks()
	}
	u.alone = u.blocks*kernel.Width*kernel.Width*16 < aloneCost
	u.lists[0] = u.newList(false)
	if t.halves.on() {
		u.lists[1] = u.newList(true)
	}
	u.gradient = func(task, worker int) { t.updates.run1(&t.updates.list.tasks[task], t.scratch[worker]) }
	u.apply = func(task, worker int) { t.updates.apply1(&t.updates.list.tasks[task], t.scratch[worker]) }
	return u
}

// ruleOf returns the kernel of an optimizer; general where there is none.
func ruleOf(o train.Optimizer) (rule kernel.Rule, general bool) {
	switch o.Name {
	case train.SGDName:
		switch {
		case o.Momentum == 0:
			return kernel.SGD, false
		case o.Nesterov:
			return kernel.Nesterov, false
		}
		return kernel.Momentum, false
	case train.RMSpropName:
		return kernel.RMSprop, o.Momentum > 0 || o.Centered
	case train.AdagradName:
		return kernel.Adagrad, false
	case train.AdamName, train.AdamWName:
		return kernel.Adam, o.AMSGrad
	}
	return 0, true
}

// newList makes the tasks. Each thread has its share of every parameter, what it also computes forward.
func (u *updater) newList(halved bool) (l taskList) {
	index := map[*parameter]int{}
	for i, p := range u.learning {
		index[p] = i
	}
	shares := make([][]updateTask, u.t.pool.Threads())
	for i, e := range u.t.m.entries {
		for _, p := range append([]*parameter{e.kernel}, e.learnedParameters...) {
			if p == nil || !p.trainable {
				continue
			}
			for w, tasks := range u.deal(p, halved) {
				for k := range tasks {
					task := &tasks[k]
					task.entry, task.parameter, task.index = i, p, index[p]
					if p == e.kernel && task.first == 0 && e.bias != nil && e.bias.trainable {
						task.bias, task.biasIndex = e.bias, index[e.bias]
					}
				}
				shares[w] = append(shares[w], tasks...)
			}
		}
	}
	l.bounds = []int32{0}
	for _, s := range shares {
		l.tasks = append(l.tasks, s...)
		l.bounds = append(l.bounds, int32(len(l.tasks)))
	}
	for w, s := range shares {
		for i := range s {
			at, of := int(l.bounds[w])+i, len(l.tasks)
			task := &l.tasks[at]
			task.hi = u.t.m.inputColumns
			if u.t.shares.input {
				at, of = i, len(s)
				task.lo, task.hi = u.t.columns(s)
			}
			task.from, task.upto = at<<16/of, (at+1)<<16/of
		}
	}
	return l
}

// deal divides the blocks of a parameter among the threads.
func (u *updater) deal(p *parameter, halved bool) [][]updateTask {
	threads := u.t.pool.Threads()
	// Blocks a task: few, so that threads end at the same time, but more than one, since OuterUpdate begins slowly.
	per := min(max(p.blocks()/(12*threads), 1), 2) + u.blocks/maxTasks
	panels := p.panels()
	if halved = halved && p == u.t.m.entries[0].kernel; halved {
		panels *= 2
	}
	shares := make([][]updateTask, threads)
	parts, bounds := deal(panels, (p.blocksDown()+per-1)/per, threads)
	for w := range threads {
		for _, at := range parts[bounds[w]:bounds[w+1]] {
			task := updateTask{panel: at.panel % p.panels()}
			first, end := 0, p.blocksDown()
			if halved {
				first, end = u.t.halves.blocks(at.panel/p.panels(), task.panel, p)
			}
			task.first, task.last = first+at.piece*per, min(end, first+(at.piece+1)*per)
			if task.first < task.last {
				shares[w] = append(shares[w], task)
			}
		}
	}
	return shares
}

// columns returns which columns of the samples some tasks need.
func (t *trainer) columns(tasks []updateTask) (first, end int) {
	first = t.m.inputColumns
	for _, task := range tasks {
		if task.entry == 0 {
			first, end = min(first, task.first*kernel.Width), max(end, min(t.m.inputColumns, task.last*kernel.Width))
		}
	}
	return min(first, end), end
}

// prepare computes the coefficients of the step.
func (u *updater) prepare() {
	m := u.t.m
	o := m.optimizer
	u.current = o.Coefficients(m.iterations, o.RateAt(m.iterations, m.rate))
	c := u.current
	switch u.rule {
	case kernel.SGD:
		u.constants = [8]float32{c.LearningRate}
	case kernel.Momentum, kernel.Nesterov:
		u.constants = [8]float32{c.LearningRate, float32(o.Momentum)}
	case kernel.RMSprop:
		u.constants = [8]float32{c.LearningRate, float32(o.Rho), float32(1 - o.Rho), float32(o.Epsilon)}
	case kernel.Adagrad:
		u.constants = [8]float32{c.LearningRate, float32(o.Epsilon)}
	case kernel.Adam:
		u.constants = [8]float32{c.Alpha, float32(1 - o.Beta1), float32(1 - o.Beta2), float32(o.Epsilon), 1 - c.Decay}
	}
}

// run computes gradients and updates; with norms in two phases.
func (u *updater) run() {
	u.list = &u.lists[0]
	if u.t.halved {
		u.list = &u.lists[1]
	}
	u.t.pool.Run(len(u.list.tasks), u.list.bounds, u.alone, u.gradient)
	if u.norms {
		u.norm()
		u.t.pool.Run(len(u.list.tasks), u.list.bounds, u.alone, u.apply)
	}
	for _, p := range u.learning {
		p.swap()
	}
}

// run1 runs one task of the first phase.
func (u *updater) run1(task *updateTask, s *scratch) {
	u.prefetch(task)
	u.t.prepareOwn(task.entry, task.panel, task.first, task.last, s)
	tp, node := &s.own.tapes[task.entry], u.t.m.entries[task.entry].node
	p, first := task.parameter, task.first
	d, dense := node.(*denseNode)
	if dense && u.direct(p) && (!tp.sparse() || tp.rows() <= sparseRows) {
		d.learn(tp, task.panel, first, task.last, u.rule, &u.constants, s)
		first = task.last
	}
	for down := first; down < task.last; down++ {
		from, end := p.extent(task.panel, down)
		g := s.tile[:end-from]
		if dense {
			d.kernelGradient(tp, task.panel, down, g)
		} else {
			node.(vectorLearner).vectorGradient(tp, p, task.panel, g)
		}
		u.finish(p, task.panel, down, g, s)
	}
	if task.bias != nil {
		g := s.tile[:kernel.Width]
		node.(*denseNode).biasGradient(tp, task.panel, g)
		u.finish(task.bias, task.panel, 0, g, s)
	}
}

// prefetch asks for some of the next batch's samples, so that they are near when they are gathered: a share of all with each
// task, or of all that the task's worker gathers.
func (u *updater) prefetch(task *updateTask) {
	next := u.t.next
	for _, i := range next[len(next)*task.from>>16 : len(next)*task.upto>>16] {
		u.t.data.prefetch(int(i), task.lo, task.hi)
	}
}

// direct reports whether nothing comes between a block's gradient and its update.
func (u *updater) direct(p *parameter) bool {
	return !u.norms && !u.general && u.t.m.optimizer.ClipValue == 0 && p.regularizer.zero() && (u.rule == kernel.Adam || u.current.Decay == 0)
}

// finish adds the regularizers' gradient to that of a block and uses it, or keeps it where a norm is needed.
func (u *updater) finish(p *parameter, panel, down int, g []float32, s *scratch) {
	if !p.regularizer.zero() {
		p.regularize(panel, down, g)
	}
	if !u.norms {
		u.update(p, panel, down, g, s)
		return
	}
	first, end := p.extent(panel, down)
	copy(p.gradient[first:end], g)
	var sums [kernel.Width]float32
	kernel.ColumnDot(g, g, len(g)/kernel.Width, sums[:])
	p.squares[panel*p.blocksDown()+down] = sum64(sums[:])
}

// norm turns the blocks' squares into each parameter's factor.
func (u *updater) norm() {
	o, total := u.t.m.optimizer, 0.0
	for i, p := range u.learning {
		sum := 0.0
		for _, v := range p.squares {
			sum += v
		}
		total += sum
		u.factor[i] = clipFactor(sum, o.ClipNorm)
	}
	if o.GlobalClipNorm > 0 {
		for i := range u.factor {
			u.factor[i] = clipFactor(total, o.GlobalClipNorm)
		}
	}
}

func clipFactor(squares, limit float64) float32 {
	if norm := math.Sqrt(squares); limit > 0 && !(norm <= limit) {
		return float32(limit / norm)
	}
	return 1
}

// apply1 runs one task of the second phase.
func (u *updater) apply1(task *updateTask, s *scratch) {
	for down := task.first; down < task.last; down++ {
		u.scaled(task.parameter, task.index, task.panel, down, s)
	}
	if task.bias != nil {
		u.scaled(task.bias, task.biasIndex, task.panel, 0, s)
	}
}

func (u *updater) scaled(p *parameter, index, panel, down int, s *scratch) {
	first, end := p.extent(panel, down)
	g := p.gradient[first:end]
	if f := u.factor[index]; f != 1 {
		kernel.Scale(g, g, f, 0)
	}
	u.update(p, panel, down, g, s)
}

// update applies the optimizer to a block.
func (u *updater) update(p *parameter, panel, down int, g []float32, s *scratch) {
	o := u.t.m.optimizer
	first, end := p.extent(panel, down)
	w := p.value[first:end]
	if o.ClipValue > 0 {
		kernel.Clip(g, float32(o.ClipValue))
	}
	switch {
	case u.general:
		slots := s.slots[:len(p.slots)]
		for i := range slots {
			slots[i] = p.slots[i][first:end]
		}
		o.Update(u.current, w, g, slots)
	default:
		if u.rule != kernel.Adam && u.current.Decay != 0 {
			kernel.Scale(w, w, 1-u.current.Decay, 0)
		}
		m, v := p.slotsOf(first, end)
		kernel.Update(u.rule, w, g, m, v, &u.constants)
	}
	p.updated(panel, down)
}

// penalty returns the regularization penalties of the weights that the step began with.
func (u *updater) penalty() float64 {
	sum := 0.0
	for _, p := range u.learning {
		if !p.regularizer.zero() {
			sum += p.penaltySum()
		}
	}
	return sum
}
