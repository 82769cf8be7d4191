package traintest

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// Factory builds the network that a description asks for, in the engine under test.
type Factory func(m train.MLP, l train.Loss, o train.Optimizer, seed uint64) (train.Trainable, error)

// Options say what cannot be asked of an engine.
type Options struct {
	// Allocates says that training steps allocate memory, and are not checked for it.
	Allocates bool
	// Steps is how many steps are compared with the reference; 0 means 40.
	Steps int
}

// Run runs the suite.
func Run(t *testing.T, f Factory, o Options) {
	if o.Steps == 0 {
		o.Steps = 40
	}
	s := &suite{new: f, options: o}
	for _, c := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"OptimizersFollowTheReference", s.optimizers}, {"LossesFollowTheReference", s.losses}, {"ShapesFollowTheReference", s.shapes},
		{"Weights", s.weights}, {"OneCallEqualsMany", s.oneCall}, {"EvaluateChangesNothing", s.evaluate},
		{"BytesEqualFloats", s.bytes}, {"SampleWeights", s.sampleWeights}, {"LearningRate", s.learningRate},
		{"StateResumes", s.resume}, {"SeedsAndProcessors", s.seeds}, {"WrongUse", s.wrongUse}, {"NotFinite", s.notFinite},
		{"NoAllocation", s.allocations}, {"Fit", s.fit},
	} {
		t.Run(c.name, c.test)
	}
}

type suite struct {
	new     Factory
	options Options
}

// small is a network of odd sizes, so that no size divides by a vector's width.
var small = train.MLP{Inputs: 7, Hidden: []int{13, 5}, Activation: "relu", Outputs: 3, OutputActivation: "softmax"}

var sparse = train.Loss{Name: train.SparseCategoricalCrossentropy}

// Samples returns a seeded data set that suits a network and a loss: learnable, and free of anything but random numbers.
func Samples(m train.MLP, l train.Loss, n int) *train.Dataset {
	r := train.NewRandom(11, uint64(m.Inputs))
	x, y := make([]float32, n*m.Inputs), make([]float32, 0, n*m.Outputs)
	for i := range n {
		class := r.IntN(max(m.Outputs, 2))
		for j := range m.Inputs {
			x[i*m.Inputs+j] = float32(r.Normal()*0.5 + float64((class*(j+1))%3) - 1)
		}
		switch l.Name {
		case train.SparseCategoricalCrossentropy:
			y = append(y, float32(class))
		case train.CategoricalCrossentropy, train.BinaryCrossentropy:
			for j := range m.Outputs {
				v := float32(0)
				if j == class {
					v = 1
				}
				y = append(y, v)
			}
		default:
			for j := range m.Outputs {
				y = append(y, x[i*m.Inputs+j%m.Inputs]*0.5+float32(j))
			}
		}
	}
	d := &train.Dataset{X: tensor.Must(tensor.Of(x, n, m.Inputs)), Y: tensor.Must(tensor.Of(y, n, l.TargetWidth(m.Outputs)))}
	if l.Sparse() {
		labels := make([]int32, n)
		for i, v := range y {
			labels[i] = int32(v)
		}
		d.Y = tensor.Must(tensor.Of(labels))
	}
	return d
}

func (s *suite) make(t *testing.T, m train.MLP, l train.Loss, o train.Optimizer, seed uint64) train.Trainable {
	t.Helper()
	model, err := s.new(m, l, o, seed)
	require.NoError(t, err)
	t.Cleanup(func() { _ = model.Close() })
	return model
}

func bind(t *testing.T, m train.Trainable, d *train.Dataset) train.Bound {
	t.Helper()
	b, err := m.Bind(d)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// values returns copies of a model's weights.
func values(t *testing.T, m train.Trainable) []*tensor.Tensor {
	t.Helper()
	weights, err := m.Weights(true)
	require.NoError(t, err)
	var v []*tensor.Tensor
	for _, w := range weights {
		v = append(v, w.Value)
	}
	return v
}

func requireEqual(t *testing.T, want, got []*tensor.Tensor, what string) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.True(t, want[i].Equal(got[i]), "%s: weight %d differs", what, i)
	}
}

