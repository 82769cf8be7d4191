package dense_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/dense/internal/kernel"
	"github.com/cambium-go/cambium/train"
	"github.com/cambium-go/cambium/train/traintest"
)

// onEveryLevel runs f on each SIMD level that the processor has.
func onEveryLevel(t *testing.T, f func(t *testing.T)) {
	before := kernel.Current()
	defer func() { require.NoError(t, kernel.Use(before)) }()
	for l := kernel.Portable; l <= kernel.Best(); l++ {
		t.Run(l.String(), func(t *testing.T) {
			require.NoError(t, kernel.Use(l))
			f(t)
		})
	}
}

// TestSuite is the suite that every engine passes, for several numbers of threads.
func TestSuite(t *testing.T) {
	onEveryLevel(t, func(t *testing.T) {
		for _, threads := range []int{1, 3} {
			traintest.Run(t, func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error) {
				return dense.FromMLP(m, l, o, dense.Config{Seed: seed, Threads: threads})
			}, traintest.Options{})
		}
	})
}
