//go:build unix && !race

package dense_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// memoryVariable makes this test binary train and end, so that its memory can be measured.
const memoryVariable = "CAMBIUM_TEST_MEMORY"

// TestMemory trains on 60,000 samples of 784 features in a process of its own: besides the samples there may be 64 MB, and
// three tenths of the samples' size.
func TestMemory(t *testing.T) {
	const samples, features = 60000, 784
	if kind := os.Getenv(memoryVariable); kind != "" {
		trainFor(t, kind, samples, features)
		return
	}
	if testing.Short() {
		t.Skip("trains two networks")
	}
	for kind, size := range map[string]int{"float32": 4, "uint8": 1} {
		t.Run(kind, func(t *testing.T) {
			c := exec.Command(os.Args[0], "-test.run=^TestMemory$")
			c.Env = append(os.Environ(), memoryVariable+"="+kind)
			out, err := c.CombinedOutput()
			require.NoError(t, err, string(out))
			peak := int(c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			if runtime.GOOS != "darwin" {
				peak *= 1024 // the others count in KB
			}
			data := samples * features * size
			t.Logf("%d MB for %d MB of samples", peak>>20, data>>20)
			require.Greater(t, peak, data, "what is measured holds the samples")
			require.Less(t, peak, data*13/10+64<<20)
		})
	}
}

// trainFor trains for two epochs, the second with the samples where they then stay.
func trainFor(t *testing.T, kind string, samples, features int) {
	x := tensor.Must(tensor.New(map[string]tensor.DType{"float32": tensor.Float32, "uint8": tensor.Uint8}[kind], samples, features))
	bytes, y := x.Bytes(), make([]int32, samples)
	for i := range y {
		y[i] = int32(i % 10)
		for j := range features {
			if kind == "uint8" {
				bytes[i*features+j] = uint8(i*j + j)
			} else {
				bytes[4*(i*features+j)+3] = 0x3e // 2⁻³
			}
		}
	}
	m, err := dense.Sequential(dense.Input(features), dense.Dense(128, dense.ReLU), dense.Dropout(0.2), dense.Dense(10, dense.Softmax))
	require.NoError(t, err)
	defer m.Close()
	l := train.Loss{Name: train.SparseCategoricalCrossentropy}
	require.NoError(t, m.Compile(train.Adam(1e-3), l, train.AccuracyFor(l)))
	_, err = m.Fit(context.Background(), &train.Dataset{X: x, Y: tensor.Must(tensor.Of(y))}, train.Config{Epochs: 2, BatchSize: 512, ValidationSplit: 0.1})
	require.NoError(t, err)
}
