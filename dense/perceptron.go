package dense

import (
	"fmt"

	"github.com/cambium-go/cambium/train"
)

// Perceptron is Rosenblatt's neuron (1958): it fires, 1, where w·x + b > 0, else 0, and learns by the perceptron rule
//
//	w += rate·(target - output)·x
//	b += rate·(target - output)
//
// which finds a separating plane after finitely many mistakes if there is one (Novikoff 1962), and never ends otherwise.
type Perceptron struct {
	Weights []float64
	Bias    float64
}

// NewPerceptron returns a perceptron of the given number of inputs with weights and bias 0.
func NewPerceptron(inputs int) *Perceptron { return &Perceptron{Weights: make([]float64, inputs)} }

// Predict returns 1 or 0 for one sample, which must have as many features as the perceptron has inputs.
func (p *Perceptron) Predict(x []float64) (int, error) {
	if len(x) != len(p.Weights) {
		return 0, fmt.Errorf("dense: perceptron: %w: a sample of %d features for %d inputs", train.ErrData, len(x), len(p.Weights))
	}
	return p.fires(x), nil
}

func (p *Perceptron) fires(x []float64) int {
	sum := p.Bias
	for i, w := range p.Weights {
		sum += w * x[i]
	}
	if sum > 0 {
		return 1
	}
	return 0
}

// Fit goes through the samples until a whole pass makes no mistake, at most epochs times. It returns the number of passes and
// the mistakes of the last one: 0 if it learnt them. Targets are 0 or 1.
func (p *Perceptron) Fit(x [][]float64, targets []int, rate float64, epochs int) (passes, mistakes int, err error) {
	if len(x) == 0 || len(x) != len(targets) {
		return 0, 0, fmt.Errorf("dense: perceptron: %w: %d samples with %d targets", train.ErrData, len(x), len(targets))
	}
	for i, s := range x {
		if len(s) != len(p.Weights) {
			return 0, 0, fmt.Errorf("dense: perceptron: %w: sample %d has %d features, the perceptron %d inputs", train.ErrData, i, len(s),
				len(p.Weights))
		}
		if targets[i] != 0 && targets[i] != 1 {
			return 0, 0, fmt.Errorf("dense: perceptron: %w: the target of sample %d is %d, not 0 or 1", train.ErrData, i, targets[i])
		}
	}
	for passes < epochs {
		passes++
		mistakes = 0
		for i, s := range x {
			e := float64(targets[i] - p.fires(s))
			if e == 0 {
				continue
			}
			mistakes++
			p.Bias += rate * e
			for j, v := range s {
				p.Weights[j] += rate * e * v
			}
		}
		if mistakes == 0 {
			break
		}
	}
	return passes, mistakes, nil
}
