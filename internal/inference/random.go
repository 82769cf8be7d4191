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
// always the same for a seed. An unknown first dimension becomes batch, unknown sides of images become imageSide; any other unknown
// dimension is an error, and strings are, since what they should say cannot be guessed.
func Random(sig graph.Signature, batch int, seed uint64) (map[string]*tensor.Tensor, error) {
	inputs := map[string]*tensor.Tensor{}
	r := rand.New(rand.NewPCG(seed, 0))
	for _, p := range sig.Needed() {
		shape, err := concrete(p, batch)
		if err != nil {
			return nil, err
		}
		if inputs[p.Name], err = random(r, p, shape); err != nil {
			return nil, fmt.Errorf("input %s: %w", p.Name, err)
		}
	}
	return inputs, nil
}

const (
	// imageSide is that of images for a model that takes any: the one that most are trained on.
	imageSide = 224
	// mostRandom is how many elements an input may have: one of float32 takes 1 GiB.
	mostRandom = 1 << 28
)

// concrete replaces the unknown first dimension of a port by batch, and the unknown height and width of images by imageSide.
func concrete(p graph.Port, batch int) (tensor.Shape, error) {
	if p.Shape == nil {
		return nil, fmt.Errorf("input %s: %w: its rank is unknown", p.Name, ErrRandom)
	}
	shape := p.Shape.Clone()
	images := len(shape) == 4 && (shape[3] == 1 || shape[3] == 3)
	for i, d := range shape {
		switch {
		case d >= 0:
		case i == 0:
			shape[0] = batch
		case images:
			shape[i] = imageSide
		default:
			return nil, fmt.Errorf("input %s: %w: dimension %d of %v is unknown", p.Name, ErrRandom, i, p.Shape)
		}
	}
	return shape, nil
}

func random(r *rand.Rand, p graph.Port, shape tensor.Shape) (*tensor.Tensor, error) {
	n, err := shape.Elements()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRandom, err)
	}
	if n > mostRandom {
		return nil, fmt.Errorf("%w: %v %v has %d elements, more than %d; a smaller batch helps", ErrRandom, p.DType, shape, n, mostRandom)
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
