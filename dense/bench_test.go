package dense_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// benchSamples is the size of an epoch: that of MNIST.
const benchSamples = 60000

// benchData returns random samples: about as sparse as handwritten digits, a fifth not 0, or full, without zeros.
func benchData(features, classes int, full bool) *train.Dataset {
	r := train.NewRandom(1, 1)
	x, y := make([]float32, benchSamples*features), make([]int32, benchSamples)
	for i := range y {
		y[i] = int32(r.IntN(classes))
		for j := range features {
			if v := r.Uint64(); full || v%5 == 0 {
				x[i*features+j] = float32(v>>56+1) / 256
			}
		}
	}
	return &train.Dataset{X: tensor.Must(tensor.Of(x, benchSamples, features)), Y: tensor.Must(tensor.Of(y))}
}

// benchNet is a network to train.
type benchNet struct {
	name          string
	inputs, out   int
	hidden        []int
	dropout       float64
	normalization bool
	full          bool // samples without zeros
}

// BenchmarkFit reports seconds per epoch of 60,000 samples, Adam, sparse categorical cross-entropy. scripts/bench_dense.py
// runs the same networks in Keras, JAX and scikit-learn.
func BenchmarkFit(b *testing.B) {
	for _, net := range []benchNet{
		{name: "mnist-128", inputs: 784, out: 10, hidden: []int{128}},
		{name: "mnist-128-full", inputs: 784, out: 10, hidden: []int{128}, full: true},
		{name: "mnist-512-512", inputs: 784, out: 10, hidden: []int{512, 512}},
		{name: "mnist-512-512-dropout", inputs: 784, out: 10, hidden: []int{512, 512}, dropout: 0.2},
		{name: "mnist-128-norm", inputs: 784, out: 10, hidden: []int{128}, normalization: true},
		{name: "mnist-1000", inputs: 784, out: 10, hidden: []int{1000}},
		{name: "300-100-37-7", inputs: 300, out: 7, hidden: []int{100, 37}},
	} {
		for _, batch := range []int{32, 128, 512} {
			b.Run(fmt.Sprintf("%s/batch=%d", net.name, batch), func(b *testing.B) { epochs(b, net, batch, 0) })
		}
	}
}

// BenchmarkGrowth reports how the time of an epoch of 784-128-10 at batch 128 grows with the width of the hidden layer, with the
// batch size, and with the threads up to the number of cores.
func BenchmarkGrowth(b *testing.B) {
	net := func(width int) benchNet { return benchNet{inputs: 784, out: 10, hidden: []int{width}} }
	for width := 16; width <= 2048; width *= 2 {
		b.Run(fmt.Sprintf("width=%d", width), func(b *testing.B) { epochs(b, net(width), 128, 0) })
	}
	for batch := 1; batch <= 4096; batch *= 4 {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { epochs(b, net(128), batch, 0) })
	}
	for threads := 1; threads <= runtime.GOMAXPROCS(0); threads++ {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) { epochs(b, net(128), 128, threads) })
	}
}

// epochs trains for b.N epochs and reports the seconds of one.
func epochs(b *testing.B, net benchNet, batch, threads int) {
	layers := []dense.Layer{dense.Input(net.inputs)}
	for _, units := range net.hidden {
		if net.normalization {
			layers = append(layers, dense.Dense(units), dense.BatchNormalization(), dense.Activation(dense.ReLU))
		} else {
			layers = append(layers, dense.Dense(units, dense.ReLU))
		}
		if net.dropout > 0 {
			layers = append(layers, dense.Dropout(net.dropout))
		}
	}
	m, err := dense.New(dense.Config{Threads: threads}, append(layers, dense.Dense(net.out, dense.Softmax))...)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if err := m.Compile(train.Adam(0.001), train.Loss{Name: train.SparseCategoricalCrossentropy}); err != nil {
		b.Fatal(err)
	}
	bound, err := m.Bind(shared(net))
	if err != nil {
		b.Fatal(err)
	}
	order, losses := make([]int32, benchSamples), make([]float32, benchSamples/batch+1)
	for i := range order {
		order[i] = int32(i)
	}
	train.NewRandom(2, 2).Shuffle(order)
	for _, warm := range [][]int32{order, order[:batch]} { // the second pass settles the data set
		if err := bound.Train(warm, batch, nil, losses); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := bound.Train(order, batch, nil, losses); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/epoch")
}

// shared keeps the last data set made, which most benchmarks have in common.
func shared(net benchNet) *train.Dataset {
	if key := (dataKey{net.inputs, net.out, net.full}); lastData == nil || lastKey != key {
		lastData, lastKey = benchData(net.inputs, net.out, net.full), key
	}
	return lastData
}

type dataKey struct {
	features, classes int
	full              bool
}

var (
	lastData *train.Dataset
	lastKey  dataKey
)

// BenchmarkPredict reports the time of an inference of 784-128-10, and that of the fastest calls. scripts/bench_predict.py runs
// the same network in ONNX Runtime.
func BenchmarkPredict(b *testing.B) {
	m, err := dense.Sequential(dense.Input(784), dense.Dense(128, dense.ReLU), dense.Dense(10, dense.Softmax))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for _, batch := range []int{1, 32, 1024} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			x, y := make([]float32, batch*784), make([]float32, batch*10)
			for i := range x {
				x[i] = float32(i%7) / 7
			}
			b.ReportAllocs()
			series, best := max(1, 64/batch), time.Duration(math.MaxInt64)
			for b.Loop() {
				began := time.Now()
				for range series {
					if err := m.PredictInto(y, x); err != nil {
						b.Fatal(err)
					}
				}
				best = min(best, time.Since(began)/time.Duration(series))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*series), "ns/call")
			b.ReportMetric(float64(best.Nanoseconds()), "ns/fastest")
		})
	}
}
