package inference

import (
	"encoding/json"
	"fmt"
	"math"
	"math/cmplx"

	"github.com/cambium-go/cambium/tensor"
)

// Difference says how far two values of one output are apart.
type Difference struct {
	MaxAbs          float64 // largest |a − b|
	MeanAbs         float64 // mean |a − b|
	MaxRel          float64 // largest |a − b| / |b|, over b ≠ 0
	ArgmaxAgreement float64 // share of the rows (last dimension) whose largest element is at the same place
}

// MarshalJSON returns {"max_abs": …, "mean_abs": …, "max_rel": …, "argmax_agreement": …}.
func (d Difference) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		MaxAbs          any     `json:"max_abs"`
		MeanAbs         any     `json:"mean_abs"`
		MaxRel          any     `json:"max_rel"`
		ArgmaxAgreement float64 `json:"argmax_agreement"`
	}{finite(d.MaxAbs), finite(d.MeanAbs), finite(d.MaxRel), d.ArgmaxAgreement})
}

// Compare measures how far got is from want. Values that are not numbers are equal (0) or not (infinity); NaN equals NaN.
func Compare(got, want *tensor.Tensor) (Difference, error) {
	if !got.Shape().Equal(want.Shape()) {
		return Difference{}, fmt.Errorf("%w: %v against %v", tensor.ErrShape, got.Shape(), want.Shape())
	}
	if got.DType() == tensor.String || want.DType() == tensor.String {
		return compareStrings(got, want)
	}
	a, err := numbers(got)
	if err != nil {
		return Difference{}, err
	}
	b, err := numbers(want)
	if err != nil {
		return Difference{}, err
	}
	d := Difference{ArgmaxAgreement: argmaxAgreement(a, b, got.Shape())}
	for i := range a {
		abs := distance(a[i], b[i])
		d.MaxAbs = math.Max(d.MaxAbs, abs)
		d.MeanAbs += abs / float64(len(a))
		if size := magnitude(b[i]); abs > 0 && size != 0 {
			d.MaxRel = math.Max(d.MaxRel, abs/size)
		}
	}
	return d, nil
}

func numbers(t *tensor.Tensor) ([]complex128, error) {
	c, err := t.Cast(tensor.Complex128)
	if err != nil {
		return nil, err
	}
	return tensor.Data[complex128](c)
}

// distance is |a − b|: 0 for the same infinity and for NaN on both sides, infinite for NaN on one side.
func distance(a, b complex128) float64 {
	if a == b || (cmplx.IsNaN(a) && cmplx.IsNaN(b)) {
		return 0
	}
	if d := magnitude(a - b); !math.IsNaN(d) {
		return d
	}
	return math.Inf(1)
}

func magnitude(c complex128) float64 { return math.Hypot(real(c), imag(c)) }

func compareStrings(got, want *tensor.Tensor) (Difference, error) {
	if got.DType() != want.DType() {
		return Difference{}, fmt.Errorf("%w: %v against %v", tensor.ErrDType, got.DType(), want.DType())
	}
	d := Difference{ArgmaxAgreement: 1}
	if !got.Equal(want) {
		d = Difference{MaxAbs: math.Inf(1), MeanAbs: math.Inf(1), MaxRel: math.Inf(1)}
	}
	return d, nil
}

func argmaxAgreement(a, b []complex128, shape tensor.Shape) float64 {
	if len(a) == 0 || len(shape) == 0 {
		return 1
	}
	columns := shape[len(shape)-1]
	rows, same := len(a)/columns, 0
	for i := range rows {
		if argmax(a[i*columns:(i+1)*columns]) == argmax(b[i*columns:(i+1)*columns]) {
			same++
		}
	}
	return float64(same) / float64(rows)
}

func argmax(row []complex128) int {
	best := 0
	for i, v := range row {
		if real(v) > real(row[best]) {
			best = i
		}
	}
	return best
}
