//go:build !cgo

package tfbridge

import "github.com/cambium-go/cambium/train"

func newMLP(train.MLP, train.Loss, train.Optimizer, uint64, Options, []train.Weight) (train.Trainable, error) {
	return nil, errNotBuilt
}

func newFineTuned(Base, train.MLP, train.Loss, train.Optimizer, uint64, Options, []train.Weight) (train.Trainable, error) {
	return nil, errNotBuilt
}
