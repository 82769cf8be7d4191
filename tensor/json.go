package tensor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// ReadJSON reads nested lists, [[1, 2], [3, 4]], as a tensor of the given element type; a number alone is a scalar. Numbers
// are rounded to the nearest float of the type; an integer type needs whole numbers in its range. With Invalid the type is
// what NumPy would make of the list: bool, int64 (uint64), float64, object for strings.
//
// A float may also be NaN, Infinity or -Infinity, bare as Python writes them or in quotes. A string that is not UTF-8 is
// {"b64": "…"}, as in TensorFlow Serving. A complex number is a list [real, imaginary], if the type is given. Lists that
// are ragged are an error that says where.
func ReadJSON(r io.Reader, d DType) (*Tensor, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return parseJSON(text, d)
}

func parseJSON(text []byte, d DType) (*Tensor, error) {
	s := &jsonScanner{text: bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))}
	kind := noText
	s.element = func(token jsonToken) error {
		kind = max(kind, token.kind())
		return nil
	}
	shape, err := s.scan()
	if err != nil {
		return nil, err
	}
	if d == Invalid {
		d = kind.dtype()
	}
	if (d == Complex64 || d == Complex128) && len(shape) > 0 && shape[len(shape)-1] == 2 {
		return pairs(s, d, shape)
	}
	t, err := New(d, shape...)
	if err != nil {
		return nil, err
	}
	i := -1
	s.element = func(token jsonToken) error {
		i++
		return token.store(t, i)
	}
	_, err = s.scan()
	return t, err
}

// pairs reads lists whose innermost ones are [real, imaginary].
func pairs(s *jsonScanner, d DType, shape Shape) (*Tensor, error) {
	t, err := New(d, shape[:len(shape)-1]...)
	if err != nil {
		return nil, err
	}
	part, i, re := Must(New(Float64)), 0, 0.0
	s.element = func(token jsonToken) error {
		if err := token.store(part, 0); err != nil {
			return err
		}
		if v := at[float64](part, 0); i%2 == 0 {
			re = v
		} else {
			t.setComplex(i/2, complex(re, v))
		}
		i++
		return nil
	}
	_, err = s.scan()
	return t, err
}

// WriteJSON writes nested lists that ReadJSON reads back, given the type: floats with the fewest digits that do so and
// always with a point or an exponent, NaN and infinities as "NaN", "Infinity" and "-Infinity" (in quotes, for JSON has no such
// numbers; Protocol Buffers do the same), strings that are not UTF-8 as {"b64": "…"}, complex numbers as [real, imaginary].
func WriteJSON(w io.Writer, t *Tensor) error {
	if t.DType() == Invalid {
		return fmt.Errorf("%w: no tensor to write", ErrDType)
	}
	_, err := w.Write(t.appendJSON(nil, t.shape, 0, t.Len()))
	return err
}

// MarshalJSON returns {"dtype": "float32", "shape": [1, 2], "data": [[1.0, 2.0]]}.
func (t *Tensor) MarshalJSON() ([]byte, error) {
	if t == nil {
		return []byte("null"), nil
	}
	b := fmt.Appendf(nil, `{"dtype":%q,"shape":%v,"data":`, t.dtype, t.shape)
	return append(t.appendJSON(b, t.shape, 0, t.Len()), '}'), nil
}

// UnmarshalJSON reads what MarshalJSON returns.
func (t *Tensor) UnmarshalJSON(text []byte) error {
	var v struct {
		DType string          `json:"dtype"`
		Shape Shape           `json:"shape"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	d, err := ParseDType(v.DType)
	if err != nil {
		return err
	}
	r, err := parseJSON(v.Data, d)
	if err != nil {
		return err
	}
	if v.Shape != nil && !v.Shape.Equal(r.shape) {
		// An empty list hides the dimensions behind it: [] is the data of [0,784].
		if r.Len() > 0 || len(v.Shape) < len(r.shape) || !v.Shape[:len(r.shape)].Equal(r.shape) {
			return fmt.Errorf("%w: the data are %v, the shape says %v", ErrShape, r.shape, v.Shape)
		}
		if r, err = r.Reshape(v.Shape...); err != nil {
			return err
		}
	}
	*t = *r
	return nil
}

// appendJSON appends elements from (inclusive) to (exclusive) as nested lists of the given shape.
func (t *Tensor) appendJSON(b []byte, shape Shape, from, to int) []byte {
	if len(shape) == 0 {
		return t.appendElement(b, from)
	}
	b = append(b, '[')
	step := (to - from) / max(shape[0], 1)
	for i := range shape[0] {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = t.appendJSON(b, shape[1:], from+i*step, from+(i+1)*step)
	}
	return append(b, ']')
}

func (t *Tensor) appendElement(b []byte, i int) []byte {
	switch d := t.dtype; {
	case d == String:
		return appendJSONString(b, t.strings[i])
	case d == Bool:
		return strconv.AppendBool(b, t.data[i] == 1)
	case d == Float64:
		return appendJSONFloat(b, at[float64](t, i), 64)
	case d.IsFloat():
		return appendJSONFloat(b, real(t.number(i).float), 32)
	case d == Complex64 || d == Complex128:
		c, bits := t.number(i).float, 4*d.Size()
		b = appendJSONFloat(append(b, '['), real(c), bits)
		return append(appendJSONFloat(append(b, ", "...), imag(c), bits), ']')
	default:
		return append(b, t.text(i)...)
	}
}

func appendJSONFloat(b []byte, f float64, bits int) []byte {
	switch {
	case f != f:
		return append(b, `"NaN"`...)
	case f-f != 0 && f > 0:
		return append(b, `"Infinity"`...)
	case f-f != 0:
		return append(b, `"-Infinity"`...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, bits)
	if !bytes.ContainsAny(b[start:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

func appendJSONString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		b = append(b, `{"b64": "`...)
		b = base64.StdEncoding.AppendEncode(b, []byte(s))
		return append(b, `"}`...)
	}
	var buffer bytes.Buffer
	e := json.NewEncoder(&buffer)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string in memory: nothing can fail
	return append(b, bytes.TrimRight(buffer.Bytes(), "\n")...)
}
