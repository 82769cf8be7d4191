package finetune

import (
	"fmt"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

// engine builds networks.
type engine struct {
	name string
	new  func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error)
}

// NeedsTensorFlow reports whether a run uses TensorFlow: for a base, or because the engine is asked for.
func (o *Options) NeedsTensorFlow() bool {
	return o.Base != "none" || o.Compare || o.Engine == "tensorflow"
}

// engineFor returns the engine that o names; auto is the native one, which is the faster for networks of this kind.
func engineFor(o *Options) (engine, error) {
	if o.Compare || o.Engine == "tensorflow" {
		if !tfbridge.Available {
			return engine{}, fmt.Errorf("%w: engine tensorflow: %w", ErrUnsupported, tfbridge.ErrNotBuilt)
		}
	}
	if o.Engine == "tensorflow" {
		return tensorflowEngine(o), nil
	}
	return nativeEngine(o), nil
}

func nativeEngine(o *Options) engine {
	return engine{"native", func(m train.MLP, l train.Loss, opt train.Optimizer, seed uint64) (train.Trainable, error) {
		return dense.FromMLP(m, l, opt, dense.Config{Seed: seed, Threads: o.Threads})
	}}
}

func tensorflowEngine(o *Options) engine {
	return engine{"tensorflow", func(m train.MLP, l train.Loss, opt train.Optimizer, seed uint64) (train.Trainable, error) {
		return tfbridge.NewMLP(m, l, opt, seed, o.tensorflow())
	}}
}
