//go:build cgo

package tfbridge_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

// benchModel is a SavedModel and the shape of one item of its input.
type benchModel struct {
	name, dir string
	item      []int
}

// benchModels are the MLP and, where CAMBIUM_BENCH_MODELS names the folder that scripts/bench_tfbridge.py wrote, MobileNetV2.
func benchModels() []benchModel {
	list := []benchModel{{"mlp", filepath.Join(mnist, "mlp", "saved_model"), []int{784}}}
	if dir := os.Getenv("CAMBIUM_BENCH_MODELS"); dir != "" {
		list = append(list, benchModel{"mobilenet_v2_035_96", filepath.Join(dir, "mobilenet_v2_035_96"), []int{96, 96, 3}})
	}
	return list
}

// batch returns n items between 0 and 1.
func (m benchModel) batch(t testing.TB, n int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(tensor.Float32, append([]int{n}, m.item...)...)
	require.NoError(t, err)
	v, err := tensor.Data[float32](x)
	require.NoError(t, err)
	for i := range v {
		v[i] = float32(i%251) / 250
	}
	return x
}

// forEachCase runs f on each model with batches of 1 and 32.
func forEachCase(b *testing.B, f func(b *testing.B, m benchModel, x *tensor.Tensor)) {
	for _, m := range benchModels() {
		for _, n := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/batch=%d", m.name, n), func(b *testing.B) {
				b.ReportAllocs()
				f(b, m, m.batch(b, n))
			})
		}
	}
}

func benchmarkCall(b *testing.B, opts tfbridge.Options, ctx func(*testing.B) context.Context) {
	forEachCase(b, func(b *testing.B, bm benchModel, x *tensor.Tensor) {
		m, ctx := open(b, readGraph(b, bm.dir), opts), ctx(b)
		inputs := map[string]*tensor.Tensor{m.Signature().Inputs[0].Name: x}
		_, err := m.Call(ctx, inputs) // the first run optimizes the graph
		require.NoError(b, err)
		for b.Loop() {
			if _, err := m.Call(ctx, inputs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func background(*testing.B) context.Context { return context.Background() }

// cancelable is what the handler of a request has: a context that may end.
func cancelable(b *testing.B) context.Context { return b.Context() }

func BenchmarkCall(b *testing.B)           { benchmarkCall(b, tfbridge.Options{}, background) }
func BenchmarkCallCancelable(b *testing.B) { benchmarkCall(b, tfbridge.Options{}, cancelable) }
func BenchmarkCallAsLoaded(b *testing.B) {
	benchmarkCall(b, tfbridge.Options{NoRewrite: true}, background)
}

// BenchmarkFineTuning takes steps of batch 16 with the Keras files that scripts/bench_unfreeze.py wrote.
func BenchmarkFineTuning(b *testing.B) {
	files, err := filepath.Glob(filepath.Join(os.Getenv("CAMBIUM_BENCH_MODELS"), "*.keras"))
	require.NoError(b, err)
	if os.Getenv("CAMBIUM_BENCH_MODELS") == "" || len(files) == 0 {
		b.Skip("run scripts/bench_unfreeze.py")
	}
	for _, file := range files {
		b.Run(strings.TrimSuffix(filepath.Base(file), ".keras"), func(b *testing.B) {
			m, err := keras.Load(file)
			require.NoError(b, err)
			base, err := m.TrainingBase(keras.TrainingOptions{})
			require.NoError(b, err)
			sig := base.Inference.Signatures[0]
			head := train.MLP{Inputs: sig.Outputs[0].Shape[1], Outputs: 5, OutputActivation: "softmax"}
			model, err := tfbridge.NewFineTuning(tfbridge.Base(*base), head, nil, train.Loss{Name: train.SparseCategoricalCrossentropy}, train.Adam(1e-5), 1, tfbridge.Options{})
			require.NoError(b, err)
			defer func() { _ = model.Close() }()
			const batch = 16
			x := benchModel{item: sig.Inputs[0].Shape[1:]}.batch(b, batch)
			bound, err := model.Bind(&train.Dataset{X: x, Y: tensor.Must(tensor.Of(make([]int32, batch)))})
			require.NoError(b, err)
			order, losses := make([]int32, batch), make([]float32, 1)
			for i := range order {
				order[i] = int32(i)
			}
			for range 3 {
				require.NoError(b, bound.Train(order, batch, nil, losses))
			}
			for b.Loop() {
				if err := bound.Train(order, batch, nil, losses); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
