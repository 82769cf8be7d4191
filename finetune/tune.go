package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/cambium-go/cambium/internal/atomicfile"
	"github.com/cambium-go/cambium/internal/plot"
	"github.com/cambium-go/cambium/train"
)

// Trial is one setting of the hyperparameters and how far it came.
type Trial struct {
	Trial           int             `json:"trial"` // counted from 1; the first is the setting that tuning starts from
	Hyperparameters Hyperparameters `json:"hyperparameters"`
	Epochs          int             `json:"epochs"` // that it was trained for before it was dropped
	ValLoss         float64         `json:"val_loss"`
	ValAccuracy     float64         `json:"val_accuracy,omitempty"`
	ValMSE          float64         `json:"val_mse,omitempty"`
	Error           string          `json:"error,omitempty"` // it diverged
	Best            bool            `json:"best,omitempty"`
}

// randomStream is the one that settings are drawn from.
const randomStream = 3 << 32

// tune replaces the hyperparameters by the best of o.Tune settings. Successive halving (Jamieson and Talwalkar 2016): all are
// trained for a few epochs, the better half goes on for twice as many, until one is left. What was found is kept in the
// checkpoint's directory, so that a resumed run does not search again.
func (s *session) tune(ctx context.Context) error {
	kept := filepath.Join(s.path("checkpoint"), "trials.json")
	if text, err := os.ReadFile(kept); err == nil && s.o.Resume && json.Unmarshal(text, &s.report.Trials) == nil {
		return s.takeBest()
	}
	dir, err := os.MkdirTemp(s.path("checkpoint"), "trials-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	trials := draw(&s.o, s.data.classes == nil)
	alive := make([]int, len(trials))
	for i := range alive {
		alive[i] = i
	}
	rungs := max(int(math.Ceil(math.Log2(float64(len(trials))))), 1)
	for rung := range rungs {
		epochs := max(s.o.Epochs>>(rungs-rung-1), 1)
		for _, i := range alive {
			if err := s.try(ctx, &trials[i], epochs, filepath.Join(dir, fmt.Sprintf("%d.npz", i))); err != nil {
				return err
			}
		}
		slices.SortStableFunc(alive, func(a, b int) int { return trials[a].compare(&trials[b]) })
		s.o.logf("tuning: %d settings after %d epochs, the best is %v", len(alive), epochs, trials[alive[0]])
		alive = alive[:(len(alive)+1)/2]
	}
	if trials[alive[0]].Error != "" {
		return fmt.Errorf("%w: every setting failed: %s", ErrOption, trials[alive[0]].Error)
	}
	trials[alive[0]].Best = true
	s.report.Trials = trials
	if err := atomicfile.Write(kept, func(w io.Writer) error { return json.NewEncoder(w).Encode(trials) }); err != nil {
		return err
	}
	return s.takeBest()
}

// takeBest continues with the best trial's hyperparameters.
func (s *session) takeBest() error {
	for _, t := range s.report.Trials {
		if t.Best {
			epochs := s.o.Epochs
			s.o.Hyperparameters = t.Hyperparameters
			s.o.Epochs = epochs
			return nil
		}
	}
	return fmt.Errorf("%s: %w: no best trial in it; start without resuming", s.path("checkpoint"), ErrData)
}

// try trains one setting up to a number of epochs, from where it stopped before.
func (s *session) try(ctx context.Context, t *Trial, epochs int, checkpoint string) error {
	h := t.Hyperparameters
	h.Epochs = epochs
	model, err := s.newModel(&h)
	if err != nil {
		return err
	}
	defer model.Close()
	result, err := train.Fit(ctx, model, s.data.training, s.config(&h, checkpoint))
	if errors.Is(err, train.ErrNotFinite) {
		t.Error = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	last := result.History[len(result.History)-1].Logs
	t.Epochs, t.ValLoss, t.ValAccuracy, t.ValMSE = epochs, last["val_loss"], last["val_accuracy"], last["val_mse"]
	return nil
}

// compare orders trials, the better first: by accuracy, then by mean squared error, then by loss. (The loss alone would
// favour settings with less regularization and smoothing.)
func (t *Trial) compare(u *Trial) int {
	for _, c := range [][2]float64{{float64(len(t.Error)), float64(len(u.Error))}, {u.ValAccuracy, t.ValAccuracy}, {t.ValMSE, u.ValMSE}, {t.ValLoss, u.ValLoss}} {
		if c[0] != c[1] {
			return int(math.Copysign(1, c[0]-c[1]))
		}
	}
	return t.Trial - u.Trial
}

// String names the trial's figure and its hyperparameters.
func (t Trial) String() string {
	figure := fmt.Sprintf("val_accuracy %.4f", t.ValAccuracy)
	switch {
	case t.Error != "":
		figure = t.Error
	case t.ValMSE > 0:
		figure = fmt.Sprintf("val_mse %.4g", t.ValMSE)
	}
	h := t.Hyperparameters
	return fmt.Sprintf("trial %d: %s (%s %.3g, %s, batch %d, hidden %v %s, dropout %g, L2 %g)", t.Trial, figure, h.Optimizer, h.LearningRate, h.Loss,
		h.Batch, h.Hidden, h.Activation, h.Dropout, h.L2)
}

// draw returns the settings to try: the given one, and random changes of all that was not given.
func draw(o *Options, regression bool) []Trial {
	trials := []Trial{{Trial: 1, Hyperparameters: o.Hyperparameters}}
	r := train.NewRandom(o.Seed, randomStream)
	for len(trials) < o.Tune {
		h := drawOne(r)
		given := o.Hyperparameters
		for _, name := range o.Given {
			switch name {
			case "loss":
				h.Loss = given.Loss
			case "learning_rate":
				h.LearningRate = given.LearningRate
			case "batch":
				h.Batch = given.Batch
			case "hidden":
				h.Hidden = given.Hidden
			case "activation":
				h.Activation = given.Activation
			case "optimizer":
				h.Optimizer = given.Optimizer
			case "dropout":
				h.Dropout = given.Dropout
			case "l2":
				h.L2 = given.L2
			}
		}
		if !regression { // classes have one loss that suits them
			h.Loss = given.Loss
		}
		h.Epochs, h.L1, h.LabelSmoothing, h.Warmup, h.Decay = given.Epochs, given.L1, given.LabelSmoothing, given.Warmup, given.Decay
		h.Augment, h.AugmentVariants = given.Augment, given.AugmentVariants
		trials = append(trials, Trial{Trial: len(trials) + 1, Hyperparameters: h})
	}
	return trials
}

// drawOne draws what a person would set: number of hidden layers, their units, dropout, optimizer, loss, learning rate and batch
// size (the epochs are what halving gives), and activation and L2 too. Always the same number of draws, so that what is given
// does not change the others.
func drawOne(r *train.Random) Hyperparameters {
	var h Hyperparameters
	h.LearningRate = roundTo(math.Pow(10, -4+2*r.Float64()), 2)
	h.Optimizer = []string{"adam", "adamw", "rmsprop", "momentum"}[r.IntN(4)]
	if h.Optimizer == "momentum" {
		h.LearningRate *= 10
	}
	h.Batch = 32 << r.IntN(4)
	layers, units := 1+r.IntN(3), 32<<r.IntN(5)
	for i := range layers {
		h.Hidden = append(h.Hidden, max(units>>i, 16))
	}
	h.Activation = []string{"relu", "tanh"}[r.IntN(2)]
	h.Dropout = []float64{0, 0.1, 0.2, 0.3, 0.5}[r.IntN(5)]
	h.L2 = []float64{0, 1e-6, 1e-5, 1e-4}[r.IntN(4)]
	h.Loss = []string{"mean_squared_error", "mean_absolute_error", "huber"}[r.IntN(3)]
	return h
}

// roundTo keeps some significant digits.
func roundTo(v float64, digits int) float64 {
	scale := math.Pow(10, float64(digits)-1-math.Floor(math.Log10(v)))
	return math.Round(v*scale) / scale
}

// trialPanel shows each trial's figure; those dropped early are in another colour than those trained to the end.
func trialPanel(trials []Trial) plot.Panel {
	p := plot.Panel{Title: "trials", X: "trial", Y: "val_accuracy"}
	most := 0
	for _, t := range trials {
		most = max(most, t.Epochs)
	}
	dropped, whole := plot.Series{Name: "dropped", Scatter: true}, plot.Series{Name: "trained to the end", Scatter: true}
	for _, t := range trials {
		y := t.ValAccuracy
		if t.ValMSE > 0 {
			p.Y, y = "val_mse", t.ValMSE
		}
		at := &dropped
		if t.Epochs == most {
			at = &whole
		}
		at.X, at.Y = append(at.X, float64(t.Trial)), append(at.Y, y)
		if t.Best {
			p.Marks = []plot.Mark{{Name: fmt.Sprintf("best: trial %d", t.Trial), At: float64(t.Trial)}}
		}
	}
	p.Series = []plot.Series{whole, dropped}
	return p
}
