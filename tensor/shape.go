package tensor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxRank is the largest rank that TensorFlow's kernels accept.
const MaxRank = 254

// Shape is the length of each dimension. In a signature -1 stands for an unknown dimension and a nil Shape for an unknown
// rank; a tensor's own shape is always known, and a scalar's is Shape{}.
type Shape []int

// Elements returns the product of the dimensions, 1 for a scalar. It is an error if a dimension is negative or the product
// overflows.
func (s Shape) Elements() (int, error) {
	// The messages take s.String(): what goes into an interface would move every caller's shape to the heap.
	if len(s) > MaxRank {
		return 0, fmt.Errorf("%w: rank %d, at most %d is possible", ErrShape, len(s), MaxRank)
	}
	n, zero := 1, false
	for _, d := range s {
		switch {
		case d < 0:
			return 0, fmt.Errorf("%w: %v has a negative dimension", ErrShape, s.String())
		case d == 0:
			zero = true
		case n > math.MaxInt/d:
			return 0, fmt.Errorf("%w: %v has more elements than an int can count", ErrShape, s.String())
		default:
			n *= d
		}
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

// Equal reports whether both shapes have the same rank and the same dimensions.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) || (s == nil) != (t == nil) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Accepts reports whether a tensor of shape t fits a signature's shape s, in which -1 (and a nil Shape) accept anything.
func (s Shape) Accepts(t Shape) bool {
	if s == nil {
		return true
	}
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] >= 0 && s[i] != t[i] {
			return false
		}
	}
	return true
}

// Clone returns a copy.
func (s Shape) Clone() Shape {
	if s == nil {
		return nil
	}
	return append(Shape{}, s...)
}

// String returns "[1,784]", with ? for an unknown dimension, or "unknown" for an unknown rank.
func (s Shape) String() string {
	if s == nil {
		return "unknown"
	}
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		if d < 0 {
			b.WriteByte('?')
		} else {
			b.WriteString(strconv.Itoa(d))
		}
	}
	b.WriteByte(']')
	return b.String()
}

// index returns the index of element i in row-major order: "[0,12]", "[]" for a scalar.
func (s Shape) index(i int) string {
	at := s.known()
	for d := len(s) - 1; d >= 0; d-- {
		at[d] = i % s[d]
		i /= s[d]
	}
	return at.String()
}
