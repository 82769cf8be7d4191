package tensor

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// npyHeader is what a .npy file says before its elements: a Python dictionary such as
// {'descr': '<f4', 'fortran_order': False, 'shape': (1, 784), }.
type npyHeader struct {
	descr   npyDescr
	fortran bool
	shape   Shape
}

// npyDescr is NumPy's description of an element, '<f4': byte order, kind, bytes.
type npyDescr struct {
	text string
	big  bool
	kind byte // f, i, u, b, c, V (bfloat16), S (bytes), U (UTF-32)
	size int  // bytes of one element
}

// maxNPYHeader bounds the dictionary: numpy.load refuses more than 10,000 bytes.
const maxNPYHeader = 1 << 16

// readNPYHeader reads magic, version and dictionary (numpy/lib/format.py: versions 1.0, 2.0 and 3.0).
func readNPYHeader(r io.Reader) (npyHeader, error) {
	var start [12]byte
	if _, err := io.ReadFull(r, start[:8]); err != nil {
		return npyHeader{}, fmt.Errorf("%w: the .npy header ends early: %w", ErrFormat, err)
	}
	if string(start[:6]) != "\x93NUMPY" {
		return npyHeader{}, fmt.Errorf("%w: not a .npy file: it starts with %q, not \"\\x93NUMPY\"", ErrFormat, start[:6])
	}
	lengthBytes := 2
	switch major := start[6]; major {
	case 1:
	case 2, 3:
		lengthBytes = 4
	default:
		return npyHeader{}, fmt.Errorf("%w: .npy version %d.%d; 1.0, 2.0 and 3.0 are known", ErrFormat, major, start[7])
	}
	if _, err := io.ReadFull(r, start[8:8+lengthBytes]); err != nil {
		return npyHeader{}, fmt.Errorf("%w: the .npy header ends early: %w", ErrFormat, err)
	}
	length := uint(start[8]) | uint(start[9])<<8 | uint(start[10])<<16 | uint(start[11])<<24
	if length > maxNPYHeader {
		return npyHeader{}, fmt.Errorf("%w: a .npy header of %d bytes; at most %d are read", ErrFormat, length, maxNPYHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return npyHeader{}, fmt.Errorf("%w: the .npy header ends early: %w", ErrFormat, err)
	}
	return parseNPYHeader(string(text))
}

// parseNPYHeader parses the dictionary.
func parseNPYHeader(text string) (npyHeader, error) {
	p := &literal{text: text}
	h := npyHeader{}
	seen := map[string]bool{}
	for p.expect('{'); p.err == nil && !p.accept('}'); {
		key := p.str()
		p.expect(':')
		if seen[key] {
			p.fail("key " + strconv.Quote(key) + " stands there twice")
		}
		seen[key] = true
		switch key {
		case "descr":
			if p.next() == '[' || p.next() == '(' || p.next() == '{' {
				return h, fmt.Errorf("%w: a structured .npy array (descr %.60s); only plain arrays are read: save its fields one by one", ErrDType, strings.TrimSpace(p.rest()))
			}
			h.descr.text = p.str()
		case "fortran_order":
			h.fortran = p.boolean()
		case "shape":
			h.shape = p.tuple()
		default:
			p.fail("unknown key " + strconv.Quote(key))
		}
		if !p.accept(',') && p.next() != '}' {
			p.fail("a comma is missing")
		}
	}
	if p.err == nil && (len(seen) != 3 || p.next() != 0) {
		p.fail("it needs descr, fortran_order and shape, and nothing behind them")
	}
	if p.err != nil {
		return h, fmt.Errorf("%w: .npy header %.200q: %w", ErrFormat, strings.TrimSpace(text), p.err)
	}
	var err error
	h.descr, err = parseNPYDescr(h.descr.text)
	return h, err
}

// parseNPYDescr parses '<f4', '|S14', '>U3', '<V2' and the like.
func parseNPYDescr(text string) (npyDescr, error) {
	d := npyDescr{text: text}
	switch {
	case len(text) > 1 && text[1] == 'O', text == "O":
		return d, fmt.Errorf("%w: the .npy array holds pickled Python objects, which can run code when they are loaded; save it with a plain dtype (strings: astype('S'))", ErrDType)
	case len(text) < 3 || !strings.ContainsRune("<>=|", rune(text[0])):
		return d, fmt.Errorf("%w: .npy descr %.40q", ErrDType, text)
	}
	size, err := strconv.ParseUint(text[2:], 10, 28)
	d.big, d.kind, d.size = text[0] == '>' || (text[0] == '=' && bigEndian), text[1], int(size)
	if d.kind == 'U' {
		d.size *= 4
	}
	known := d.dtype() != Invalid
	if d.dtype() == String {
		known = size > 0
	}
	if err != nil || !known {
		return d, fmt.Errorf("%w: .npy descr %.40q; numbers, bool, bfloat16 ('<V2') and strings ('S', 'U') are read", ErrDType, text)
	}
	return d, nil
}

// dtype returns the element type that d describes, or Invalid.
func (d npyDescr) dtype() DType {
	switch string(d.kind) + strconv.Itoa(d.size) {
	case "b1":
		return Bool
	case "V2":
		return BFloat16
	}
	switch d.kind {
	case 'S', 'U':
		return String
	case 'f':
		return map[int]DType{2: Float16, 4: Float32, 8: Float64}[d.size]
	case 'c':
		return map[int]DType{8: Complex64, 16: Complex128}[d.size]
	case 'i':
		return map[int]DType{1: Int8, 2: Int16, 4: Int32, 8: Int64}[d.size]
	case 'u':
		return map[int]DType{1: Uint8, 2: Uint16, 4: Uint32, 8: Uint64}[d.size]
	default:
		return Invalid
	}
}

// npyDescrOf returns how NumPy describes elements of type d in little-endian order; "" if it cannot.
func npyDescrOf(d DType) string {
	switch d {
	case Bool:
		return "|b1"
	case BFloat16:
		return "<V2" // as ml_dtypes does
	case Float16, Float32, Float64:
		return "<f" + strconv.Itoa(d.Size())
	case Complex64, Complex128:
		return "<c" + strconv.Itoa(d.Size())
	case Int8, QInt8:
		return "|i1"
	case Uint8, QUint8:
		return "|u1"
	case Int16, Int32, Int64, QInt16, QInt32:
		return "<i" + strconv.Itoa(d.Size())
	case Uint16, Uint32, Uint64, QUint16:
		return "<u" + strconv.Itoa(d.Size())
	default:
		return ""
	}
}

// literal reads the few Python literals of a header; the first error sticks.
type literal struct {
	text string
	at   int
	err  error
}

func (p *literal) fail(why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s, at byte %d", why, p.at)
	}
}