func order(from, to int) []int32 {
	var o []int32
	for i := from; i < to; i++ {
		o = append(o, int32(i))
	}
	return o
}

// follow trains the engine and the reference from the same weights over the same batches.
func (s *suite) follow(t *testing.T, m train.MLP, l train.Loss, o train.Optimizer) {
	reference, err := NewReference(m, l, o, 5)
	require.NoError(t, err)
	model := s.make(t, m, l, o, 6)
	require.NoError(t, model.SetWeights(values(t, reference)))
	const n, batch = 50, 16 // a ragged last batch of 2
	data := Samples(m, l, n)
	want, got := bind(t, reference, data), bind(t, model, data)
	batches := (n + batch - 1) / batch
	wantOut, gotOut := make([]float32, n*m.Outputs), make([]float32, n*m.Outputs)
	wantLoss, gotLoss := make([]float32, batches), make([]float32, batches)
	for step := 0; step < s.options.Steps; step += batches {
		all := order(0, n)
		train.NewRandom(1, uint64(step)).Shuffle(all)
		require.NoError(t, want.Train(all, batch, wantOut, wantLoss))
		require.NoError(t, got.Train(all, batch, gotOut, gotLoss))
		close32(t, wantLoss, gotLoss, 1e-5, fmt.Sprintf("losses from step %d", step))
		close32(t, wantOut, gotOut, 1e-4, fmt.Sprintf("outputs from step %d", step))
	}
	wantValues, gotValues := values(t, reference), values(t, model)
	for i := range wantValues {
		a, _ := tensor.Data[float32](wantValues[i])
		b, _ := tensor.Data[float32](gotValues[i])
		close32(t, a, b, 1e-4, fmt.Sprintf("weight %d", i))
	}
	require.NoError(t, want.Evaluate(order(0, n), batch, wantOut, wantLoss))
	require.NoError(t, got.Evaluate(order(0, n), batch, gotOut, gotLoss))
	close32(t, wantLoss, gotLoss, 1e-5, "evaluated losses")
}

// close32 requires differences within a tolerance, relative above 1.
func close32(t *testing.T, want, got []float32, tolerance float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		scale := max(1, float64(want[i]), -float64(want[i]))
		require.InDelta(t, want[i], got[i], tolerance*scale, "%s, element %d", what, i)
	}
}

func (s *suite) optimizers(t *testing.T) {
	centered, amsgrad, decay, clipped, global, value := train.RMSprop(0.001), train.Adam(0.001), train.Momentum(0.01, 0.9),
		train.SGD(0.05), train.SGD(0.05), train.Adam(0.001)
	centered.Centered, centered.Momentum = true, 0.5
	amsgrad.AMSGrad = true
	decay.WeightDecay = 0.1
	clipped.ClipNorm, global.GlobalClipNorm, value.ClipValue = 0.05, 0.05, 0.01
	cosine := train.SGD(0.01)
	cosine.Schedule = train.CosineDecay{Steps: 30, Alpha: 0.1, WarmupTarget: 0.1, WarmupSteps: 5}
	for name, o := range map[string]train.Optimizer{
		"sgd": train.SGD(0.05), "momentum": train.Momentum(0.02, 0.9), "nesterov": train.Nesterov(0.02, 0.9), "rmsprop": train.RMSprop(0.001),
		"rmsprop centered": centered, "adagrad": train.Adagrad(0.01), "adam": train.Adam(0.001), "adam amsgrad": amsgrad, "adamw": train.AdamW(0.001),
		"weight decay": decay, "clipnorm": clipped, "global_clipnorm": global, "clipvalue": value, "schedule": cosine,
	} {
		t.Run(name, func(t *testing.T) { s.follow(t, small, sparse, o) })
	}
}

