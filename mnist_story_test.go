package cambium_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/internal/fetch"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/mnist"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// A network is trained without Python and TensorFlow, saved for Keras, and loaded again. In Python,
//
//	tf.keras.models.load_model("my_mnist.h5")
//
// predicts the same, and goes on training.
func Example_mnist() {
	data, err := mnist.Read("scripts/testdata/digits_base") // a small set; the command `finetune --data mnist` fetches the whole one
	if err != nil {
		fmt.Println(err)
		return
	}
	k, m, err := trainDigits(data, 20)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "my_mnist.h5")
	if err := m.Store(k); err != nil {
		fmt.Println(err)
		return
	}
	if err := keras.Write(path, k); err != nil {
		fmt.Println(err)
		return
	}

	model, err := cambium.Load(path, &cambium.Options{Engine: cambium.Native})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	images, err := data.Test.Images.Cast(tensor.Float32)
	if err != nil {
		fmt.Println(err)
		return
	}
	y, err := model.Predict(context.Background(), images)
	if err != nil {
		fmt.Println(err)
		return
	}
	evaluated, err := m.Evaluate(&train.Dataset{X: images, Y: data.Test.Labels})
	if err != nil {
		fmt.Println(err)
		return
	}
	loaded := share(y, data.Test.Labels)
	fmt.Println("learnt:", loaded > 0.8, "the file is the model:", loaded == float32(evaluated["accuracy"]))
	// Output: learnt: true the file is the model: true
}

// trainDigits trains a network of one hidden layer with Adam: a Keras model, and the native one that was trained.
func trainDigits(data *mnist.Data, epochs int) (*keras.Model, *dense.Model, error) {
	k, err := keras.NewSequential("my_mnist", keras.Input(28, 28), keras.Rescaling(1.0/255, 0), keras.Flatten(), keras.Dense(128, "relu"), keras.Dense(10, "softmax"))
	if err != nil {
		return nil, nil, err
	}
	m, err := dense.FromKeras(k, dense.Config{Seed: 1})
	if err != nil {
		return nil, nil, err
	}
	loss := train.Loss{Name: train.SparseCategoricalCrossentropy}
	if err := m.Compile(train.Adam(0.001), loss, train.AccuracyFor(loss)); err != nil {
		return nil, nil, err
	}
	images, err := data.Train.Images.Cast(tensor.Float32)
	if err != nil {
		return nil, nil, err
	}
	_, err = m.Fit(context.Background(), &train.Dataset{X: images, Y: data.Train.Labels}, train.Config{Epochs: epochs, BatchSize: 32})
	return k, m, err
}

// share is how often the largest of a row of probabilities [n, 10] is the label.
func share(y, labels *tensor.Tensor) float32 {
	p, _ := tensor.Data[float32](y)
	want, _ := tensor.Data[uint8](labels)
	right := 0
	for i, l := range want {
		row, best := p[10*i:10*i+10], 0
		for j := range row {
			if row[j] > row[best] {
				best = j
			}
		}
		if best == int(l) {
			right++
		}
	}
	return float32(right) / float32(len(want))
}

// TestMNISTInPython is the part in Go of scripts/parity_mnist.py, in the folder that it names. First, the network is trained on
// MNIST and written with its accuracy; then the files that Python wrote are as accurate in Go as they were there.
func TestMNISTInPython(t *testing.T) {
	dir := os.Getenv("CAMBIUM_PARITY_MNIST")
	if dir == "" {
		t.Skip("CAMBIUM_PARITY_MNIST is not set: scripts/parity_mnist.py sets it")
	}
	folder, err := fetch.MNIST(t.Context(), os.Stderr)
	require.NoError(t, err)
	data, err := mnist.Read(folder)
	require.NoError(t, err)
	images, err := data.Test.Images.Cast(tensor.Float32)
	require.NoError(t, err)
	accuracies := map[string]float32{}
	text, err := os.ReadFile(filepath.Join(dir, "python.json"))
	if os.IsNotExist(err) {
		k, m, err := trainDigits(data, 2)
		require.NoError(t, err)
		defer m.Close()
		require.NoError(t, m.Store(k))
		for _, name := range []string{"my_mnist.h5", "my_mnist.keras"} {
			require.NoError(t, keras.Write(filepath.Join(dir, name), k))
		}
		y, err := m.Predict(images)
		require.NoError(t, err)
		accuracies["go"] = share(y, data.Test.Labels)
		text, err = json.Marshal(accuracies)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "go.json"), text, 0o600))
		return
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &accuracies))
	require.NotEmpty(t, accuracies)
	for name, want := range accuracies {
		for _, engine := range []cambium.Engine{cambium.Native, cambium.TensorFlow} {
			t.Run(name+" "+string(engine), func(t *testing.T) {
				if engine == cambium.TensorFlow {
					needTensorFlow(t)
				}
				model, err := cambium.Load(filepath.Join(dir, name), &cambium.Options{Engine: engine})
				require.NoError(t, err)
				defer model.Close()
				y, err := model.Predict(t.Context(), images)
				require.NoError(t, err)
				require.InDelta(t, want, share(y, data.Test.Labels), 1e-4) // one of ten thousand may be a tie
			})
		}
	}
}
