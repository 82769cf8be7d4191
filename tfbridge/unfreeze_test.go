//go:build cgo

package tfbridge_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium"
	"github.com/cambium-go/cambium/graph"
	"github.com/cambium-go/cambium/keras"
	"github.com/cambium-go/cambium/savedmodel"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/tfbridge"
	"github.com/cambium-go/cambium/train"
)

// unfreezeCase is what scripts/parity_unfreeze.py and record_unfreeze.py write beside a model: x, y, and for each way of
// training NAME.npz with the losses of SGD's steps and, in the order of Keras's trainable variables and of those that are not,
// gradients of the first step and weights around it.
type unfreezeCase struct {
	Rate           float64
	Classes, Width int
	Ways           []unfreezeWay
	folder         string
	x, y           *tensor.Tensor
}

type unfreezeWay struct {
	Name            string
	BatchStatistics bool     `json:"batch_statistics"`
	Layers          []string // that are trainable
	Variables       []string // trainable, of the head too
}

func readUnfreezeCase(t *testing.T, folder string) *unfreezeCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "case.json"))
	require.NoError(t, err)
	c := &unfreezeCase{folder: folder}
	require.NoError(t, json.Unmarshal(data, c))
	array := func(name string) *tensor.Tensor {
		f, err := os.Open(filepath.Join(folder, name))
		require.NoError(t, err)
		defer func() { require.NoError(t, f.Close()) }()
		a, err := tensor.ReadNPY(f)
		require.NoError(t, err)
		return a
	}
	c.x, c.y = array("x.npy"), array("y.npy")
	return c
}

