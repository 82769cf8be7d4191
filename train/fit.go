package train

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Config is how Fit trains. The zero value of a field is its default.
type Config struct {
	Epochs    int    // 0 means 1
	BatchSize int    // 0 means 32; the last batch of an epoch is smaller where it does not divide the samples
	Seed      uint64 // of the shuffling, and of what is random in the model's steps
	NoShuffle bool   // takes the samples in their order, every epoch

	// At most one of these three says what to validate on, after every epoch.
	Validation        *Dataset // another data set
	ValidationSplit   float64  // the last fraction of the data set, before any shuffling, as Keras takes it
	ValidationIndices []int32  // these samples of the data set: see StratifiedSplit

	// Metrics are computed over each epoch's training batches, as they come, and over the validation data.
	Metrics           []Metric
	EarlyStopping     *EarlyStopping
	ReduceLROnPlateau *ReduceLROnPlateau
	// OverfittingPatience is for how many epochs the validation loss must rise to be called overfitting; 0 means 5.
	OverfittingPatience int

	// Checkpoint is a file that everything needed to go on is written to after every epoch, atomically, while the next one
	// is trained; of epochs that are shorter than a write, not every one. "" writes none.
	Checkpoint string
	// Resume goes on from Checkpoint if that file is there. The result has the same bits as an uninterrupted run's.
	Resume bool
	// Identity says what is trained on what; a checkpoint with another identity is refused.
	Identity string

	// Block is about how many samples the engine is given in one call. Between calls Fit looks at ctx and reports progress, and
	// no more are evaluated at once. 0 means 16384, which suits networks with steps of microseconds.
	Block int

	// OnProgress is called after every block of an epoch's training.
	OnProgress func(Progress)
	// BeforeEpoch is called before every epoch's training, with its number, counted from 1; an error ends training.
	BeforeEpoch func(epoch int) error
	// OnEpoch is called after every epoch, before its checkpoint is written; an error ends training.
	OnEpoch func(Epoch) error
}

// Progress says how far an epoch is.
type Progress struct {
	Epoch, Epochs int
	Samples, Of   int     // trained on in this epoch
	Loss          float64 // mean over them
	Seconds       float64 // since the epoch began
}

// Result is what Fit found.
type Result struct {
	History History
	// BestEpoch is the one whose weights the model ends with: the best for EarlyStopping, else the last.
	BestEpoch int
	// EarlyStopped says that EarlyStopping ended training before Config.Epochs.
	EarlyStopped bool
	Overfitting  Overfitting
	// Warnings says in sentences what went badly without being an error, such as a loss that rises.
	Warnings []string
	// Steps is the number of optimizer steps taken, by an interrupted run's earlier parts too.
	Steps int64
}

// Fit trains m on d. It returns an error that wraps ErrData or ErrOption if the data or the settings cannot be trained with,
// ErrNotFinite with the epoch and the batch if the loss becomes NaN or infinite, and ctx's error if that ends first: the last
// complete epoch is in the checkpoint then. The result holds the history up to there.
func Fit(ctx context.Context, m Trainable, d *Dataset, c Config) (*Result, error) {
	if c.BatchSize == 0 {
		c.BatchSize = 32
	}
	if c.Epochs == 0 {
		c.Epochs = 1
	}
	if c.OverfittingPatience == 0 {
		c.OverfittingPatience = 5
	}
	if c.Block == 0 {
		c.Block = blockSamples
	}
	if ctx == nil {
		return nil, fmt.Errorf("%w: the context is nil; context.Background() never ends", ErrOption)
	}
	if err := c.validate(m); err != nil {
		return nil, err
	}
	r, err := newRun(m, d, c)
	if err != nil {
		return nil, err
	}
	defer r.close()
	err = r.all(ctx)
	return &r.result, err
}

func (c *Config) validate(m Trainable) error {
	if m == nil {
		return fmt.Errorf("%w: there is no model to train", ErrOption)
	}
	if i := slices.IndexFunc(c.Metrics, func(x Metric) bool { return x == nil }); i >= 0 {
		return fmt.Errorf("%w: metric %d is nil", ErrOption, i+1)
	}
	if c.Epochs < 0 || c.BatchSize < 0 || c.OverfittingPatience < 0 || c.Block < 0 {
		return fmt.Errorf("%w: %d epochs, batch size %d, overfitting patience %d, blocks of %d", ErrOption, c.Epochs, c.BatchSize, c.OverfittingPatience, c.Block)
	}
	sources := 0
	for _, given := range []bool{c.Validation != nil, c.ValidationSplit != 0, c.ValidationIndices != nil} {
		if given {
			sources++
		}
	}
	if sources > 1 {
		return fmt.Errorf("%w: only one of a validation set, a validation split and validation indices can be given", ErrOption)
	}
	if !(c.ValidationSplit >= 0 && c.ValidationSplit < 1) {
		return fmt.Errorf("%w: validation split %v is not in [0, 1)", ErrOption, c.ValidationSplit)
	}
	if c.Resume && c.Checkpoint == "" {
		return fmt.Errorf("%w: resuming needs a checkpoint", ErrOption)
	}
	if c.EarlyStopping != nil {
		if err := c.EarlyStopping.Validate(); err != nil {
			return err
		}
	}
	if c.ReduceLROnPlateau != nil {
		if m.Optimizer().Schedule != nil {
			return fmt.Errorf("%w: reduce on plateau cannot change the learning rate of a schedule", ErrOption)
		}
		return c.ReduceLROnPlateau.Validate()
	}
	return nil
}

// split returns the samples to train on and those held out, each in order.
func (c *Config) split(samples int) (training, held []int32, err error) {
	out := make([]bool, samples)
	for i := int(math.Floor(float64(samples) * (1 - c.ValidationSplit))); i < samples; i++ {
		out[i] = true
	}
	for _, i := range c.ValidationIndices {
		if i < 0 || int(i) >= samples {
			return nil, nil, fmt.Errorf("%w: validation sample %d of %d", ErrOption, i, samples)
		}
		if out[i] {
			return nil, nil, fmt.Errorf("%w: validation sample %d is given twice", ErrOption, i)
		}
		out[i] = true
	}
	for i, o := range out {
		if o {
			held = append(held, int32(i))
		} else {
			training = append(training, int32(i))
		}
	}
	if len(training) == 0 || (len(held) == 0 && (c.ValidationSplit > 0 || c.ValidationIndices != nil)) {
		return nil, nil, fmt.Errorf("%w: %d samples leave %d to train on and %d to validate on", ErrData, samples, len(training), len(held))
	}
	return training, held, nil
}

// StratifiedSplit draws about a fraction of each class's samples, seeded, for Config.ValidationIndices: at least one of a
// class with two or more, and never all of one. The indices come in rising order.
func StratifiedSplit(labels []int32, fraction float64, seed uint64) []int32 {
	byClass := map[int32][]int32{}
	for i, l := range labels {
		byClass[l] = append(byClass[l], int32(i))
	}
	out := make([]bool, len(labels))
	for class, members := range byClass {
		NewRandom(seed, streamSplit+uint64(uint32(class))).Shuffle(members)
		n := int(math.Round(float64(len(members)) * fraction))
		if fraction > 0 {
			n = max(n, 1)
		}
		for _, i := range members[:min(n, len(members)-1)] {
			out[i] = true
		}
	}
	var held []int32
	for i, o := range out {
		if o {
			held = append(held, int32(i))
		}
	}
	return held
}

// The streams that the loop draws from a seed. Engines take others: small numbers.
const (
	streamShuffle = 1 << 32 // + epoch
	streamSplit   = 2 << 32 // + class
)
