package train_test

import (
	"context"
	"fmt"
	"math"
	"os"

	"github.com/cambium-go/cambium/dense"
	"github.com/cambium-go/cambium/tensor"
	"github.com/cambium-go/cambium/train"
)

// Mean squared error punishes the one large error more than mean absolute error does.
func ExampleLossValue() {
	target, predicted := []float64{1, 2, 3, 4}, []float64{1.5, 2, 2.5, 7}
	for _, name := range []train.LossName{train.MeanSquaredError, train.MeanAbsoluteError, train.Huber} {
		fmt.Printf("%s %.3f\n", name, train.LossValue(train.Loss{Name: name}, target, predicted, 1, nil))
	}
	// Cross-entropy is -log(probability of the right class).
	crossentropy := train.Loss{Name: train.SparseCategoricalCrossentropy}
	fmt.Printf("%.3f\n", train.LossValue(crossentropy, []float64{2}, []float64{0.1, 0.2, 0.7}, 3, nil))
	// Output:
	// mean_squared_error 2.375
	// mean_absolute_error 1.000
	// huber 0.688
	// 0.357
}

func ExampleLossGradient() {
	gradient := make([]float64, 3)
	logits := train.Loss{Name: train.SparseCategoricalCrossentropy, FromLogits: true}
	train.LossGradient(gradient, logits, []float64{0}, []float64{2, 1, 0}, 3, nil)
	fmt.Printf("%.3f\n", gradient) // softmax less the one-hot target
	// Output: [-0.335 0.245 0.090]
}

func ExampleParseLoss() {
	l, err := train.ParseLoss("mse")
	fmt.Println(l.Name, err)
	_, err = train.ParseLoss("wobble")
	fmt.Println(err != nil)
	// Output:
	// mean_squared_error <nil>
	// true
}

// Steps of Adam towards the minimum of (w-3)².
func ExampleOptimizer_Update() {
	o, w := train.Adam(0.5), []float32{0}
	slots := [][]float32{{0}, {0}} // momentum, velocity: o.Slots()
	for step := range int64(120) {
		gradient := []float32{2 * (w[0] - 3)}
		o.Clip([][]float32{gradient})
		o.Update(o.Coefficients(step, o.RateAt(step, o.LearningRate)), w, gradient, slots)
	}
	fmt.Printf("%.2f\n", w[0])
	// Output: 3.00
}

func ExampleParseOptimizer() {
	o, err := train.ParseOptimizer("momentum", 0)
	fmt.Println(o.Name, o.LearningRate, o.Momentum, err)
	// Output: sgd 0.01 0.9 <nil>
}

func ExampleCosineDecay() {
	s := train.CosineDecay{WarmupTarget: 0.1, WarmupSteps: 10, Steps: 100}
	for _, step := range []int64{0, 5, 10, 60, 110} {
		fmt.Printf("%.3f ", s.At(step))
	}
	// Output: 0.000 0.050 0.100 0.050 0.000
}

// A quarter of the mails is spam; the filter finds half of it and accuses one innocent.
func ExampleConfusionMatrix() {
	m := train.NewConfusionMatrix(2)
	truth := []float32{0, 0, 0, 0, 0, 0, 1, 1}
	spam := []float32{0.1, 0.2, 0.9, 0.1, 0.3, 0.2, 0.8, 0.4}
	m.Update(truth, spam, 1)
	fmt.Println(m.Counts)
	r := m.Report()[1]
	fmt.Printf("accuracy %.2f, precision %.2f, recall %.2f, F1 %.2f\n", m.Accuracy(), r.Precision, r.Recall, r.F1)
	// Output:
	// [[5 1] [1 1]]
	// accuracy 0.75, precision 0.50, recall 0.50, F1 0.50
}

func ExampleCategoricalAccuracy() {
	m := train.CategoricalAccuracy()
	m.Update([]float32{0, 2}, []float32{0.5, 0.3, 0.2, 0.1, 0.6, 0.3}, 3, nil)
	fmt.Println(m.Name(), m.Result())
	// Output: accuracy 0.5
}

