package tensor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// jsonScanner goes through nested lists and hands each element to a function. encoding/json serves less well here: it
// refuses NaN, and cannot say where a list is ragged.
type jsonScanner struct {
	text    []byte
	at      int
	element func(jsonToken) error
	shape   Shape // of the first list at each depth; -1 while that list is open
	leaf    int   // the depth of the elements; -1 before the first one
	index   Shape // of the value at hand
}

// jsonToken is one element: a number, true, false, NaN …, or the value of a string.
type jsonToken struct {
	text   string
	quoted bool
}

// kind returns what the token stands for.
func (e jsonToken) kind() textKind {
	if e.quoted {
		return stringText
	}
	return kindOfText(e.text)
}

// store sets element i of t.
func (e jsonToken) store(t *Tensor, i int) error {
	isFloat := t.dtype.IsFloat() || t.dtype == Complex64 || t.dtype == Complex128
	switch {
	case t.dtype == String && !e.quoted:
		return fmt.Errorf("%w: %.40s is no string", ErrDType, e.text)
	case t.dtype != String && e.quoted && !(isFloat && jsonFloatNames[e.text]):
		return fmt.Errorf("%w: the string %.40q is no %v", ErrDType, e.text, t.dtype)
	default:
		return t.setText(i, e.text)
	}
}

var jsonFloatNames = map[string]bool{"NaN": true, "Infinity": true, "-Infinity": true}

// scan goes through the whole text and returns the shape of the lists.
func (s *jsonScanner) scan() (Shape, error) {
	s.at, s.shape, s.leaf, s.index = 0, Shape{}, -1, Shape{}
	if err := s.value(); err != nil {
		return nil, err
	}
	if s.next(); s.at < len(s.text) {
		return nil, s.malformed("there is more behind the value")
	}
	return s.shape, nil
}

// value takes a list or an element.
func (s *jsonScanner) value() error {
	depth := len(s.index)
	if s.next() == '[' {
		switch {
		case depth == MaxRank:
			return s.malformed("too many lists in each other")
		case depth == s.leaf:
			return s.ragged("is a list, others beside it are not")
		case depth == len(s.shape):
			s.shape = append(s.shape, -1)
		}
		return s.list(depth)
	}
	token, err := s.token()
	switch {
	case err != nil:
		return err
	case s.leaf < 0 && depth == len(s.shape):
		s.leaf = depth
	case s.leaf != depth:
		return s.ragged("is no list, others beside it are")
	}
	if err := s.element(token); err != nil {
		return fmt.Errorf("JSON: element %v: %w", s.index, err)
	}
	return nil
}

// list takes a list whose elements are at index[depth].
func (s *jsonScanner) list(depth int) error {
	s.at++
	s.index = append(s.index, 0)
	for s.next() != ']' {
		if s.index[depth] > 0 {
			if s.next() != ',' {
				return s.malformed("neither a comma nor the end of the list")
			}
			s.at++
		}
		if err := s.value(); err != nil {
			return err
		}
		s.index[depth]++
	}
	s.at++
	n := s.index[depth]
	s.index = s.index[:depth]
	if s.shape[depth] < 0 {
		s.shape[depth] = n
	} else if s.shape[depth] != n {
		return s.ragged(fmt.Sprintf("has %d elements, the ones before it have %d", n, s.shape[depth]))
	}
	return nil
}

// token takes an element.
func (s *jsonScanner) token() (jsonToken, error) {
	switch s.next() {
	case '"':
		text, err := s.str()
		return jsonToken{text, true}, err
	case '{':
		return s.base64()
	}
	rest := s.text[s.at:]
	if end := bytes.IndexAny(rest, ",]} \t\r\n"); end >= 0 {
		rest = rest[:end]
	}
	switch text := string(rest); {
	case jsonFloatNames[text], text != "null" && json.Valid(rest):
		s.at += len(rest)
		return jsonToken{text, false}, nil
	case len(rest) == 0:
		return jsonToken{}, s.malformed("a value is missing")
	default:
		return jsonToken{}, s.malformed(fmt.Sprintf("%.40q is neither a list nor a number, a string, true or false", text))
	}
}

// str takes a string.
func (s *jsonScanner) str() (string, error) {
	for end := s.at + 1; end < len(s.text); end++ {
		switch s.text[end] {
		case '\\':
			end++
		case '"':
			var text string
			quoted := s.text[s.at : end+1]
			if !utf8.Valid(quoted) {
				return "", s.malformed(`a string that is not UTF-8; write {"b64": "…"}`)
			}
			if err := json.Unmarshal(quoted, &text); err != nil {
				return "", s.malformed(err.Error())
			}
			s.at = end + 1
			return text, nil
		}
	}
	return "", s.malformed("a string without an end")
}

// base64 takes {"b64": "…"}.
func (s *jsonScanner) base64() (jsonToken, error) {
	var parts [2]string
	for i, before := range []byte("{:") {
		if s.next() != before {
			return jsonToken{}, s.malformed(`an object that is not {"b64": "…"}`)
		}
		s.at++
		if s.next() != '"' {
			return jsonToken{}, s.malformed(`an object that is not {"b64": "…"}`)
		}
		var err error
		if parts[i], err = s.str(); err != nil {
			return jsonToken{}, err
		}
	}
	data, err := base64.StdEncoding.DecodeString(parts[1])
	if s.next() != '}' || parts[0] != "b64" || err != nil {
		return jsonToken{}, s.malformed(`an object that is not {"b64": "…"} with base64 in it`)
	}
	s.at++
	return jsonToken{string(data), true}, nil
}

// next returns the next byte that is not white space without taking it, 0 at the end.
func (s *jsonScanner) next() byte {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return s.text[s.at]
		}
	}
	return 0
}

func (s *jsonScanner) malformed(why string) error {
	line := 1 + bytes.Count(s.text[:s.at], []byte("\n"))
	return fmt.Errorf("%w: JSON line %d, byte %d: %s", ErrFormat, line, s.at, why)
}

func (s *jsonScanner) ragged(how string) error {
	return fmt.Errorf("%w: the lists are ragged: %v %s", ErrShape, s.index, how)
}