// TestUnfreezeParity is run by scripts/parity_unfreeze.py.
func TestUnfreezeParity(t *testing.T) {
	folder := os.Getenv("CAMBIUM_UNFREEZE")
	if folder == "" {
		t.Skip("run scripts/parity_unfreeze.py")
	}
	cases, err := filepath.Glob(filepath.Join(folder, "*", "case.json"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, path := range cases {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { readUnfreezeCase(t, filepath.Dir(path)).run(t) })
	}
}

func (c *unfreezeCase) run(t *testing.T) {
	model, err := keras.Load(filepath.Join(c.folder, "model.keras"))
	require.NoError(t, err)
	for _, way := range c.Ways {
		expected := readNPZ(t, filepath.Join(c.folder, way.Name+".npz"))
		t.Run("keras/"+way.Name, func(t *testing.T) {
			b, err := model.TrainingBase(keras.TrainingOptions{BatchStatistics: way.BatchStatistics,
				Trainable: func(l *keras.Layer) bool { return slices.Contains(way.Layers, l.Name) }})
			require.NoError(t, err)
			c.compare(t, tfbridge.Base(*b), expected)
		})
		if _, err := os.Stat(filepath.Join(c.folder, "saved_model")); err == nil && !way.BatchStatistics { // it is the inference trace
			t.Run("saved_model/"+way.Name, func(t *testing.T) { c.compare(t, c.savedModel(t, expected), expected) })
		}
	}
}

func readNPZ(t *testing.T, path string) map[string]*tensor.Tensor {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	arrays, err := tensor.ReadNPZ(strings.NewReader(string(data)), int64(len(data)))
	require.NoError(t, err)
	m := map[string]*tensor.Tensor{}
	for _, a := range arrays {
		m[a.Name] = a.Tensor
	}
	return m
}

// savedModel returns the exported model's signature, its variables found by their values.
func (c *unfreezeCase) savedModel(t *testing.T, expected map[string]*tensor.Tensor) tfbridge.Base {
	g, err := cambium.ReadGraph(filepath.Join(c.folder, "saved_model"))
	require.NoError(t, err)
	require.NoError(t, savedmodel.ReadVariables(g))
	s, err := g.Signature(graph.DefaultSignature)
	require.NoError(t, err)
	one := *g
	one.Signatures, one.Checkpoint, one.Init = []graph.Signature{*s}, nil, graph.Init{}
	flat, err := graph.Inline(&one)
	require.NoError(t, err)
	flat, err = graph.Prune(flat, s.Inputs[0].Tensor, s.Outputs[0].Tensor)
	require.NoError(t, err)
	b := tfbridge.Base{Inference: flat}
	for i := 0; expected[fmt.Sprintf("weight%04d", i)] != nil; i++ {
		for name, v := range flat.Variables {
			if v.Equal(expected[fmt.Sprintf("weight%04d", i)]) {
				b.Trainable = append(b.Trainable, name)
			}
		}
	}
	return b
}

// compare takes the same steps.
func (c *unfreezeCase) compare(t *testing.T, b tfbridge.Base, expected map[string]*tensor.Tensor) {
	var weights []*tensor.Tensor
	for i := 0; expected[fmt.Sprintf("weight%04d", i)] != nil; i++ {
		weights = append(weights, expected[fmt.Sprintf("weight%04d", i)])
	}
	m := train.MLP{Inputs: c.Width, Outputs: c.Classes, OutputActivation: "softmax"}
	loss := train.Loss{Name: train.SparseCategoricalCrossentropy}
	fit := func(o train.Optimizer) (train.Trainable, train.Bound) {
		model, err := tfbridge.NewFineTuning(b, m, weights[len(weights)-2:], loss, o, 1, tfbridge.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = model.Close() })
		bound, err := model.Bind(&train.Dataset{X: c.x, Y: c.y})
		require.NoError(t, err)
		return model, bound
	}
	n := c.x.Shape()[0]
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}

	// A step of SGD with momentum leaves -rate·gradient in its slots.
	model, bound := fit(train.Momentum(1, 0.9))
	before, err := model.Weights(true)
	require.NoError(t, err)
	require.NoError(t, bound.Train(order, n, nil, nil))
	state, err := model.State()
	require.NoError(t, err)
	require.Len(t, state.Slots, len(weights), "trainable variables")
	worst := 0.0
	trainable := slices.DeleteFunc(slices.Clone(before), func(w train.Weight) bool { return !w.Trainable })
	for i, slot := range state.Slots {
		name := trainable[i].Name
		k := slices.IndexFunc(weights, trainable[i].Value.Equal)
		require.GreaterOrEqual(t, k, 0, "%s is none of Keras's trainable variables", name)
		d := relative(t, expected[fmt.Sprintf("gradient%04d", k)], slot.Value, -1)
		worst = max(worst, d)
		assert.Less(t, d, 1e-4, "gradient of %s", name)
	}
	t.Logf("gradients of %d variables: within %.1e", len(state.Slots), worst)
	after, err := model.Weights(true)
	require.NoError(t, err)
	for i := 0; expected[fmt.Sprintf("before%04d", i)] != nil || i < 3; i++ {
		was := expected[fmt.Sprintf("before%04d", i)]
		if was == nil {
			continue
		}
		k := slices.IndexFunc(before, func(w train.Weight) bool { return w.Value.Equal(was) })
		require.GreaterOrEqual(t, k, 0)
		require.Less(t, relative(t, expected[fmt.Sprintf("moved%04d", i)], after[k].Value, 1), 1e-4, after[k].Name)
	}

	_, bound = fit(train.SGD(c.Rate))
	want, err := tensor.Data[float32](expected["losses"])
	require.NoError(t, err)
	got, all := make([]float32, len(want)), []int32{}
	for range want {
		all = append(all, order...)
	}
	require.NoError(t, bound.Train(all, n, nil, got))
	t.Logf("losses %v", got)
	for i := range want {
		require.InEpsilon(t, want[i], got[i], 1e-3, "loss of step %d: Keras %v", i+1, want)
	}
}

// relative is the largest difference between want and sign·got, relative to want's largest element.
func relative(t *testing.T, want, got *tensor.Tensor, sign float64) float64 {
	t.Helper()
	a, err := tensor.Data[float32](want)
	require.NoError(t, err)
	b, err := tensor.Data[float32](got)
	require.NoError(t, err)
	require.Len(t, b, len(a))
	largest, worst := 1e-12, 0.0
	for i := range a {
		largest = max(largest, math.Abs(float64(a[i])))
		worst = max(worst, math.Abs(float64(a[i])-sign*float64(b[i])))
	}
	return worst / largest
}
