package source

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// ErrSource says that an input is missing, unknown, or not of the form that was needed.
var ErrSource = errors.New("input")

// Arg is one --input argument.
type Arg struct {
	Name string // "" where it was left out
	Spec string // "f.npy", "f.npz:key", "json:[[1,2]]" …
}

// ParseArg splits NAME=SOURCE. What stands before the first "=" is a name unless it looks like a path or like JSON.
func ParseArg(s string) Arg {
	name, spec, found := strings.Cut(s, "=")
	if !found || name == "" || strings.HasPrefix(s, "json:") || strings.ContainsAny(name, `/\.`) {
		return Arg{Spec: s}
	}
	return Arg{Name: name, Spec: spec}
}

// Bind reads the arguments as values for the inputs of a signature, converted to their element types.
func Bind(sig graph.Signature, args []Arg) (map[string]*tensor.Tensor, error) {
	values := map[string]*tensor.Tensor{}
	for _, a := range args {
		port, err := portOf(sig, &a)
		if err != nil {
			return nil, err
		}
		if values[port.Name] != nil {
			return nil, fmt.Errorf("%w %s was given twice", ErrSource, port.Name)
		}
		if values[port.Name], err = Read(a.Spec, port); err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrSource, port.Name, err)
		}
	}
	for _, p := range graph.Parts(sig.Inputs) {
		if values[p.Name] == nil && !p.Optional {
			return nil, fmt.Errorf("%w %s (%v %v) is missing; signature %s takes %s", ErrSource, p.Name, p.DType, p.Shape, sig.Name, describe(graph.Parts(sig.Inputs)))
		}
	}
	return values, nil
}

// Feed reads the arguments as values for any tensors of a graph; names that the signature has are converted to its types.
func Feed(sig graph.Signature, args []Arg) (map[string]*tensor.Tensor, error) {
	values := map[string]*tensor.Tensor{}
	for _, a := range args {
		port, err := portOf(sig, &a)
		if err != nil {
			if a.Name == "" {
				return nil, err
			}
			port = graph.Port{Name: a.Name}
		}
		if values[port.Name], err = Read(a.Spec, port); err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrSource, port.Name, err)
		}
	}
	return values, nil
}

// portOf finds the input that an argument is meant for. ParseArg takes a name with a slash or a dot for a path: where the
// signature has such an input, it is a name.
func portOf(sig graph.Signature, a *Arg) (graph.Port, error) {
	inputs := graph.Parts(sig.Inputs)
	named := func(name string) int {
		return slices.IndexFunc(inputs, func(p graph.Port) bool { return p.Name == name })
	}
	if name, spec, found := strings.Cut(a.Spec, "="); a.Name == "" && found && named(name) >= 0 {
		a.Name, a.Spec = name, spec
	}
	if a.Name == "" {
		if needed := graph.Parts(sig.Needed()); len(needed) == 1 {
			return needed[0], nil
		} else if len(inputs) == 1 {
			return inputs[0], nil
		}
		return graph.Port{}, fmt.Errorf("%w %s: say which input it is, NAME=%s; signature %s takes %s", ErrSource, a.Spec, a.Spec, sig.Name, describe(inputs))
	}
	i := named(a.Name)
	if i < 0 {
		return graph.Port{}, fmt.Errorf("%w %s: signature %s has no such input; it takes %s", ErrSource, a.Name, sig.Name, describe(inputs))
	}
	return inputs[i], nil
}

func describe(ports []graph.Port) string {
	if len(ports) == 0 {
		return "no inputs"
	}
	parts := make([]string, len(ports))
	for i, p := range ports {
		parts[i] = fmt.Sprintf("%s (%v %v)", p.Name, p.DType, p.Shape)
		if p.Optional {
			parts[i] = fmt.Sprintf("%s (%v %v, optional)", p.Name, p.DType, p.Shape)
		}
	}
	return strings.Join(parts, ", ")
}

// Read reads one source as a value for a port. A port without an element type takes the source's own.
func Read(spec string, port graph.Port) (*tensor.Tensor, error) {
	t, err := readAny(spec, port)
	if err != nil {
		return nil, err
	}
	if port.DType != tensor.Invalid && t.DType() != port.DType {
		if t, err = t.Convert(port.DType); err != nil {
			return nil, fmt.Errorf("%s: %w", spec, err)
		}
	}
	return t, nil
}

func readAny(spec string, port graph.Port) (*tensor.Tensor, error) {
	if text, ok := strings.CutPrefix(spec, "json:"); ok {
		return tensor.ReadJSON(strings.NewReader(text), port.DType)
	}
	if i := strings.LastIndex(strings.ToLower(spec), ".npz:"); i >= 0 {
		return readNPZ(spec[:i+4], spec[i+5:])
	}
	switch ext := strings.ToLower(filepath.Ext(spec)); ext {
	case ".npy":
		return readNPY(spec)
	case ".npz":
		return readNPZ(spec, "")
	case ".json":
		return readJSON(spec, port)
	case ".csv":
		return readCSV(spec, port)
	case ".txt":
		return readText(spec, port)
	case ".png", ".jpg", ".jpeg", ".gif", ".bmp":
		return readImage(spec, port)
	default:
		return nil, fmt.Errorf("%s: %w: %q is no known kind; the kinds are .npy, .npz, .json, .csv, .txt, .png, .jpg, .gif, .bmp and json:[…]", spec, ErrSource, ext)
	}
}