func (s *suite) losses(t *testing.T) {
	for _, c := range []struct {
		loss   train.Loss
		output string
	}{
		{train.Loss{Name: train.MeanSquaredError}, "linear"}, {train.Loss{Name: train.MeanAbsoluteError}, "linear"},
		{train.Loss{Name: train.Huber, Delta: 0.5}, "linear"}, {train.Loss{Name: train.LogCosh}, "linear"},
		{train.Loss{Name: train.BinaryCrossentropy}, "sigmoid"}, {train.Loss{Name: train.BinaryCrossentropy, FromLogits: true}, "linear"},
		{train.Loss{Name: train.BinaryCrossentropy, LabelSmoothing: 0.1}, "sigmoid"},
		{train.Loss{Name: train.CategoricalCrossentropy}, "softmax"}, {train.Loss{Name: train.CategoricalCrossentropy, FromLogits: true}, "linear"},
		{train.Loss{Name: train.CategoricalCrossentropy, LabelSmoothing: 0.1}, "softmax"},
		{sparse, "softmax"}, {train.Loss{Name: train.SparseCategoricalCrossentropy, FromLogits: true}, "linear"},
		{train.Loss{Name: train.SparseCategoricalCrossentropy, LabelSmoothing: 0.1}, "softmax"},
		{train.Loss{Name: train.MeanSquaredError}, "softmax"}, {train.Loss{Name: train.MeanSquaredError}, "sigmoid"},
	} {
		t.Run(fmt.Sprintf("%s %s logits=%v smoothing=%v", c.loss.Name, c.output, c.loss.FromLogits, c.loss.LabelSmoothing), func(t *testing.T) {
			m := small
			m.OutputActivation = c.output
			s.follow(t, m, c.loss, train.Adam(0.001))
		})
	}
}

func (s *suite) shapes(t *testing.T) {
	for _, m := range []train.MLP{
		{Inputs: 1, Outputs: 1, OutputActivation: "sigmoid"},
		{Inputs: 40, Outputs: 10, OutputActivation: "softmax"},
		{Inputs: 33, Hidden: []int{64}, Activation: "tanh", Outputs: 2, OutputActivation: "softmax", L2: 0.01},
		{Inputs: 16, Hidden: []int{32, 17, 8}, Activation: "sigmoid", Outputs: 4, OutputActivation: "softmax", L1: 0.001},
		{Inputs: 3, Hidden: []int{100}, Activation: "relu", Outputs: 33, OutputActivation: "softmax"},
		{Inputs: 300, Hidden: []int{100}, Activation: "sigmoid", Outputs: 5, OutputActivation: "softmax", L2: 0.001},
	} {
		t.Run(fmt.Sprintf("%d %v %d", m.Inputs, m.Hidden, m.Outputs), func(t *testing.T) {
			l := sparse
			if m.Outputs == 1 {
				l.Name = train.BinaryCrossentropy
			}
			s.follow(t, m, l, train.Adam(0.001))
		})
	}
}

func (s *suite) weights(t *testing.T) {
	model := s.make(t, small, sparse, train.Adam(0.001), 1)
	weights, err := model.Weights(true)
	require.NoError(t, err)
	shapes := []tensor.Shape{{7, 13}, {13}, {13, 5}, {5}, {5, 3}, {3}}
	names := []string{"kernel", "bias", "kernel", "bias", "kernel", "bias"}
	require.Len(t, weights, len(shapes))
	for i, w := range weights {
		require.Equal(t, shapes[i], w.Value.Shape())
		require.True(t, w.Trainable)
		require.Regexp(t, names[i]+"$", w.Name)
		bytes := w.Value.Bytes()
		require.Equal(t, i%2 == 1, !slices.ContainsFunc(bytes, func(b byte) bool { return b != 0 }), "kernels are random, biases start at 0")
	}
	before := values(t, model)
	require.Error(t, model.SetWeights(before[:5]))
	wrong := slices.Clone(before)
	wrong[5] = tensor.Must(tensor.New(tensor.Float32, 4))
	require.Error(t, model.SetWeights(wrong), "a wrong shape")
	requireEqual(t, before, values(t, model), "after a refused SetWeights")
	require.NoError(t, model.SetWeights(values(t, s.make(t, small, sparse, train.Adam(0.001), 2))))
	require.False(t, before[0].Equal(values(t, model)[0]), "another seed gives other weights")
	require.NoError(t, model.SetWeights(before))
	requireEqual(t, before, values(t, model), "after setting back")
	require.Equal(t, 3, model.OutputWidth())
	require.Equal(t, sparse, model.Loss())
	require.Equal(t, train.Adam(0.001), model.Optimizer())
}