// next returns the next byte that is not white space without taking it, 0 at the end.
func (p *literal) next() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *literal) accept(c byte) bool {
	if p.next() != c || p.err != nil {
		return false
	}
	p.at++
	return true
}

func (p *literal) expect(c byte) {
	if !p.accept(c) {
		p.fail("no " + strconv.QuoteRune(rune(c)))
	}
}

func (p *literal) rest() string { return p.text[p.at:] }

// str takes a string in either kind of quotes; there are no escapes in the ones that occur.
func (p *literal) str() string {
	quote := p.next()
	if quote != '\'' && quote != '"' {
		p.fail("no string")
		return ""
	}
	end := strings.IndexByte(p.text[p.at+1:], quote)
	if end < 0 {
		p.fail("a string without an end")
		return ""
	}
	s := p.text[p.at+1:][:end]
	p.at += end + 2
	return s
}

func (p *literal) boolean() bool {
	p.next()
	for word, value := range map[string]bool{"True": true, "False": false} {
		if strings.HasPrefix(p.rest(), word) {
			p.at += len(word)
			return value
		}
	}
	p.fail("neither True nor False")
	return false
}

// tuple takes (), (3,) or (3, 4); Python 2 wrote 3L.
func (p *literal) tuple() Shape {
	s := Shape{}
	for p.expect('('); p.err == nil && !p.accept(')'); {
		p.next()
		digits := len(p.rest()) - len(strings.TrimLeft(p.rest(), "0123456789"))
		n, err := strconv.ParseUint(p.rest()[:digits], 10, 63)
		if err != nil || n > math.MaxInt {
			p.fail("no dimension that an int holds")
			return nil
		}
		p.at += digits
		p.accept('L')
		s = append(s, int(n))
		if !p.accept(',') && p.next() != ')' {
			p.fail("a comma is missing")
		}
	}
	return s
}
