//go:build cgo

package tfbridge_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
)

// long reports whether the tests that take minutes run in full.
var long = os.Getenv("CAMBIUM_LONG") != ""

// count returns n in a long run, otherwise a part of it.
func count(n, part int) int {
	if long {
		return n
	}
	return part
}

// resident returns the bytes of memory that the process occupies.
func resident(t testing.TB) int64 {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the process's memory is read from /proc")
	}
	data, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages int64
	_, err = fmt.Sscan(string(data), &size, &pages)
	require.NoError(t, err)
	return pages * int64(os.Getpagesize())
}

// pattern returns rows of 784 pixels that differ from seed to seed.
func pattern(t testing.TB, rows, seed int) *tensor.Tensor {
	t.Helper()
	v := make([]float32, rows*784)
	for i := range v {
		v[i] = float32((i*31+seed*17)%97) / 96
	}
	return floats(t, []int{rows, 784}, v...)
}

// Sixty-four callers at once, 256,000 calls: every result is the one that the same input gave to a single caller.
func TestManyCallers(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		m := openMLP(t, opts)
		const callers = 64
		inputs, want := make([]*tensor.Tensor, callers), make([]*tensor.Tensor, callers)
		for i := range callers {
			inputs[i] = pattern(t, 1+i%3, i)
			y, err := m.Predict(t.Context(), inputs[i])
			require.NoError(t, err)
			want[i] = y
		}
		var corrupt, calls atomic.Int64
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for range 4000 {
					y, err := m.Predict(t.Context(), inputs[i])
					if err != nil || !y.Equal(want[i]) {
						corrupt.Add(1)
					}
					calls.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int64(callers*4000), calls.Load())
		require.Zero(t, corrupt.Load())
	})
}

// A counter that many callers count up at once loses nothing.
func TestManyCallersOfAStatefulModel(t *testing.T) {
	m := openModel(t, "counter", tfbridge.Options{})
	one := map[string]*tensor.Tensor{"by": tensor.Scalar(int64(1))}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 250 {
				_, err := m.Call(t.Context(), one)
				require.NoError(t, err)
			}
		})
	}
	wg.Wait()
	r, err := m.Call(t.Context(), map[string]*tensor.Tensor{"by": tensor.Scalar(int64(0))})
	require.NoError(t, err)
	require.Equal(t, []float64{4000}, values(t, r["count"]))
}

// The process does not grow with the number of calls: within 5 % over a million.
func TestMemoryOfCalls(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		m := openMLP(t, opts)
		x := pattern(t, 1, 0)
		call := func(n int) {
			for range n {
				_, err := m.Predict(t.Context(), x)
				require.NoError(t, err)
			}
		}
		call(10_000)
		before := resident(t)
		n := count(1_000_000, 50_000)
		call(n)
		after := resident(t)
		t.Logf("%d calls: %.1f MB, then %.1f MB", n, mb(before), mb(after))
		require.Less(t, float64(after), 1.05*float64(before))
	})
}

// Loading and closing leaves less than 0.2 MB behind each time.
func TestMemoryOfLoads(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		g := readGraph(t, filepath.Join(mnist, "mlp", "saved_model"))
		x := pattern(t, 1, 0)
		load := func(n int) {
			for range n {
				m, err := tfbridge.New(t.Context(), g, opts)
				require.NoError(t, err)
				_, err = m.Predict(t.Context(), x)
				require.NoError(t, err)
				require.NoError(t, m.Close())
			}
		}
		load(20)
		before := resident(t)
		n := count(1000, 60)
		load(n)
		growth := mb(resident(t)-before) / float64(n)
		t.Logf("%d loads: %.3f MB each, %.1f MB in all", n, growth, mb(resident(t)))
		require.Less(t, growth, 0.2)
	})
}

// Loading what TensorFlow refuses leaves nothing behind either.
func TestMemoryOfFailedLoads(t *testing.T) {
	g := linear(t, 0)
	g.Def.Node[len(g.Def.Node)-1].Attr["T"].Value = g.Def.Node[0].Attr["shape"].Value // no type
	load := func(n int) {
		for range n {
			_, err := tfbridge.New(t.Context(), g, tfbridge.Options{})
			require.ErrorIs(t, err, tfbridge.ErrTensorFlow)
		}
	}
	load(100)
	before := resident(t)
	load(1000)
	require.Less(t, mb(resident(t)-before), 20.0)
}

// Large inputs do not pile up: 288 images of 32×32 a call are 3.4 MB, as 32 of 96×96 would be.
func TestMemoryOfLargeInputs(t *testing.T) {
	both(t, func(t *testing.T, opts tfbridge.Options) {
		m := openModel(t, "convolutions", opts)
		v := make([]float32, 32*96*96*3)
		x := floats(t, []int{288, 32, 32, 3}, v...)
		call := func(n int) {
			for range n {
				_, err := m.Predict(t.Context(), x)
				require.NoError(t, err)
			}
		}
		call(20)
		before := resident(t)
		call(200)
		growth := mb(resident(t) - before)
		t.Logf("200 calls: %.1f MB more", growth)
		require.Less(t, growth, 40.0)
	})
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }
