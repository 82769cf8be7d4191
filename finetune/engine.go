package finetune

import (
	"fmt"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/train"
)

// engine builds networks.
type engine struct {
	name string
	new  func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error)
}

// engineFor returns the engine that o names; auto is the native one, which is the faster for networks of this kind.
func engineFor(o *Options) (engine, error) {
	if o.Engine == "tensorflow" {
		return engine{}, fmt.Errorf("%w: engine tensorflow: networks without a base are trained by the native engine", ErrUnsupported)
	}
	return engine{"native", func(m train.MLP, l train.Loss, opt train.Optimizer, seed uint64) (train.Trainable, error) {
		return dense.FromMLP(m, l, opt, dense.Config{Seed: seed, Threads: o.Threads})
	}}, nil
}
