package inference

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cambium-go/cambium/tensor"
)

// Measurement is how fast a model answers in one configuration.
type Measurement struct {
	Batch         int     `json:"batch"`
	Configuration string  `json:"configuration"`
	P50           float64 `json:"p50_us"`
	P95           float64 `json:"p95_us"`
	P99           float64 `json:"p99_us"`
	ItemsPerS     float64 `json:"items_per_s"`
}

// warmUp is how many calls go before the first one that counts: the first runs of a graph are slow.
const warmUp = 5

// Measure calls a model from a number of goroutines at once for a while, after a warm-up, and returns the latencies in
// microseconds and the rows that it answered a second.
func Measure(ctx context.Context, call Call, inputs map[string]*tensor.Tensor, batch, goroutines int, duration time.Duration) (Measurement, error) {
	for range warmUp {
		if _, err := call(ctx, inputs); err != nil {
			return Measurement{}, err
		}
	}
	latencies, errs := make([][]float64, goroutines), make([]error, goroutines)
	start := time.Now()
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() { latencies[i], errs[i] = repeat(ctx, call, inputs, start.Add(duration)) })
	}
	all.Wait()
	elapsed := time.Since(start).Seconds()
	if err := errors.Join(errs...); err != nil {
		return Measurement{}, err
	}
	sorted := slices.Concat(latencies...)
	slices.Sort(sorted)
	return Measurement{
		Batch: batch, P50: percentile(sorted, 50), P95: percentile(sorted, 95), P99: percentile(sorted, 99),
		ItemsPerS: float64(batch*len(sorted)) / elapsed,
	}, nil
}

// repeat calls the model until the end, at least once, and returns how long each call took, in microseconds.
func repeat(ctx context.Context, call Call, inputs map[string]*tensor.Tensor, end time.Time) ([]float64, error) {
	var took []float64
	for {
		start := time.Now()
		if _, err := call(ctx, inputs); err != nil {
			return nil, err
		}
		now := time.Now()
		took = append(took, float64(now.Sub(start).Nanoseconds())/1000)
		if now.After(end) {
			return took, nil
		}
	}
}

// percentile returns the value that p percent of the sorted values do not exceed (nearest rank).
func percentile(sorted []float64, p int) float64 {
	return sorted[max((len(sorted)*p+99)/100-1, 0)]
}
