package train

import "math"

// Schedule gives the learning rate of each step, as keras.optimizers.schedules does: At(0) is the first step's.
type Schedule interface {
	At(iteration int64) float64
}

// ExponentialDecay multiplies Initial by Rate^(step/Steps); Staircase takes whole powers.
type ExponentialDecay struct {
	Initial, Rate float64
	Steps         int64
	Staircase     bool
}

// At returns the learning rate of a step.
func (s ExponentialDecay) At(iteration int64) float64 {
	return s.Initial * math.Pow(s.Rate, progress(iteration, s.Steps, s.Staircase))
}

// InverseTimeDecay divides Initial by 1 + Rate·step/Steps; Staircase takes the whole part of step/Steps.
type InverseTimeDecay struct {
	Initial, Rate float64
	Steps         int64
	Staircase     bool
}

// At returns the learning rate of a step.
func (s InverseTimeDecay) At(iteration int64) float64 {
	return s.Initial / (1 + s.Rate*progress(iteration, s.Steps, s.Staircase))
}

// PiecewiseConstantDecay has Values[i] up to and including step Boundaries[i], and the last of Values, of which there is one
// more, after that.
type PiecewiseConstantDecay struct {
	Boundaries []int64
	Values     []float64
}

// At returns the learning rate of a step.
func (s PiecewiseConstantDecay) At(iteration int64) float64 {
	for i, b := range s.Boundaries {
		if iteration <= b {
			return s.Values[i]
		}
	}
	return s.Values[len(s.Values)-1]
}

// CosineDecay falls from the initial rate to Alpha times it along half a cosine of Steps steps. With WarmupSteps it first
// rises in a straight line from Initial to WarmupTarget, and falls from there.
type CosineDecay struct {
	Initial      float64
	Steps        int64 // of the decay, after the warm-up
	Alpha        float64
	WarmupTarget float64
	WarmupSteps  int64
}

// At returns the learning rate of a step.
func (s CosineDecay) At(iteration int64) float64 {
	top := s.Initial
	if s.WarmupSteps > 0 {
		top = s.WarmupTarget
		if iteration < s.WarmupSteps {
			return s.Initial + (top-s.Initial)*float64(iteration)/float64(s.WarmupSteps)
		}
		iteration -= s.WarmupSteps
	}
	fraction := float64(min(iteration, s.Steps)) / float64(s.Steps)
	return top * ((1-s.Alpha)*0.5*(1+math.Cos(math.Pi*fraction)) + s.Alpha)
}

// Warmup rises in a straight line to Target, which the last of its Steps steps has, and goes on as After does from its first
// step, or stays at Target without one (Goyal et al. 2017).
type Warmup struct {
	Target float64
	Steps  int64
	After  Schedule
}

// At returns the learning rate of a step.
func (s Warmup) At(iteration int64) float64 {
	switch {
	case iteration < s.Steps:
		return s.Target * float64(iteration+1) / float64(s.Steps)
	case s.After == nil:
		return s.Target
	default:
		return s.After.At(iteration - s.Steps)
	}
}

func progress(iteration, steps int64, staircase bool) float64 {
	p := float64(iteration) / float64(steps)
	if staircase {
		return math.Floor(p)
	}
	return p
}
