package train

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
)

// golden is what scripts/record_train.py recorded.
type golden struct {
	Losses []struct {
		Name           LossName
		FromLogits     bool    `json:"from_logits"`
		LabelSmoothing float64 `json:"label_smoothing"`
		Delta          float64
		Width          int
		Y, P, Weights  []float32
		Value          float64
		Gradient       []float32
	}
	Optimizers []struct {
		Name         OptimizerName
		Options      map[string]any
		LearningRate *float64 `json:"learning_rate"`
		Start        [][]float32
		Gradients    [][][]float32
		End          [][]float32
		SlotNames    []string `json:"slot_names"`
		Slots        [][]float32
	}
	Schedules struct {
		Steps []int64
		Rates map[string][]float64
	}
	Callbacks struct {
		EarlyStopping []struct {
			Curve          []float64
			Patience       int
			MinDelta       float64 `json:"min_delta"`
			StartFromEpoch int     `json:"start_from_epoch"`
			Epochs         int
			BestEpoch      int `json:"best_epoch"`
		} `json:"early_stopping"`
		ReduceLROnPlateau []struct {
			Curve    []float64
			Patience int
			Factor   float64
			Cooldown int
			MinLR    float64 `json:"min_lr"`
			Rates    []float64
			Final    float64
		} `json:"reduce_lr_on_plateau"`
	}
	Metrics struct {
		Labels                []int32
		Classes               int
		Probabilities         []float32
		Truth, Score, Weights []float32
		Real, Fitted          []float32
		Keras                 map[string]map[string]*float64
		Scikit                struct {
			Confusion                    [][]int
			Precision, Recall, F1, Macro []float64
			Support                      []int
			Accuracy, AUC                float64
			Balanced                     []float32
		}
	}
}

func readGolden(t *testing.T) *golden {
	t.Helper()
	text, err := os.ReadFile("../scripts/testdata/train/keras.json")
	require.NoError(t, err)
	g := new(golden)
	require.NoError(t, json.Unmarshal(text, g))
	return g
}

// near requires values equal within a relative tolerance of the larger of 1 and the expected.
func near(t *testing.T, want, got []float32, tolerance float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		require.InDelta(t, want[i], got[i], tolerance*max(1, abs(want[i])), "%s: element %d", what, i)
	}
}

func abs(x float32) float64 { return max(float64(x), -float64(x)) }

func TestLossesMeetKeras(t *testing.T) {
	for _, c := range readGolden(t).Losses {
		l := Loss{Name: c.Name, FromLogits: c.FromLogits, LabelSmoothing: c.LabelSmoothing, Delta: c.Delta}
		t.Run(fmt.Sprintf("%+v weighted=%v", l, c.Weights != nil), func(t *testing.T) {
			require.NoError(t, l.Validate())
			require.InEpsilon(t, c.Value, LossValue(l, c.Y, c.P, c.Width, c.Weights), 1e-6)
			gradient := make([]float32, len(c.P))
			LossGradient(gradient, l, c.Y, c.P, c.Width, c.Weights)
			near(t, c.Gradient, gradient, 1e-6, "gradient")
		})
	}
}

// optimizerOf builds what the recorded options describe.
func optimizerOf(t *testing.T, name OptimizerName, options map[string]any, rate *float64) Optimizer {
	o, err := ParseOptimizer(string(name), 0)
	require.NoError(t, err)
	if rate != nil {
		require.InEpsilon(t, *rate, o.LearningRate, 1e-6, "Keras's default learning rate")
	}
	for k, v := range options {
		f, _ := v.(float64)
		switch k {
		case "momentum":
			o.Momentum = f
		case "nesterov":
			o.Nesterov = true
		case "centered":
			o.Centered = true
		case "amsgrad":
			o.AMSGrad = true
		case "weight_decay":
			o.WeightDecay = f
		case "clipnorm":
			o.ClipNorm = f
		case "global_clipnorm":
			o.GlobalClipNorm = f
		case "clipvalue":
			o.ClipValue = f
		case "learning_rate":
			o.Schedule = CosineDecay{Initial: 0.001, Steps: 20, Alpha: 0.1, WarmupTarget: 0.01, WarmupSteps: 5}
		default:
			t.Fatalf("option %q", k)
		}
	}
	require.NoError(t, o.Validate())
	return o
}

func TestOptimizersMeetKeras(t *testing.T) {
	for _, c := range readGolden(t).Optimizers {
		t.Run(fmt.Sprintf("%s %v", c.Name, c.Options), func(t *testing.T) {
			o := optimizerOf(t, c.Name, c.Options, c.LearningRate)
			slots := make([][][]float32, len(c.Start))
			var variables []Weight
			for v, start := range c.Start {
				for _, name := range o.Slots() {
					slot := make([]float32, len(start))
					for i := range slot {
						slot[i] = o.InitialSlot(name)
					}
					slots[v] = append(slots[v], slot)
				}
				variables = append(variables, Weight{Name: []string{"kernel", "bias"}[v], Value: tensor.Must(tensor.Of(start))})
			}
			for step, gradients := range c.Gradients {
				o.Clip(gradients)
				k := o.Coefficients(int64(step), o.RateAt(int64(step), o.LearningRate))
				for v := range c.Start {
					o.Update(k, c.Start[v], gradients[v], slots[v])
				}
			}
			for v := range c.Start {
				near(t, c.End[v], c.Start[v], 1e-6, "variable")
			}
			var names []string
			for i, s := range o.SlotVariables(variables) {
				names = append(names, s.Name)
				near(t, c.Slots[i], slots[s.Variable][s.Slot], 1e-6, s.Name)
			}
			require.Equal(t, c.SlotNames, append([]string{}, names...))
		})
	}
}

