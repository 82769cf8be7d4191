//go:build cgo

package tfbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

var errDeadline = context.DeadlineExceeded

// engine is what a Model runs on: a session, and a plan for each signature that was called.
type engine struct {
	sigs    []graph.Signature
	chosen  *graph.Signature // nil where there is none to choose
	opts    Options
	gate    *gate
	session *session
	rewrite *graph.Graph // what signatures are rewritten from; nil where they are not
	gpu     bool

	mu    sync.Mutex
	plans map[planKey]*plan
}

// planKey is a signature, or the tensors that are fed and fetched by their names, joined by a zero byte.
type planKey struct{ signature, feeds, fetches string }

func newEngine(ctx context.Context, g *graph.Graph, opts Options) (*engine, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	if err := opts.Check(); err != nil {
		return nil, err
	}
	type result struct {
		e   *engine
		err error
	}
	done := make(chan result, 1)
	go func() {
		e, err := openEngine(g, opts)
		done <- result{e, err}
	}()
	select {
	case r := <-done:
		return r.e, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.e.close() // nobody is there to hear of it
			}
		}()
		return nil, ctx.Err()
	}
}

func openEngine(g *graph.Graph, opts Options) (*engine, error) {
	config, err := opts.config()
	if err != nil {
		return nil, err
	}
	if g != nil && g.Def != nil {
		g = passOn(g)
	}
	e := &engine{opts: opts, gate: newGate(cmp.Or(opts.MaxConcurrent, runtime.GOMAXPROCS(0))), plans: map[planKey]*plan{}}
	if e.session, err = load(g, &opts, config); err != nil {
		return nil, err
	}
	if err := e.prepare(g); err != nil {
		return nil, errors.Join(err, e.close())
	}
	if e.chosen == nil {
		return e, nil
	}
	if _, err := e.mainPlan(); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// prepare chooses the signature, and decides whether signatures are rewritten: not where a GPU does the work or there is much
// of it, which hides what rewriting saves.
func (e *engine) prepare(g *graph.Graph) error {
	devices, err := e.session.devices()
	if err != nil {
		return err
	}
	e.gpu = slices.ContainsFunc(devices, func(d Device) bool { return d.Type == "GPU" })
	called := *g
	called.Signatures = make([]graph.Signature, len(g.Signatures))
	for i, sig := range g.Signatures {
		called.Signatures[i] = e.session.correct(sig)
	}
	e.sigs = called.Signatures
	if !e.opts.NoRewrite && !e.gpu && proto.Size(g.Def) <= maxFrozen {
		e.rewrite = &called
	}
	if e.chosen, err = called.Signature(e.opts.Signature); err != nil && e.opts.Signature != "" {
		return err
	}
	return nil
}

func (e *engine) signatures() []graph.Signature { return e.sigs }

func (e *engine) signature() graph.Signature {
	if e.chosen == nil {
		return graph.Signature{}
	}
	return *e.chosen
}

// find returns the signature with the given name; the chosen one for "".
func (e *engine) find(name string) (*graph.Signature, error) {
	if name == "" && e.chosen != nil {
		return e.chosen, nil
	}
	return (&graph.Graph{Signatures: e.sigs}).Signature(name)
}

// plan returns the plan of the signature with the given name for calls with the given inputs, which it makes the first time.
func (e *engine) plan(name string, inputs map[string]*tensor.Tensor) (*plan, error) {
	sig, err := e.find(name)
	if err != nil {
		return nil, err
	}
	key := planKey{signature: sig.Name}
	if given := sig.Given(func(input string) bool { _, ok := inputs[input]; return ok }); len(given.Inputs) < len(sig.Inputs) {
		sig = given
		for _, p := range sig.Inputs {
			key.feeds += p.Name + "\x00"
		}
	}
	return e.cached(key, func() (*plan, error) {
		p, err := e.session.signaturePlan(sig)
		if err == nil && e.rewrite != nil {
			var why error // it runs as it was loaded
			if p.fast, why = newFast(e.rewrite, sig, e.session, &e.opts, cap(e.gate.tokens)); errors.Is(why, errTooLarge) {
				e.rewrite = nil // no other signature will fare better: let go of the graph
			}
		}
		return p, err
	})
}

// mainPlan returns the plan of the chosen signature for calls with the inputs that are needed.
func (e *engine) mainPlan() (*plan, error) {
	sig, err := e.find("")
	if err != nil {
		return nil, err
	}
	given := map[string]*tensor.Tensor{}
	for _, p := range sig.Needed() {
		given[p.Name] = nil
	}
	return e.plan("", given)
}

// cached returns the plan with the given key, which it makes the first time. Plans live as long as the engine.
func (e *engine) cached(key planKey, newPlan func() (*plan, error)) (*plan, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.session == nil {
		return nil, ErrClosed
	}
	if p := e.plans[key]; p != nil {
		return p, nil
	}
	p, err := newPlan()
	if err == nil {
		e.plans[key] = p
	}
	return p, err
}

func (e *engine) call(ctx context.Context, name string, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	p, err := e.plan(name, inputs)
	if err != nil {
		return nil, err
	}
	return e.runNamed(ctx, p, inputs)
}

// runNamed runs a plan on inputs by the names of its ports, and returns the outputs by theirs.
func (e *engine) runNamed(ctx context.Context, p *plan, inputs map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if err := checkInputs(p.inputs, inputs); err != nil {
		return nil, p.wrap(err)
	}
	n := rows(p.inputs, inputs)
	if p.fast != nil {
		if parts := p.fast.parts(n); parts != nil {
			return e.runParts(ctx, p.fast.serial, inputs, parts)
		}
		p = p.fast.pick(n)
	}
	return e.runOnce(ctx, p, inputs, n)
}

// runOnce is runNamed for inputs that were checked and are not shared out.
func (e *engine) runOnce(ctx context.Context, p *plan, inputs map[string]*tensor.Tensor, n int) (map[string]*tensor.Tensor, error) {
	c, err := e.gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	c.grow(len(p.inputs), len(p.outputs))
	for i := range p.inputs {
		if err := c.setInput(i, inputs[p.inputs[i].Name]); err != nil {
			e.gate.leave(c)
			return nil, p.wrap(err)
		}
	}
	if err := e.run(ctx, c, p, n); err != nil {
		return nil, p.wrap(err)
	}
	defer e.finish(c, p)
	outputs := make(map[string]*tensor.Tensor, len(p.outputs))
	for i := range p.outputs {
		t, err := c.output(i)
		if err != nil {
			return nil, p.wrap(fmt.Errorf("output %q: %w", p.outputs[i].Name, err))
		}
		outputs[p.outputs[i].Name] = t
	}
	return outputs, nil
}

// predict puts the output into y, and returns that; for nil it makes a tensor.
func (e *engine) predict(ctx context.Context, x, y *tensor.Tensor) (*tensor.Tensor, error) {
	p, err := e.mainPlan()
	if err != nil {
		return nil, err
	}
	if len(p.inputs) != 1 || len(p.outputs) != 1 {
		return nil, p.wrap(fmt.Errorf("%w: Predict needs one input and one output; the inputs are %s, the outputs are %s", ErrInput, describe(p.inputs), describe(p.outputs)))
	}
	if err := checkInput(&p.inputs[0], x); err != nil {
		return nil, p.wrap(err)
	}
	n := leading(x)
	if p.fast != nil {
		if parts := p.fast.parts(n); parts != nil {
			outputs, err := e.runParts(ctx, p.fast.serial, map[string]*tensor.Tensor{p.inputs[0].Name: x}, parts)
			if err != nil || y == nil {
				return outputs[p.outputs[0].Name], err
			}
			return y, p.wrap(copyInto(y, outputs[p.outputs[0].Name]))
		}
		p = p.fast.pick(n)
	}
	c, err := e.gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	c.grow(1, 1)
	if err := c.setInput(0, x); err != nil {
		e.gate.leave(c)
		return nil, p.wrap(err)
	}
	if err := e.run(ctx, c, p, n); err != nil {
		return nil, p.wrap(err)
	}
	defer e.finish(c, p)
	if y == nil {
		return c.output(0)
	}
	if err := c.outputInto(0, y); err != nil {
		return nil, p.wrap(err)
	}
	return y, nil
}

// run runs a plan whose inputs were set. If it returns nil the outputs are there and finish must follow; otherwise the call
// was given back.
func (e *engine) run(ctx context.Context, c *call, p *plan, rows int) error {
	if e.opts.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, e.opts.Timeout)
		defer cancel()
		ctx = limited
	}
	if ctx.Done() == nil || p.quick(rows) {
		c.setOptions(0, !e.gpu)
		err := c.run(p, rows)
		if err != nil {
			e.gate.leave(c)
		}
		runtime.KeepAlive(e)
		return err
	}
	var left time.Duration
	if deadline, ok := ctx.Deadline(); ok {
		left = max(time.Until(deadline), time.Millisecond)
	}
	c.setOptions(left, !e.gpu)
	c.start(e, p, rows)
	abandoned, err := c.wait(ctx)
	if err != nil && !abandoned {
		e.gate.leave(c)
	}
	return err
}

// finish gives back a call whose outputs were copied.
func (e *engine) finish(c *call, p *plan) {
	c.freeOutputs(p)
	e.gate.leave(c)
}

func (e *engine) close() error {
	e.gate.close(e.interrupt)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.session == nil {
		return nil
	}
	var errs []error
	for _, p := range e.plans {
		if p.fast != nil {
			errs = append(errs, p.fast.close())
		}
		p.free()
	}
	errs = append(errs, e.session.close())
	e.session, e.plans, e.rewrite = nil, nil, nil
	return errors.Join(errs...)
}

// interrupt makes TensorFlow end what runs, as soon as it looks.
func (e *engine) interrupt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.plans {
		if p.fast != nil {
			p.fast.interrupt()
		}
	}
	e.session.interrupt()
}
