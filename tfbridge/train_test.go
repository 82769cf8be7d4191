//go:build cgo

package tfbridge_test

import (
	"testing"

	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

// TestTrainable is the suite that every engine passes.
func TestTrainable(t *testing.T) {
	traintest.Run(t, func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error) {
		return tfbridge.NewMLP(m, l, o, seed, tfbridge.Options{})
	}, traintest.Options{})
}
