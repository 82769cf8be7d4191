package tfbridge

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// checkInputs checks that inputs are what the ports take: names, element types, ranks and dimensions.
func checkInputs(ports []graph.Port, inputs map[string]*tensor.Tensor) error {
	for i := range ports {
		t, ok := inputs[ports[i].Name]
		if !ok {
			return fmt.Errorf("%w: %q is missing; the inputs are %s", ErrInput, ports[i].Name, describe(ports))
		}
		if err := checkInput(&ports[i], t); err != nil {
			return err
		}
	}
	if len(inputs) == len(ports) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if !slices.ContainsFunc(ports, func(p graph.Port) bool { return p.Name == name }) {
			return fmt.Errorf("%w: there is no %q; the inputs are %s", ErrInput, name, describe(ports))
		}
	}
	return nil
}

// checkInput checks one tensor against the port that it is meant for.
func checkInput(p *graph.Port, t *tensor.Tensor) error {
	switch {
	case t == nil:
		return fmt.Errorf("%w: %q is nil; it takes %s", ErrInput, p.Name, describePort(p))
	case p.DType == tensor.Resource || p.DType == tensor.Variant:
		return fmt.Errorf("%w: %q takes a %v, which cannot be passed from outside TensorFlow", ErrInput, p.Name, p.DType)
	case t.DType() != p.DType:
		return fmt.Errorf("%w: %q is %v, it takes %s", ErrInput, p.Name, t, describePort(p))
	case p.Shape.Accepts(t.Shape()):
		return nil
	case len(p.Shape) != t.Rank():
		return fmt.Errorf("%w: %q is %v, of rank %d; it takes %s, of rank %d", ErrInput, p.Name, t, t.Rank(), describePort(p), len(p.Shape))
	}
	i := 0
	for p.Shape[i] < 0 || p.Shape[i] == t.Shape()[i] {
		i++
	}
	return fmt.Errorf("%w: %q is %v, it takes %s: dimension %d is %d and must be %d", ErrInput, p.Name, t, describePort(p), i, t.Shape()[i], p.Shape[i])
}

func describePort(p *graph.Port) string { return p.DType.String() + " " + p.Shape.String() }

// describe lists ports: `"x" (float32 [?,784]), "y" (int64 [])`.
func describe(ports []graph.Port) string {
	if len(ports) == 0 {
		return "none"
	}
	s := make([]string, len(ports))
	for i := range ports {
		s[i] = fmt.Sprintf("%q (%s)", ports[i].Name, describePort(&ports[i]))
		if ports[i].Optional {
			s[i] = fmt.Sprintf("%q (%s, optional)", ports[i].Name, describePort(&ports[i]))
		}
	}
	return strings.Join(s, ", ")
}
