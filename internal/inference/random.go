package inference

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
)

// ErrRandom says that no input can be made up for a port.
var ErrRandom = errors.New("no random input")

// Random makes up an input for each port of a signature that has no default: floats and complex numbers uniform in [0, 1), integers in [0, 10), bools,
// always the same for a seed. An unknown first dimension becomes batch; any other unknown dimension is an error, and
// strings are, since what they should say cannot be guessed.
func Random(sig graph.Signature, batch int, seed uint64) (map[string]*tensor.Tensor, error) {
	inputs := map[string]*tensor.Tensor{}
	r := rand.New(rand.NewPCG(seed, 0))
	for _, p := range sig.Needed() {
		shape, err := concrete(p, batch)
		if err != nil {
			return nil, err
		}
		if inputs[p.Name], err = random(r, p, shape); err != nil {
			return nil, fmt.Errorf("input %s: %w; give it with --input", p.Name, err)
		}
	}
	return inputs, nil
}

// concrete replaces the unknown first dimension of a port by batch.
func concrete(p graph.Port, batch int) (tensor.Shape, error) {
	if p.Shape == nil {
		return nil, fmt.Errorf("input %s: %w: its rank is unknown; give it with --input", p.Name, ErrRandom)
	}
	shape := p.Shape.Clone()
	for i, d := range shape {
		switch {
		case d >= 0:
		case i == 0:
			shape[0] = batch
		default:
			return nil, fmt.Errorf("input %s: %w: dimension %d of %v is unknown; give it with --input", p.Name, ErrRandom, i, p.Shape)
		}
	}
	return shape, nil
}

func random(r *rand.Rand, p graph.Port, shape tensor.Shape) (*tensor.Tensor, error) {
	n, err := shape.Elements()
	if err != nil {
		return nil, err
	}
	switch {
	case p.DType == tensor.Bool:
		values := make([]bool, n)
		for i := range values {
			values[i] = r.IntN(2) == 1
		}
		return tensor.Of(values, shape...)
	case p.DType.IsInteger():
		values := make([]int64, n)
		for i := range values {
			values[i] = int64(r.IntN(10))
		}
		return cast(values, p.DType, shape)
	case p.DType.IsFloat():
		values := make([]float64, n)
		for i := range values {
			values[i] = r.Float64()
		}
		return cast(values, p.DType, shape)
	case p.DType == tensor.Complex64 || p.DType == tensor.Complex128:
		values := make([]complex128, n)
		for i := range values {
			values[i] = complex(r.Float64(), r.Float64())
		}
		return cast(values, p.DType, shape)
	default:
		return nil, fmt.Errorf("%w: %v cannot be made up", ErrRandom, p.DType)
	}
}

func cast[T tensor.Element](values []T, d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	t, err := tensor.Of(values, shape...)
	if err != nil {
		return nil, err
	}
	return t.Cast(d)
}
