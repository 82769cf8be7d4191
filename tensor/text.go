package tensor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// setText sets element i to the value that a decimal text stands for: a float is rounded to the nearest one of its type,
// an integer may be written as 3.0 or 3e2, a bool as true or 1. What the type cannot hold is an error.
func (t *Tensor) setText(i int, text string) error {
	ok := true
	switch d := t.dtype; {
	case d == String:
		t.strings[i] = text
	case d == Float32:
		f, err := strconv.ParseFloat(text, 32)
		ok = err == nil
		put(t, i, float32(f))
	case d == Float64:
		f, err := strconv.ParseFloat(text, 64)
		ok = err == nil
		put(t, i, f)
	case d.IsFloat():
		f, err := strconv.ParseFloat(text, 64)
		ok = err == nil && t.setFloat(i, f)
	case d == Complex64 || d == Complex128:
		c, err := strconv.ParseComplex(text, 8*d.Size())
		ok = err == nil
		t.setComplex(i, c)
	case d == Bool:
		ok = t.setBool(i, text)
	default:
		ok = t.setInteger(i, text)
	}
	if !ok {
		return fmt.Errorf("%w: %.40q is no %v", ErrDType, text, t.dtype)
	}
	return nil
}

// setFloat sets an element of one of the narrow floating-point types; a finite number must stay finite.
func (t *Tensor) setFloat(i int, f float64) bool {
	one := Must(Scalar(f).Cast(t.dtype))
	copy(t.data[i*len(one.data):], one.data)
	got := real(one.number(0).float)
	return sameFloat(got, f) || !(math.IsInf(got, 0) || got != got)
}

func (t *Tensor) setComplex(i int, c complex128) {
	if t.dtype == Complex64 {
		put(t, i, complex64(c))
	} else {
		put(t, i, c)
	}
}

func (t *Tensor) setBool(i int, text string) bool {
	switch strings.ToLower(text) {
	case "true", "1":
		t.data[i] = 1
	case "false", "0":
		t.data[i] = 0
	default:
		return false
	}
	return true
}

// setInteger sets an element of an integer type, if the number is whole and in range.
func (t *Tensor) setInteger(i int, text string) bool {
	n, ok := parseInteger(text)
	bits := 8 * t.dtype.Size()
	if t.dtype == Int4 || t.dtype == Uint4 {
		bits = 4
	}
	unsigned := false
	switch t.dtype {
	case Uint8, Uint16, Uint32, Uint64, Uint4, QUint8, QUint16:
		unsigned = true
	}
	limit := uint64(math.MaxUint64) >> (64 - bits)
	switch {
	case unsigned && n.negative, unsigned && n.magnitude > limit:
		return false
	case !unsigned && n.magnitude > limit>>1 && !(n.negative && n.magnitude == limit>>1+1):
		return false
	}
	v := n.magnitude
	if n.negative {
		v = -v
	}
	switch t.dtype.Size() {
	case 1:
		put(t, i, uint8(v))
	case 2:
		put(t, i, uint16(v))
	case 4:
		put(t, i, uint32(v))
	case 8:
		put(t, i, v)
	}
	return ok
}

// parseInteger returns the whole number that text stands for, also if it is written with a point or an exponent.
func parseInteger(text string) (number, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	if m, err := strconv.ParseUint(digits, 10, 64); err == nil {
		return number{integer: true, negative: negative && m > 0, magnitude: m}, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<64 {
		return number{}, false
	}
	return number{integer: true, negative: f < 0, magnitude: uint64(math.Abs(f))}, true
}

// text returns the shortest text that setText reads back.
func (t *Tensor) text(i int) string {
	switch t.dtype {
	case String:
		return t.strings[i]
	case Bool:
		return strconv.FormatBool(t.data[i] == 1)
	}
	n, bits := t.number(i), 8*max(t.dtype.Size(), 4)
	switch {
	case n.integer && n.negative:
		return "-" + strconv.FormatUint(n.magnitude, 10)
	case n.integer:
		return strconv.FormatUint(n.magnitude, 10)
	case t.dtype == Complex64 || t.dtype == Complex128:
		return strconv.FormatComplex(n.float, 'g', -1, bits)
	default:
		return strconv.FormatFloat(real(n.float), 'g', -1, bits)
	}
}

// textKind is what texts can stand for, from narrow to wide.
type textKind uint8

const (
	noText textKind = iota
	boolText
	intText
	uintText
	floatText
	complexText
	stringText
)

// kindOfText returns what an unquoted text stands for; NumPy's rules: an integer is an int64, or a uint64 if only that holds it.
func kindOfText(text string) textKind {
	switch text {
	case "true", "false", "True", "False":
		return boolText
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return intText
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return uintText
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return floatText
	}
	if _, err := strconv.ParseComplex(text, 128); err == nil {
		return complexText
	}
	return stringText
}

// dtype returns the type that holds every text seen; the widest kind decides.
func (k textKind) dtype() DType {
	return [...]DType{noText: Float32, boolText: Bool, intText: Int64, uintText: Uint64, floatText: Float64, complexText: Complex128, stringText: String}[k]
}