// dropout is a network whose steps are random.
func dropout() train.MLP {
	m := small
	m.Dropout = 0.3
	return m
}

func (s *suite) oneCall(t *testing.T) {
	data := Samples(small, sparse, 70)
	one, many := s.make(t, dropout(), sparse, train.Adam(0.01), 1), s.make(t, dropout(), sparse, train.Adam(0.01), 1)
	a, b := bind(t, one, data), bind(t, many, data)
	losses, single := make([]float32, 5), make([]float32, 5)
	require.NoError(t, a.Train(order(0, 70), 16, nil, losses))
	for i := range 5 {
		require.NoError(t, b.Train(order(i*16, min(i*16+16, 70)), 16, nil, single[i:i+1]))
	}
	require.Equal(t, losses, single)
	requireEqual(t, values(t, one), values(t, many), "one call and many")
}

func (s *suite) evaluate(t *testing.T) {
	data := Samples(small, sparse, 70)
	model := s.make(t, dropout(), sparse, train.Adam(0.01), 1)
	b := bind(t, model, data)
	require.NoError(t, b.Train(order(0, 70), 16, nil, nil))
	before, state := values(t, model), stateOf(t, model)
	whole, parts, losses := make([]float32, 210), make([]float32, 210), make([]float32, 5)
	require.NoError(t, b.Evaluate(order(0, 70), 70, whole, nil))
	require.NoError(t, b.Evaluate(order(0, 70), 16, parts, losses))
	close32(t, whole, parts, 1e-6, "predictions in one batch and in many")
	for i := range 70 {
		require.InDelta(t, 1, whole[3*i]+whole[3*i+1]+whole[3*i+2], 1e-5, "softmax")
	}
	y, err := data.Targets()
	require.NoError(t, err)
	require.InDelta(t, train.LossValue(sparse, y[:16], parts[:48], 3, nil), losses[0], 1e-5)
	require.NoError(t, bind(t, model, &train.Dataset{X: data.X}).Evaluate(order(5, 6), 1, parts[:3], nil), "without targets")
	close32(t, whole[15:18], parts[:3], 1e-6, "a sample alone")
	requireEqual(t, before, values(t, model), "after evaluating")
	require.Equal(t, state.Iterations, stateOf(t, model).Iterations)
}

func stateOf(t *testing.T, m train.Trainable) train.State {
	t.Helper()
	state, err := m.State()
	require.NoError(t, err)
	return state
}

func (s *suite) bytes(t *testing.T) {
	bytes, floats := make([]uint8, 50*7), make([]float32, 50*7)
	r := train.NewRandom(1, 1)
	const scale = float32(1) / 255
	for i := range bytes {
		bytes[i] = uint8(r.IntN(256))
		floats[i] = float32(bytes[i]) * scale
	}
	y := Samples(small, sparse, 50).Y
	a, b := s.make(t, small, sparse, train.Adam(0.01), 1), s.make(t, small, sparse, train.Adam(0.01), 1)
	require.NoError(t, bind(t, a, &train.Dataset{X: tensor.Must(tensor.Of(bytes, 50, 7)), Y: y, Scale: scale}).Train(order(0, 50), 16, nil, nil))
	require.NoError(t, bind(t, b, &train.Dataset{X: tensor.Must(tensor.Of(floats, 50, 7)), Y: y}).Train(order(0, 50), 16, nil, nil))
	for i, v := range values(t, a) {
		want, _ := tensor.Data[float32](values(t, b)[i])
		got, _ := tensor.Data[float32](v)
		close32(t, want, got, 1e-5, "weights")
	}
}

