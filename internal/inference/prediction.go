package inference

import (
	"fmt"
	"strconv"

	"github.com/cambium-go/cambium/tensor"
)

// Prediction is what a model says of one image, or of one row where the input was no image.
type Prediction struct {
	Image string  `json:"image,omitempty"`
	Top   []Score `json:"top"`
}

// Predictions returns the k best classes of each row of scores; images, which may be nil, names the rows.
func Predictions(scores *tensor.Tensor, k int, labels, images []string) ([]Prediction, error) {
	if images != nil && len(images) != scores.Shape()[0] {
		return nil, fmt.Errorf("%w: %d rows for %d images", ErrScores, scores.Shape()[0], len(images))
	}
	top, err := Top(scores, k, labels)
	if err != nil {
		return nil, err
	}
	predictions := make([]Prediction, len(top))
	for i := range top {
		predictions[i].Top = top[i]
		if images != nil {
			predictions[i].Image = images[i]
		}
	}
	return predictions, nil
}

// Texts returns the first elements of a tensor as text, and "…" where there are more than most.
func Texts(t *tensor.Tensor, most int) []string {
	if s, err := tensor.Data[string](t); err == nil {
		return texts(s, most, strconv.Quote)
	}
	if b, err := tensor.Data[bool](t); err == nil {
		return texts(b, most, strconv.FormatBool)
	}
	if c, err := t.Cast(tensor.Complex128); err == nil && (t.DType() == tensor.Complex64 || t.DType() == tensor.Complex128) {
		values, _ := tensor.Data[complex128](c)
		return texts(values, most, func(c complex128) string { return fmt.Sprintf("%.6g", c) })
	}
	if t.DType().IsFloat() {
		if f, err := t.Cast(tensor.Float64); err == nil {
			values, _ := tensor.Data[float64](f)
			return texts(values, most, func(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) })
		}
	}
	if i, err := t.Cast(tensor.Int64); err == nil {
		values, _ := tensor.Data[int64](i)
		return texts(values, most, func(i int64) string { return strconv.FormatInt(i, 10) })
	}
	return []string{t.String()}
}

func texts[T any](values []T, most int, format func(T) string) []string {
	s := make([]string, 0, min(len(values), most)+1)
	for _, v := range values[:min(len(values), most)] {
		s = append(s, format(v))
	}
	if len(values) > most {
		s = append(s, "…")
	}
	return s
}