func TestSchedulesMeetKeras(t *testing.T) {
	g := readGolden(t).Schedules
	for name, s := range map[string]Schedule{
		"exponential":            ExponentialDecay{Initial: 0.1, Steps: 10, Rate: 0.5},
		"exponential staircase":  ExponentialDecay{Initial: 0.1, Steps: 10, Rate: 0.5, Staircase: true},
		"inverse time":           InverseTimeDecay{Initial: 0.1, Steps: 10, Rate: 0.5},
		"inverse time staircase": InverseTimeDecay{Initial: 0.1, Steps: 10, Rate: 0.5, Staircase: true},
		"piecewise":              PiecewiseConstantDecay{Boundaries: []int64{10, 20}, Values: []float64{0.1, 0.05, 0.01}},
		"cosine":                 CosineDecay{Initial: 0.1, Steps: 20, Alpha: 0.1},
		"cosine warm-up":         CosineDecay{Steps: 20, Alpha: 0.1, WarmupTarget: 0.1, WarmupSteps: 10},
	} {
		require.Len(t, g.Rates[name], len(g.Steps))
		for i, step := range g.Steps {
			require.InDelta(t, g.Rates[name][i], s.At(step), 1e-8, "%s at step %d", name, step)
		}
	}
}

func TestEarlyStoppingMeetsKeras(t *testing.T) {
	for _, c := range readGolden(t).Callbacks.EarlyStopping {
		s, w, epochs := &EarlyStopping{Patience: c.Patience, MinDelta: c.MinDelta, StartFromEpoch: c.StartFromEpoch}, new(watch), 0
		for _, v := range c.Curve {
			epochs++
			if _, end := s.stop(w, epochs, v, false); end {
				break
			}
		}
		require.Equal(t, c.Epochs, epochs, "%+v", c)
		require.Equal(t, c.BestEpoch, w.BestEpoch, "%+v", c)
	}
}

func TestReduceLROnPlateauMeetsKeras(t *testing.T) {
	for _, c := range readGolden(t).Callbacks.ReduceLROnPlateau {
		r := &ReduceLROnPlateau{Patience: c.Patience, Factor: c.Factor, Cooldown: c.Cooldown, MinLR: c.MinLR, MinDelta: 1e-4}
		w, rate := new(watch), 0.01
		for i, v := range c.Curve {
			require.InEpsilon(t, c.Rates[i], rate, 1e-6, "epoch %d of %+v", i+1, c)
			rate = r.reduce(w, i+1, v, rate, false)
		}
		require.InEpsilon(t, c.Final, rate, 1e-6, "%+v", c)
	}
}

func TestMetricsMeetKerasAndScikit(t *testing.T) {
	g := readGolden(t).Metrics
	labels := make([]float32, len(g.Labels))
	onehot := make([]float32, len(g.Labels)*g.Classes)
	for i, l := range g.Labels {
		labels[i] = float32(l)
		onehot[i*g.Classes+int(l)] = 1
	}
	cases := []struct {
		key    string
		metric Metric
		y, p   []float32
		width  int
	}{
		{"sparse_categorical_accuracy", CategoricalAccuracy(), labels, g.Probabilities, g.Classes},
		{"categorical_accuracy", CategoricalAccuracy(), onehot, g.Probabilities, g.Classes},
		{"top_2", TopKAccuracy(2), labels, g.Probabilities, g.Classes},
		{"top_2", TopKAccuracy(2), onehot, g.Probabilities, g.Classes},
		{"binary_accuracy", BinaryAccuracy(0.5), g.Truth, g.Score, 1},
		{"precision", Precision(0.5), g.Truth, g.Score, 1},
		{"recall", Recall(0.5), g.Truth, g.Score, 1},
		{"f1", F1(0.5), g.Truth, g.Score, 1},
		{"auc", AUC(), g.Truth, g.Score, 1},
		{"pr_auc", PRAUC(), g.Truth, g.Score, 1},
		{"mse", MSE(), g.Real, g.Fitted, 2},
		{"mae", MAE(), g.Real, g.Fitted, 2},
	}
	for kind, weights := range map[string][]float32{"plain": nil, "weighted": g.Weights} {
		for _, c := range cases {
			want := g.Keras[kind][c.key]
			if want == nil { // Keras has no weighted F1
				continue
			}
			c.metric.Reset()
			half, tw := len(g.Labels)/3, len(c.y)/len(g.Labels) // two batches give what one gives
			c.metric.Update(c.y[:half*tw], c.p[:half*c.width], c.width, weights[:min(half, len(weights))])
			c.metric.Update(c.y[half*tw:], c.p[half*c.width:], c.width, weights[min(half, len(weights)):])
			require.InDelta(t, *want, c.metric.Result(), 1e-6, "%s %s", kind, c.key)
		}
	}
	m := NewConfusionMatrix(g.Classes)
	m.Update(labels, g.Probabilities, g.Classes)
	require.Equal(t, g.Scikit.Confusion, m.Counts)
	require.InDelta(t, g.Scikit.Accuracy, m.Accuracy(), 1e-12)
	for c, r := range m.Report() {
		require.InDeltaSlice(t, []float64{g.Scikit.Precision[c], g.Scikit.Recall[c], g.Scikit.F1[c]}, []float64{r.Precision, r.Recall, r.F1}, 1e-12)
		require.Equal(t, g.Scikit.Support[c], r.Support)
	}
	macro := m.Macro()
	for i, figure := range []float64{macro.Precision, macro.Recall, macro.F1} {
		require.InDelta(t, g.Scikit.Macro[i], figure, 1e-12)
	}
	near(t, g.Scikit.Balanced, BalancedWeights(g.Labels, g.Classes), 1e-6, "balanced")
}
