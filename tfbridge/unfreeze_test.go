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
	Classes, Width int
	Ways           []unfreezeWay
	folder         string
	x, y           *tensor.Tensor
}

type unfreezeWay struct {
	Rate            float64
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
			c.compare(t, tfbridge.Base(*b), way.Rate, expected)
		})
		if _, err := os.Stat(filepath.Join(c.folder, "saved_model")); err == nil && !way.BatchStatistics { // it is the inference trace
			t.Run("saved_model/"+way.Name, func(t *testing.T) { c.compare(t, c.savedModel(t, way.Name == "frozen", expected), way.Rate, expected) })
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

// savedModel returns the exported model's signature with the variables that are Keras's trainable ones by their values: as they
// are, or frozen and thawed again, which must find every one of them.
func (c *unfreezeCase) savedModel(t *testing.T, thaw bool, expected map[string]*tensor.Tensor) tfbridge.Base {
	g, err := cambium.ReadGraph(filepath.Join(c.folder, "saved_model"))
	require.NoError(t, err)
	require.NoError(t, savedmodel.ReadVariables(g))
	if thaw {
		g, err = graph.ForSignature(g, graph.DefaultSignature)
		require.NoError(t, err)
		g, err = graph.Thaw(g)
		require.NoError(t, err)
	} else {
		s, err := g.Signature(graph.DefaultSignature)
		require.NoError(t, err)
		one := *g
		one.Signatures, one.Checkpoint, one.Init = []graph.Signature{*s}, nil, graph.Init{}
		g, err = graph.Inline(&one)
		require.NoError(t, err)
		g, err = graph.Prune(g, s.Inputs[0].Tensor, s.Outputs[0].Tensor)
		require.NoError(t, err)
	}
	b := tfbridge.Base{Inference: g}
	weights := 0
	for i := 0; expected[fmt.Sprintf("weight%04d", i)] != nil; i++ {
		weights++
		for name, v := range g.Variables {
			if v.Equal(expected[fmt.Sprintf("weight%04d", i)]) {
				b.Trainable = append(b.Trainable, name)
			}
		}
	}
	if thaw {
		require.Len(t, b.Trainable, weights-2, "but for the head's")
		require.Len(t, g.Variables, weights-2, "no statistics among the weights")
	}
	return b
}

// gradientTolerance is what gradients may differ by, relative to a variable's largest or, from float64's, to the length of all.
const gradientTolerance = 1e-4

// compare takes the same steps.
func (c *unfreezeCase) compare(t *testing.T, b tfbridge.Base, rate float64, expected map[string]*tensor.Tensor) {
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
	trainable := slices.DeleteFunc(slices.Clone(before), func(w train.Weight) bool { return !w.Trainable })
	worst, rounded := 0.0, roundings{}
	for i, slot := range state.Slots {
		name := trainable[i].Name
		k := slices.IndexFunc(weights, trainable[i].Value.Equal)
		require.GreaterOrEqual(t, k, 0, "%s is none of Keras's trainable variables", name)
		want := expected[fmt.Sprintf("gradient%04d", k)]
		if exact := expected[fmt.Sprintf("exact%04d", k)]; exact != nil {
			rounded.add(t, name, exact, slot.Value, want)
			continue
		}
		d := relative(t, want, slot.Value, -1)
		assert.Less(t, d, gradientTolerance, "gradient of %s", name)
		worst = max(worst, d)
	}
	rounded.check(t)
	if len(rounded.names) == 0 {
		t.Logf("gradients of %d variables: within %.1e of Keras's", len(state.Slots), worst)
	}
	after, err := model.Weights(true)
	require.NoError(t, err)
	for name, was := range expected {
		if number, ok := strings.CutPrefix(name, "before"); ok { // what batch normalization moves
			k := slices.IndexFunc(before, func(w train.Weight) bool { return w.Value.Equal(was) })
			require.GreaterOrEqual(t, k, 0)
			require.Less(t, relative(t, expected["moved"+number], after[k].Value, 1), 1e-4, after[k].Name)
		}
	}

	_, bound = fit(train.SGD(rate))
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

// roundings are how far gradients of float32 are from those of float64, by variable: ours and Keras's.
type roundings struct {
	names       []string
	ours, keras []float64
}

func (r *roundings) add(t *testing.T, name string, exact, ours, keras *tensor.Tensor) {
	r.names = append(r.names, name)
	r.ours, r.keras = append(r.ours, distance(t, exact, ours, -1)), append(r.keras, distance(t, exact, keras, 1))
}

// check compares the distances. How rounding grows through a network is much the same for all of its variables, and another matter in
// each order of the sums: single distances may be several times Keras's. On the whole ours must be no larger; the geometric mean
// weighs gradients alike that are large, small, or 0 but for rounding.
func (r *roundings) check(t *testing.T) {
	t.Helper()
	if len(r.names) == 0 {
		return
	}
	const several, alike, smallest = 8, 2, 1e-6
	sum, worst, at := 0.0, 0.0, 0
	for i, name := range r.names {
		assert.LessOrEqual(t, r.ours[i], max(gradientTolerance, several*r.keras[i]), "distance of the gradient of %s from float64's; Keras's is %.1e", name, r.keras[i])
		ratio := max(r.ours[i], smallest) / max(r.keras[i], smallest)
		sum += math.Log(ratio)
		if ratio > worst {
			worst, at = ratio, i
		}
	}
	mean := math.Exp(sum / float64(len(r.names)))
	t.Logf("distance of %d gradients from float64's: %.2f times Keras's, at most %.2f times, %.1e, of %s", len(r.names), mean, worst, r.ours[at], r.names[at])
	assert.LessOrEqual(t, mean, float64(alike), "distance from float64's gradients by Keras's, over all variables")
}

// elements returns those of two tensors of one size.
func elements(t *testing.T, want, got *tensor.Tensor) (a, b []float32) {
	t.Helper()
	a, err := tensor.Data[float32](want)
	require.NoError(t, err)
	b, err = tensor.Data[float32](got)
	require.NoError(t, err)
	require.Len(t, b, len(a))
	return a, b
}

// distance is the Euclidean distance of sign·got from want, relative to want's length.
func distance(t *testing.T, want, got *tensor.Tensor, sign float64) float64 {
	t.Helper()
	a, b := elements(t, want, got)
	length, d := 1e-30, 0.0
	for i := range a {
		length += float64(a[i]) * float64(a[i])
		d += math.Pow(float64(a[i])-sign*float64(b[i]), 2)
	}
	return math.Sqrt(d / length)
}

// relative is the largest difference between want and sign·got, relative to want's largest element.
func relative(t *testing.T, want, got *tensor.Tensor, sign float64) float64 {
	t.Helper()
	a, b := elements(t, want, got)
	largest, worst := 1e-12, 0.0
	for i := range a {
		largest = max(largest, math.Abs(float64(a[i])))
		worst = max(worst, math.Abs(float64(a[i])-sign*float64(b[i])))
	}
	return worst / largest
}
