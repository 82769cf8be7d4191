package tensor

import (
	"fmt"
	"math"
)

// MaxAbsDiff returns the largest |a - b| of any element, whatever the numeric types. Equal infinities and NaN beside NaN
// differ by 0; NaN beside a number differs by +Inf. It is an error if the shapes differ or an operand holds strings.
func MaxAbsDiff(a, b *Tensor) (float64, error) {
	if err := checkComparable(a, b); err != nil {
		return 0, err
	}
	worst := 0.0
	for i := range a.Len() {
		d := a.number(i).minus(b.number(i))
		if d != d {
			return math.Inf(1), nil
		}
		worst = max(worst, d)
	}
	return worst, nil
}

// AllClose returns nil if |a - b| ≤ atol + rtol·|b| holds for every element, as numpy.allclose(a, b, rtol, atol,
// equal_nan=True) does: NaN is close to NaN, an infinity to the same infinity. Otherwise the error says how many elements
// are not close and names the first and the worst. Strings must be equal.
func AllClose(a, b *Tensor, rtol, atol float64) error {
	if a.DType() == String && b.DType() == String && a.shape.Equal(b.shape) {
		return sameStrings(a, b)
	}
	if err := checkComparable(a, b); err != nil {
		return err
	}
	far, first, worst, most := 0, 0, 0, -1.0
	for i := range a.Len() {
		n, m := a.number(i), b.number(i)
		d := n.minus(m)
		c := m.complex()
		if limit := atol + rtol*math.Hypot(real(c), imag(c)); d == 0 || (d <= limit && !math.IsInf(d, 0)) {
			continue
		}
		if d != d {
			d = math.Inf(1)
		}
		if far == 0 {
			first = i
		}
		if far++; d > most {
			worst, most = i, d
		}
	}
	if far == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d elements differ by more than %g + %g·|b|; the first is %s, the worst %s",
		ErrNotClose, far, a.Len(), atol, rtol, difference(a, b, first), difference(a, b, worst))
}

// difference describes element i of both.
func difference(a, b *Tensor, i int) string {
	return fmt.Sprintf("%s: %s and %s", a.shape.index(i), a.text(i), b.text(i))
}

func sameStrings(a, b *Tensor) error {
	for i, s := range a.strings {
		if s != b.strings[i] {
			return fmt.Errorf("%w: the first difference is %s: %.40q and %.40q", ErrNotClose, a.shape.index(i), s, b.strings[i])
		}
	}
	return nil
}

// checkComparable checks that both are numeric and of one shape.
func checkComparable(a, b *Tensor) error {
	for _, t := range []*Tensor{a, b} {
		if t.DType() == Invalid || t.DType() == String {
			return fmt.Errorf("%w: %v and %v cannot be compared as numbers", ErrDType, a, b)
		}
	}
	if !a.shape.Equal(b.shape) {
		return fmt.Errorf("%w: %v and %v cannot be compared element by element", ErrShape, a, b)
	}
	return nil
}
