package traintest_test

import (
	"testing"

	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

func TestReference(t *testing.T) {
	traintest.Run(t, func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error) {
		return traintest.NewReference(m, l, o, seed)
	}, traintest.Options{Allocates: true})
}
