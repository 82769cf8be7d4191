package inference

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/cambium-go/cambium/tensor"
)

// ErrScores says that no output holds class scores, or that the labels do not fit them.
var ErrScores = errors.New("class scores")

// Score is one class and its score.
type Score struct {
	Label string
	Score float64
}

// MarshalJSON returns {"label": "3", "score": 0.998}; NaN and infinities are strings, as everywhere in this module's JSON.
func (s Score) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Label string `json:"label"`
		Score any    `json:"score"`
	}{s.Label, finite(s.Score)})
}

func finite(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	default:
		return f
	}
}

// Scores picks the output that holds class scores, [batch, classes] of floats: the only one of that form.
func Scores(outputs map[string]*tensor.Tensor) (*tensor.Tensor, error) {
	var found *tensor.Tensor
	for _, name := range Names(outputs) {
		t := outputs[name]
		if t.Rank() == 2 && t.DType().IsFloat() && t.Shape()[1] > 0 {
			if found != nil {
				return nil, fmt.Errorf("%w: several outputs could hold them (%v); fetch one with --fetch", ErrScores, Names(outputs))
			}
			found = t
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: no output is a [batch, classes] of floats", ErrScores)
	}
	return found, nil
}

// Top returns the k best classes of each row of scores, the best first, under the labels; without labels a class is called
// by its number. NaN comes last.
func Top(scores *tensor.Tensor, k int, labels []string) ([][]Score, error) {
	t, err := scores.Cast(tensor.Float64)
	if err != nil {
		return nil, err
	}
	values, err := tensor.Data[float64](t)
	if err != nil {
		return nil, err
	}
	rows, classes := scores.Shape()[0], scores.Shape()[1]
	if labels != nil && len(labels) != classes {
		return nil, fmt.Errorf("%w: %d labels for %d classes", ErrScores, len(labels), classes)
	}
	top := make([][]Score, rows)
	for i := range top {
		top[i] = topOf(values[i*classes:(i+1)*classes], min(k, classes), labels)
	}
	return top, nil
}

func topOf(row []float64, k int, labels []string) []Score {
	order := make([]int, len(row))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank(row[b]), rank(row[a])) })
	scores := make([]Score, k)
	for i, class := range order[:k] {
		label := strconv.Itoa(class)
		if labels != nil {
			label = labels[class]
		}
		scores[i] = Score{Label: label, Score: row[class]}
	}
	return scores
}

// rank orders NaN behind everything else.
func rank(score float64) float64 {
	if math.IsNaN(score) {
		return math.Inf(-1)
	}
	return score
}
