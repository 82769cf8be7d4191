package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/train"
)

func TestWarmup(t *testing.T) {
	s := train.Warmup{Target: 0.4, Steps: 4}
	for i, want := range []float64{0.1, 0.2, 0.3, 0.4, 0.4, 0.4} {
		require.InDelta(t, want, s.At(int64(i)), 1e-15)
	}
	s.After = train.ExponentialDecay{Initial: 0.4, Rate: 0.5, Steps: 1}
	for i, want := range []float64{0.1, 0.2, 0.3, 0.4, 0.4, 0.2, 0.1} {
		require.InDelta(t, want, s.At(int64(i)), 1e-15)
	}
}