func ExampleParseMetric() {
	loss, err := train.ParseLoss("binary_crossentropy")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"accuracy", "mean_absolute_error", "precision", "top_3", "top_3x"} {
		m, err := train.ParseMetric(name, loss)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Name())
	}
	// Output:
	// accuracy
	// mae
	// precision
	// top_3_accuracy
	// train: wrong setting: unknown metric "top_3x": the metrics are accuracy, mse, mae, precision, recall, f1, auc and top_K
}

// Lowering the threshold finds more and is wrong more often.
func ExamplePrecision() {
	truth, score := []float32{0, 0, 1, 1}, []float32{0.1, 0.6, 0.4, 0.9}
	for _, threshold := range []float64{0.5, 0.3} {
		p, r := train.Precision(threshold), train.Recall(threshold)
		p.Update(truth, score, 1, nil)
		r.Update(truth, score, 1, nil)
		fmt.Printf("%.2f %.2f\n", p.Result(), r.Result())
	}
	// Output:
	// 0.50 0.50
	// 0.67 1.00
}

func ExampleAUC() {
	m := train.AUC()
	m.Update([]float32{0, 0, 1, 1}, []float32{0.1, 0.4, 0.35, 0.8}, 1, nil)
	fmt.Printf("%.2f\n", m.Result())
	// Output: 0.75
}

// Two rings of points, one inside the other, told apart with early stopping on a held-out fifth.
func ExampleFit() {
	const n = 400
	r := train.NewRandom(1, 0)
	x, y := make([]float32, 0, 2*n), make([]int32, 0, n)
	for i := range n {
		class := i % 2
		radius, angle := 1+float64(class)+0.15*r.Normal(), 2*math.Pi*r.Float64()
		x = append(x, float32(radius*math.Cos(angle)), float32(radius*math.Sin(angle)))
		y = append(y, int32(class))
	}
	data := &train.Dataset{X: tensor.Must(tensor.Of(x, n, 2)), Y: tensor.Must(tensor.Of(y))}
	model, err := dense.FromMLP(train.MLP{Inputs: 2, Hidden: []int{16, 16}, Activation: "relu", Outputs: 2, OutputActivation: "softmax"},
		train.Loss{Name: train.SparseCategoricalCrossentropy}, train.Adam(0.01), dense.Config{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	result, err := train.Fit(context.Background(), model, data, train.Config{
		Epochs: 60, BatchSize: 32, Seed: 1,
		ValidationIndices: train.StratifiedSplit(y, 0.2, 1),
		Metrics:           []train.Metric{train.CategoricalAccuracy()},
		EarlyStopping:     &train.EarlyStopping{Patience: 10},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.History[result.BestEpoch-1].Logs["val_accuracy"] > 0.97, result.Overfitting.Detected)
	// Output: true false
}

func ExampleStratifiedSplit() {
	labels := []int32{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1}
	held := train.StratifiedSplit(labels, 0.25, 1)
	count := map[int32]int{}
	for _, i := range held {
		count[labels[i]]++
	}
	fmt.Println(count)
	// Output: map[0:2 1:1]
}

func ExampleBalancedWeights() {
	fmt.Println(train.BalancedWeights([]int32{0, 0, 0, 1}, 2))
	// Output: [0.6666667 0.6666667 0.6666667 2]
}

func ExampleDetectOverfitting() {
	var h train.History
	for epoch := 1; epoch <= 10; epoch++ {
		h = append(h, train.Epoch{Epoch: epoch, Logs: map[string]float64{
			"loss": 1 / float64(epoch), "val_loss": 0.5 + 0.02*math.Abs(float64(epoch-4))}})
	}
	fmt.Println(train.DetectOverfitting(h, 5).Advice())
	// Output: overfitting after epoch 4: the training loss kept falling while the validation loss rose; cures: more data or augmentation, dropout, L1 or L2 regularization, a smaller network, early stopping
}

func ExampleHistory_WriteCSV() {
	h := train.History{{Epoch: 1, Logs: map[string]float64{"loss": 0.5, "val_loss": 0.75}, Seconds: 0.25}}
	if err := h.WriteCSV(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// epoch,loss,val_loss,seconds
	// 1,0.5,0.75,0.250
}

func ExampleRandom() {
	r := train.NewRandom(42, 0)
	order := []int32{0, 1, 2, 3, 4}
	r.Shuffle(order)
	fmt.Println(order, r.At(0) == train.NewRandom(42, 0).Uint64())
	// Output: [2 4 0 3 1] true
}
