package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cambium-go/cambium/tensor"
)

// ErrCheckpoint says that a checkpoint is damaged, or was written by a run that was set up in another way.
var ErrCheckpoint = errors.New("train: wrong checkpoint")

// A checkpoint is a NumPy .npz file: checkpoint (the JSON of the struct of that name, as bytes), weights/NAME, slots/NAME and,
// where early stopping keeps them, best/NAME.
type checkpoint struct {
	Run          fingerprint `json:"run"`
	Epoch        int         `json:"epoch"`
	Finished     bool        `json:"finished"`
	Iterations   int64       `json:"iterations"`
	LearningRate float64     `json:"learning_rate"`
	Early        watch       `json:"early_stopping"`
	Plateau      watch       `json:"reduce_lr_on_plateau"`
	Overfitting  Overfitting `json:"overfitting"`
	Warnings     []string    `json:"warnings"`
	History      History     `json:"history"`
}

// fingerprint is what must be the same for a run to go on; the number of epochs may change.
type fingerprint struct {
	Identity  string `json:"identity"`
	Seed      uint64 `json:"seed"`
	BatchSize int    `json:"batch_size"`
	Training  int    `json:"training_samples"`
	Held      int    `json:"validation_samples"`
	Shuffle   bool   `json:"shuffle"`
	Loss      string `json:"loss"`
	Optimizer string `json:"optimizer"`
	Weights   string `json:"weights"`
}

func (r *run) fingerprint(weights []Weight) fingerprint {
	var shapes []string
	for _, w := range weights {
		shapes = append(shapes, w.Name+w.Value.Shape().String())
	}
	return fingerprint{Identity: r.c.Identity, Seed: r.c.Seed, BatchSize: r.c.BatchSize, Training: len(r.training), Held: len(r.held),
		Shuffle: !r.c.NoShuffle, Loss: fmt.Sprintf("%+v", r.model.Loss()), Optimizer: fmt.Sprintf("%+v", r.model.Optimizer()),
		Weights: strings.Join(shapes, " ")}
}

// save has the checkpoint written.
func (r *run) save() error {
	if r.saver == nil {
		return nil
	}
	weights, err := r.model.Weights(true) // written while training goes on
	if err != nil {
		return err
	}
	state, err := r.model.State()
	if err != nil {
		return err
	}
	header, err := json.Marshal(checkpoint{Run: r.fingerprint(weights), Epoch: r.epoch, Finished: r.finished, Iterations: state.Iterations,
		LearningRate: r.rate, Early: r.early, Plateau: r.plateau, Overfitting: r.result.Overfitting, Warnings: r.result.Warnings,
		History: r.result.History})
	if err != nil {
		return err
	}
	arrays := []tensor.Named{{Name: "checkpoint", Tensor: tensor.Must(tensor.Of(header))}}
	for _, w := range weights {
		arrays = append(arrays, tensor.Named{Name: "weights/" + w.Name, Tensor: w.Value})
	}
	for _, s := range state.Slots {
		arrays = append(arrays, tensor.Named{Name: "slots/" + s.Name, Tensor: s.Value})
	}
	for i, b := range r.best {
		arrays = append(arrays, tensor.Named{Name: "best/" + weights[i].Name, Tensor: b})
	}
	return r.saver.put(arrays)
}

// load puts the run where its checkpoint was written. It returns os.ErrNotExist, wrapped, if there is none.
func (r *run) load() error {
	arrays, err := readArrays(r.c.Checkpoint)
	if err != nil {
		return err
	}
	header, err := tensor.Data[uint8](arrays["checkpoint"])
	if err != nil {
		return fmt.Errorf("%w: %s: there is no checkpoint in it", ErrCheckpoint, r.c.Checkpoint)
	}
	var c checkpoint
	if err := json.Unmarshal(header, &c); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCheckpoint, r.c.Checkpoint, err)
	}
	weights, err := r.model.Weights(false)
	if err != nil {
		return err
	}
	if err := c.Run.differs(r.fingerprint(weights)); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCheckpoint, r.c.Checkpoint, err)
	}
	if err := r.restore(&c, weights, arrays); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCheckpoint, r.c.Checkpoint, err)
	}
	return nil
}

func (r *run) restore(c *checkpoint, weights []Weight, arrays map[string]*tensor.Tensor) error {
	names := make([]string, len(weights))
	for i, w := range weights {
		names[i] = w.Name
	}
	values, err := pick(arrays, "weights/", names)
	if err != nil {
		return err
	}
	state, err := r.model.State() // for the slots' names
	if err != nil {
		return err
	}
	for i, s := range state.Slots {
		slot, err := pick(arrays, "slots/", []string{s.Name})
		if err != nil {
			return err
		}
		state.Slots[i].Value = slot[0]
	}
	if arrays["best/"+names[0]] != nil {
		if r.best, err = pick(arrays, "best/", names); err != nil {
			return err
		}
	}
	state.Iterations, state.LearningRate = c.Iterations, c.LearningRate
	if err := errors.Join(r.model.SetWeights(values), r.model.SetState(state)); err != nil {
		return err
	}
	r.epoch, r.finished, r.rate, r.early, r.plateau = c.Epoch, c.Finished, c.LearningRate, c.Early, c.Plateau
	r.result.History, r.result.Steps, r.result.EarlyStopped = c.History, c.Iterations, c.Finished
	r.result.Overfitting, r.result.Warnings = c.Overfitting, c.Warnings
	return nil
}

// differs returns an error that names the first thing in which the run that wrote the checkpoint differs.
func (f fingerprint) differs(now fingerprint) error {
	for _, c := range []struct {
		what      string
		then, now any
	}{
		{"weights", f.Weights, now.Weights}, {"identity", f.Identity, now.Identity}, {"seed", f.Seed, now.Seed},
		{"batch size", f.BatchSize, now.BatchSize}, {"training samples", f.Training, now.Training},
		{"validation samples", f.Held, now.Held}, {"shuffling", f.Shuffle, now.Shuffle}, {"loss", f.Loss, now.Loss},
		{"optimizer", f.Optimizer, now.Optimizer},
	} {
		if c.then != c.now {
			return fmt.Errorf("it was written with %s %v, this run has %v: resume with the same settings, or start anew", c.what, c.then, c.now)
		}
	}
	return nil
}

func readArrays(path string) (map[string]*tensor.Tensor, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	list, err := tensor.ReadNPZ(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCheckpoint, path, err)
	}
	arrays := map[string]*tensor.Tensor{}
	for _, a := range list {
		arrays[a.Name] = a.Tensor
	}
	return arrays, nil
}

func pick(arrays map[string]*tensor.Tensor, prefix string, names []string) ([]*tensor.Tensor, error) {
	values := make([]*tensor.Tensor, len(names))
	for i, n := range names {
		if values[i] = arrays[prefix+n]; values[i] == nil {
			return nil, fmt.Errorf("%s%s is missing", prefix, n)
		}
	}
	return values, nil
}