func (s *suite) sampleWeights(t *testing.T) {
	data := Samples(small, sparse, 32)
	data.Weights = make([]float32, 32)
	for i := range 16 {
		data.Weights[i] = 2 // the second half counts nothing, the mean is over all
	}
	a, b := s.make(t, small, sparse, train.SGD(0.1), 1), s.make(t, small, sparse, train.SGD(0.1), 1)
	lossA, lossB := make([]float32, 1), make([]float32, 1)
	require.NoError(t, bind(t, a, data).Train(order(0, 32), 32, nil, lossA))
	require.NoError(t, bind(t, b, Samples(small, sparse, 32)).Train(order(0, 16), 16, nil, lossB))
	require.InEpsilon(t, lossB[0], lossA[0], 1e-5)
	for i, v := range values(t, a) {
		want, _ := tensor.Data[float32](values(t, b)[i])
		got, _ := tensor.Data[float32](v)
		close32(t, want, got, 1e-5, "weights")
	}
}

func (s *suite) learningRate(t *testing.T) {
	model := s.make(t, small, sparse, train.SGD(0.1), 1)
	b, before := bind(t, model, Samples(small, sparse, 32)), values(t, model)
	require.NoError(t, model.SetLearningRate(0))
	require.NoError(t, b.Train(order(0, 32), 16, nil, nil))
	requireEqual(t, before, values(t, model), "at learning rate 0")
	require.NoError(t, model.SetLearningRate(0.25))
	require.InDelta(t, 0.25, stateOf(t, model).LearningRate, 1e-8)
	require.NoError(t, b.Train(order(0, 32), 16, nil, nil))
	require.False(t, before[0].Equal(values(t, model)[0]))
}

func (s *suite) resume(t *testing.T) {
	for name, o := range map[string]train.Optimizer{
		"adam": train.Adam(0.01), "rmsprop": train.RMSprop(0.01), "momentum": train.Momentum(0.01, 0.9), "sgd": train.SGD(0.01), "adagrad": train.Adagrad(0.01),
	} {
		t.Run(name, func(t *testing.T) {
			data := Samples(small, sparse, 70)
			whole := s.make(t, dropout(), sparse, o, 1)
			b := bind(t, whole, data)
			require.NoError(t, b.Train(order(0, 70), 16, nil, nil))
			weights, state := values(t, whole), stateOf(t, whole)
			require.EqualValues(t, 5, state.Iterations)
			own, err := whole.Weights(false)
			require.NoError(t, err)
			require.Len(t, state.Slots, len(o.SlotVariables(own)))
			require.NoError(t, b.Train(order(0, 70), 16, nil, nil))

			later := s.make(t, dropout(), sparse, o, 99)
			later.Seed(1)
			require.NoError(t, later.SetWeights(weights))
			require.NoError(t, later.SetState(state))
			require.NoError(t, bind(t, later, data).Train(order(0, 70), 16, nil, nil))
			requireEqual(t, values(t, whole), values(t, later), "resumed")

			if len(state.Slots) > 0 {
				state.Slots = state.Slots[1:]
				require.Error(t, later.SetState(state), "a slot is missing")
			}
		})
	}
}

func (s *suite) seeds(t *testing.T) {
	data := Samples(small, sparse, 200)
	trained := func(seed uint64, processors int) []*tensor.Tensor {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		model := s.make(t, dropout(), sparse, train.Adam(0.01), seed)
		require.NoError(t, bind(t, model, data).Train(order(0, 200), 64, nil, nil))
		return values(t, model)
	}
	want := trained(1, 1)
	for _, processors := range []int{1, 2, 4} {
		requireEqual(t, want, trained(1, processors), fmt.Sprintf("GOMAXPROCS %d", processors))
	}
	require.False(t, want[0].Equal(trained(2, 1)[0]), "another seed")

	a, b := s.make(t, dropout(), sparse, train.Adam(0.01), 1), s.make(t, dropout(), sparse, train.Adam(0.01), 1)
	b.Seed(7)
	require.NoError(t, bind(t, a, data).Train(order(0, 64), 64, nil, nil))
	require.NoError(t, bind(t, b, data).Train(order(0, 64), 64, nil, nil))
	require.False(t, values(t, a)[0].Equal(values(t, b)[0]), "dropout follows Seed")
}
