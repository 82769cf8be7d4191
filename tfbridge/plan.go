//go:build cgo

package tfbridge

/*
#include "run.h"
*/
import "C"

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cambium-go/cambium/graph"
)

// plan says what one kind of call runs: which tensors of which session are fed, fetched and run.
type plan struct {
	name    string // of the signature; "" where there is none
	session *session
	c       *C.cambium_plan
	inputs  []graph.Port
	outputs []graph.Port
	fast    *fast // the same signature, rewritten; nil where that cannot be done

	straight bool         // no loops: how long a run takes is a matter of how many rows there are
	perRow   atomic.Int64 // nanoseconds, in the last run
}

// short is how long a caller can be expected to wait even if its context ends.
const short = time.Millisecond

// quick reports whether a run on so many rows will be over before it pays to start a goroutine for it.
func (p *plan) quick(rows int) bool {
	perRow := p.perRow.Load()
	return p.straight && perRow > 0 && perRow*int64(rows) < int64(short)
}

// ran remembers how long a run took.
func (p *plan) ran(rows int, d time.Duration) {
	p.perRow.Store(max(int64(d)/int64(max(rows, 1)), 1))
}

// signaturePlan returns the plan of a signature.
func (s *session) signaturePlan(sig *graph.Signature) (*plan, error) {
	p, err := s.plan(graph.Parts(sig.Inputs), graph.Parts(sig.Outputs), nil)
	if err != nil {
		return nil, fmt.Errorf("signature %q: %w", sig.Name, err)
	}
	p.name = sig.Name
	return p, nil
}

// plan looks up the tensors and nodes in the graph. What the ports say of their element types must be what the graph says.
func (s *session) plan(inputs, outputs []graph.Port, targets []string) (*plan, error) {
	p := &plan{session: s, inputs: inputs, outputs: outputs, c: C.cambium_new_plan(s.cSession, C.int(len(inputs)), C.int(len(outputs)), C.int(len(targets)))}
	err := s.lookUp(p.c.inputs, inputs)
	if err == nil {
		err = s.lookUp(p.c.outputs, outputs)
	}
	ops := unsafe.Slice(p.c.targets, len(targets))
	for i, name := range targets {
		if ops[i] = s.operation(name); ops[i] == nil && err == nil {
			err = fmt.Errorf("%w: the graph has no node %q", ErrName, name)
		}
	}
	if err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

func (s *session) lookUp(to *C.TF_Output, ports []graph.Port) error {
	outputs := unsafe.Slice(to, len(ports))
	for i := range ports {
		o, err := s.output(ports[i].Tensor)
		if err != nil {
			return fmt.Errorf("%q: %w", ports[i].Name, err)
		}
		if d := elementType(uint32(C.TF_OperationOutputType(o))); d != ports[i].DType {
			return fmt.Errorf("%w: %q should be %v, but %s is %v", graph.ErrMalformed, ports[i].Name, ports[i].DType, ports[i].Tensor, d)
		}
		outputs[i] = o
	}
	return nil
}

// wrap says which signature an error came from. A context's own error stays as it is.
func (p *plan) wrap(err error) error {
	if err == nil || p.name == "" || err == context.Canceled || err == context.DeadlineExceeded { //nolint:errorlint // not what wraps them
		return err
	}
	return fmt.Errorf("signature %q: %w", p.name, err)
}

// on returns the same plan for another session on the same graph.
func (p *plan) on(s *session) *plan {
	return &plan{name: p.name, session: s, c: C.cambium_copy_plan(p.c, s.cSession), inputs: p.inputs, outputs: p.outputs, straight: p.straight}
}

func (p *plan) free() { C.cambium_delete_plan(p.c) }
