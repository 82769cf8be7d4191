//go:build cgo

package tfbridge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// slow returns x [?,?] → y, the product of x with itself, over and over: seconds for a 768×768 matrix.
func slow(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.NewBuilder()
	shape := tensor.Shape{-1, -1}
	x := b.Placeholder("x", tensor.Float32, shape)
	y := x
	for i := range 400 {
		y = b.Op("MatMul", fmt.Sprint("y", i), []graph.Ref{y, x}, graph.Attrs{"T": tensor.Float32})
	}
	return finish(t, b, graph.Signature{
		Name:    graph.DefaultSignature,
		Inputs:  []graph.Port{port("x", tensor.Float32, shape, x)},
		Outputs: []graph.Port{port("y", tensor.Float32, nil, y)},
	})
}

func matrix(t testing.TB, n int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(tensor.Float32, n, n)
	require.NoError(t, err)
	v, err := tensor.Data[float32](x)
	require.NoError(t, err)
	for i := range n {
		v[i*n+i] = 1
	}
	return x
}

// both runs a test on the graph as it was loaded and as it is rewritten.
func both(t *testing.T, f func(t *testing.T, opts tfbridge.Options)) {
	t.Run("rewritten", func(t *testing.T) { f(t, tfbridge.Options{}) })
	t.Run("as loaded", func(t *testing.T) { f(t, tfbridge.Options{NoRewrite: true}) })
}

// A caller whose context ends comes back at once, and the model works on.
func TestContextEndsTheWait(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		m := open(t, slow(t), opts)
		_, err := m.Predict(t.Context(), matrix(t, 4))
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = m.Predict(ctx, matrix(t, 640))
		require.ErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err = m.Predict(ctx, matrix(t, 512))
		require.ErrorIs(t, err, context.Canceled)

		_, err = m.Predict(ctx, matrix(t, 4))
		require.ErrorIs(t, err, context.Canceled, "a context that has ended")
		y, err := m.Predict(t.Context(), matrix(t, 2))
		require.NoError(t, err)
		require.Equal(t, []float64{1, 0, 0, 1}, values(t, y))
	})
}

func TestTimeout(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		opts.Timeout = 100 * time.Millisecond
		m := open(t, slow(t), opts)
		_, err := m.Predict(context.Background(), matrix(t, 640))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Eventually(t, func() bool { // while the first run goes on in the background the second may be late too
			y, err := m.Predict(context.Background(), matrix(t, 2))
			return err == nil && y.Len() == 4
		}, 20*time.Second, time.Millisecond)
	})
}

// loop runs a small model that loops for so many steps: forever, in practice.
func loop(ctx context.Context, t *testing.T, m *tfbridge.Model) error {
	_, err := m.Call(ctx, map[string]*tensor.Tensor{"x": floats(t, []int{1, 2}, 1, 2), "steps": tensor.Scalar(int32(1 << 30))})
	return err
}

// A deadline ends the work too, where TensorFlow looks: between the iterations of a loop.
func TestDeadlineEndsTheWork(t *testing.T) {
	m := openModel(t, "control_flow", tfbridge.Options{MaxConcurrent: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, loop(ctx, t, m), context.DeadlineExceeded)
	// There is one turn, and the endless loop had it.
	_, err := m.Call(t.Context(), map[string]*tensor.Tensor{"x": floats(t, []int{1, 2}, 1, 2), "steps": tensor.Scalar(int32(1))})
	require.NoError(t, err)
}

// Close ends what a caller without a deadline has left behind.
func TestCloseEndsAbandonedCalls(t *testing.T) {
	m := openModel(t, "control_flow", tfbridge.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	require.ErrorIs(t, loop(ctx, t, m), context.Canceled)
	require.NoError(t, m.Close())
}

// A caller that waits for its turn goes when its context ends or when the model is closed.
func TestWaitingForATurn(t *testing.T) {
	m := openModel(t, "control_flow", tfbridge.Options{MaxConcurrent: 1})
	patient, stop := context.WithTimeout(t.Context(), time.Minute) // whatever is wrong, nothing hangs
	defer stop()
	step := func(ctx context.Context) error {
		_, err := m.Call(ctx, map[string]*tensor.Tensor{"x": floats(t, []int{1, 2}, 1, 2), "steps": tensor.Scalar(int32(1))})
		return err
	}
	require.NoError(t, step(patient)) // the first takes long
	busy, cancel := context.WithCancel(patient)
	running, waiting, closed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { running <- loop(busy, t, m) }()
	require.Eventually(t, func() bool { // as soon as it has its turn
		ctx, stop := context.WithTimeout(patient, 200*time.Millisecond)
		defer stop()
		return errors.Is(step(ctx), context.DeadlineExceeded)
	}, time.Minute, time.Millisecond)
	go func() { waiting <- loop(patient, t, m) }()
	time.Sleep(20 * time.Millisecond)
	go func() { closed <- m.Close() }()
	require.ErrorIs(t, <-waiting, tfbridge.ErrClosed)
	cancel()
	require.ErrorIs(t, <-running, context.Canceled)
	require.NoError(t, <-closed)
}

// Without a context a caller gets an error, however large the batch and with a timeout too.
func TestNoContext(t *testing.T) {
	m := openMLP(t, tfbridge.Options{Timeout: time.Minute})
	for _, n := range []int{1, 600} {
		x := tensor.Must(tensor.New(tensor.Float32, n, 784))
		_, err := m.Predict(nil, x) //nolint:staticcheck // what is tested
		require.ErrorIs(t, err, tfbridge.ErrInput)
		_, err = m.Call(nil, map[string]*tensor.Tensor{m.Signature().Inputs[0].Name: x}) //nolint:staticcheck // the same
		require.ErrorIs(t, err, tfbridge.ErrInput)
	}
	_, err := tfbridge.New(nil, slow(t), tfbridge.Options{}) //nolint:staticcheck // the same
	require.ErrorIs(t, err, tfbridge.ErrInput)
}

func TestClose(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		m := open(t, slow(t), opts)
		var callers sync.WaitGroup
		errs := make(chan error, 8)
		for range 8 {
			callers.Go(func() {
				for {
					if _, err := m.Predict(t.Context(), matrix(t, 32)); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		var closers sync.WaitGroup
		for range 3 {
			closers.Go(func() { require.NoError(t, m.Close()) })
		}
		closers.Wait()
		callers.Wait()
		for range 8 {
			require.ErrorIs(t, <-errs, tfbridge.ErrClosed)
		}
		_, err := m.Predict(t.Context(), matrix(t, 2))
		require.ErrorIs(t, err, tfbridge.ErrClosed)
		_, err = m.Call(t.Context(), nil)
		require.ErrorIs(t, err, tfbridge.ErrClosed)
		_, err = m.Fetch(t.Context(), nil, []string{"y1"})
		require.ErrorIs(t, err, tfbridge.ErrClosed)
		require.NoError(t, m.Close())
		require.Len(t, m.Signatures(), 1)
	})
}

// A model that is closed while a call was abandoned waits for what that call left running.
func TestCloseWaitsForAbandonedCalls(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		m := open(t, slow(t), opts)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := m.Predict(ctx, matrix(t, 512))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, m.Close())
	})
}

func TestNewHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tfbridge.New(ctx, linear(t, 0), tfbridge.Options{})
	require.ErrorIs(t, err, context.Canceled)
}
