//go:build cgo

package tfbridge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

func (e *engine) fetch(ctx context.Context, feeds map[string]*tensor.Tensor, fetches []string) (map[string]*tensor.Tensor, error) {
	passed := map[string]*tensor.Tensor{} // TensorFlow refuses to fetch what is fed
	fetches = slices.DeleteFunc(slices.Clone(fetches), func(name string) bool {
		if t := feeds[name]; t != nil {
			passed[name] = t.Clone()
		}
		return passed[name] != nil
	})
	if len(fetches) == 0 && len(passed) > 0 {
		return passed, nil
	}
	names := slices.Sorted(maps.Keys(feeds))
	key := planKey{feeds: strings.Join(names, "\x00"), fetches: strings.Join(fetches, "\x00")}
	p, err := e.cached(key, func() (*plan, error) { return e.fetchPlan(names, fetches) })
	if err != nil {
		return nil, err
	}
	outputs, err := e.runNamed(ctx, p, feeds)
	if err != nil {
		return nil, err
	}
	maps.Copy(outputs, passed)
	return outputs, nil
}

// fetchPlan returns a plan for tensors and nodes by their names.
func (e *engine) fetchPlan(feeds, fetches []string) (*plan, error) {
	if len(fetches) == 0 {
		return nil, fmt.Errorf("%w: nothing is fetched", ErrInput)
	}
	var in, out []graph.Port
	var targets []string
	for _, name := range feeds {
		p, err := e.resolve(name, true)
		if err != nil {
			return nil, err
		}
		in = append(in, p)
	}
	for _, name := range fetches {
		if e.isTarget(name) {
			targets = append(targets, name)
			continue
		}
		p, err := e.resolve(name, false)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(q graph.Port) bool { return q.Name == name }) {
			out = append(out, p)
		}
	}
	return e.session.plan(in, out, targets)
}

// resolve finds the tensor that a name means: a port of the chosen signature, or "node" or "node:0" of the graph.
func (e *engine) resolve(name string, input bool) (graph.Port, error) {
	ports := e.ports(input)
	for _, p := range ports {
		if p.Name == name {
			return p, nil
		}
	}
	o, err := e.session.output(name)
	if err != nil {
		return graph.Port{}, fmt.Errorf("%w; the signature has %s", err, describe(ports))
	}
	return e.session.port(name, o), nil
}

// ports returns the inputs or outputs of the chosen signature.
func (e *engine) ports(input bool) []graph.Port {
	switch {
	case e.chosen == nil:
		return nil
	case input:
		return graph.Parts(e.chosen.Inputs)
	default:
		return graph.Parts(e.chosen.Outputs)
	}
}

// isTarget reports whether a name means a node that has no output.
func (e *engine) isTarget(name string) bool {
	if strings.Contains(name, ":") {
		return false
	}
	op := e.session.operation(name)
	return op != nil && numOutputs(op) == 0
}
