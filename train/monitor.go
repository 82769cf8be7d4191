package train

import (
	"fmt"
	"math"
	"strings"
)

// EarlyStopping ends training when a figure has not become better for Patience epochs, as keras.callbacks.EarlyStopping, and
// puts the best epoch's weights back, whether it stopped early or not.
type EarlyStopping struct {
	Monitor        string // a key of the history; "" is val_loss, or loss without validation
	Patience       int
	MinDelta       float64 // a smaller change is no improvement
	StartFromEpoch int     // epochs before it only warm up: nothing is compared
	KeepLast       bool    // leaves the last epoch's weights instead of the best's
}

// ReduceLROnPlateau multiplies the learning rate by Factor when a figure has not become better for Patience epochs, as
// keras.callbacks.ReduceLROnPlateau. An optimizer with a Schedule cannot be used with it.
type ReduceLROnPlateau struct {
	Monitor  string  // a key of the history; "" is val_loss, or loss without validation
	Factor   float64 // 0 means 0.1
	Patience int
	MinDelta float64 // Keras's default is 1e-4
	Cooldown int     // epochs to wait after a reduction
	MinLR    float64
}

// watch follows a figure over the epochs. Its fields are what a checkpoint keeps.
type watch struct {
	Best      float64 `json:"best"`
	BestEpoch int     `json:"best_epoch"` // counted from 1; 0 before the first
	Wait      int     `json:"wait"`
	Cooldown  int     `json:"cooldown"`
}

// improves reports whether a value is better than the best so far.
func (w *watch) improves(value, minDelta float64, rises bool) bool {
	switch {
	case value-value != 0: // NaN, or infinite
		return false
	case w.BestEpoch == 0:
		return true
	case rises:
		return value-minDelta > w.Best
	default:
		return value+minDelta < w.Best
	}
}

// stop records an epoch (from 1) and reports whether its value is the best, and whether training should end.
func (s *EarlyStopping) stop(w *watch, epoch int, value float64, rises bool) (best, end bool) {
	if epoch-1 < s.StartFromEpoch {
		return false, false
	}
	w.Wait++
	if w.improves(value, s.MinDelta, rises) {
		w.Best, w.BestEpoch, w.Wait = value, epoch, 0
		return true, false
	}
	return false, w.Wait >= s.Patience && epoch > 1
}

// reduce records an epoch and returns the learning rate of the epochs that follow.
func (r *ReduceLROnPlateau) reduce(w *watch, epoch int, value, rate float64, rises bool) float64 {
	if w.Cooldown > 0 {
		w.Cooldown--
		w.Wait = 0
	}
	if w.improves(value, r.MinDelta, rises) {
		w.Best, w.BestEpoch, w.Wait = value, epoch, 0
		return rate
	}
	if w.Cooldown > 0 {
		return rate
	}
	w.Wait++
	if w.Wait < r.Patience || rate <= r.MinLR {
		return rate
	}
	w.Cooldown, w.Wait = r.Cooldown, 0
	return max(rate*r.factor(), r.MinLR)
}

func (r *ReduceLROnPlateau) factor() float64 {
	if r.Factor == 0 {
		return 0.1
	}
	return r.Factor
}

// Validate returns an error that wraps ErrOption if a number is out of its range.
func (s *EarlyStopping) Validate() error {
	if s.Patience < 0 || !(s.MinDelta >= 0) || s.StartFromEpoch < 0 {
		return fmt.Errorf("%w: early stopping with patience %d, min_delta %v, start_from_epoch %d", ErrOption, s.Patience, s.MinDelta, s.StartFromEpoch)
	}
	return nil
}

// Validate returns an error that wraps ErrOption if a number is out of its range.
func (r *ReduceLROnPlateau) Validate() error {
	if r.Patience < 0 || !(r.Factor >= 0 && r.Factor < 1) || !(r.MinDelta >= 0) || r.Cooldown < 0 || !(r.MinLR >= 0) {
		return fmt.Errorf("%w: reduce on plateau with factor %v, patience %d, min_delta %v, cooldown %d, min_lr %v", ErrOption,
			r.Factor, r.Patience, r.MinDelta, r.Cooldown, r.MinLR)
	}
	return nil
}

// Overfitting is the finding that a model learns its training data by heart.
type Overfitting struct {
	Detected bool `json:"detected"`
	// Epoch is the one with the lowest validation loss: from the next on the model overfits. 0 if not detected.
	Epoch int `json:"epoch"`
	// Stopped says that early stopping ends with that epoch's weights: Advice does not name it as a cure then.
	Stopped bool `json:"-"`
}

// overfittingRise is how far above its lowest point, relatively, the validation loss must be: less is noise.
const overfittingRise = 0.01

// DetectOverfitting looks for a run of at least patience epochs after the one with the lowest val_loss over which loss falls
// (its least-squares line does) while val_loss rises to 1 % above its lowest or more.
func DetectOverfitting(h History, patience int) Overfitting {
	best, lowest := -1, math.Inf(1)
	for i, e := range h {
		if v, ok := e.Logs["val_loss"]; ok && v < lowest {
			best, lowest = i, v
		}
	}
	last := len(h) - 1
	if best < 0 || last-best < max(patience, 1) {
		return Overfitting{}
	}
	rising := slope(h[best:], "val_loss") > 0 && h[last].Logs["val_loss"] > lowest+overfittingRise*math.Abs(lowest)
	if rising && slope(h[best:], "loss") < 0 {
		return Overfitting{Detected: true, Epoch: h[best].Epoch}
	}
	return Overfitting{}
}

// slope returns the slope of the least-squares line of a figure over the epochs.
func slope(h History, key string) float64 {
	middle, meanY := float64(len(h)-1)/2, 0.0
	for _, e := range h {
		meanY += e.Logs[key] / float64(len(h))
	}
	xy, xx := 0.0, 0.0
	for i, e := range h {
		dx := float64(i) - middle
		xy, xx = xy+dx*(e.Logs[key]-meanY), xx+dx*dx
	}
	return xy / xx
}

// Advice says in a sentence what was found and names the cures.
func (o Overfitting) Advice() string {
	if !o.Detected {
		return "no overfitting: the validation loss did not rise while the training loss fell"
	}
	cures := []string{"more data or augmentation", "dropout", "L1 or L2 regularization", "a smaller network"}
	besides := ""
	if o.Stopped {
		besides = " besides early stopping"
	} else {
		cures = append(cures, "early stopping")
	}
	return fmt.Sprintf("overfitting after epoch %d: the training loss kept falling while the validation loss rose; cures%s: %s", o.Epoch, besides, strings.Join(cures, ", "))
}
