package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"unicode/utf8"
)

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// ReadNPY reads one array in NumPy's .npy format (versions 1.0 to 3.0, either byte order, C or Fortran order). Byte strings
// ('S') and Unicode strings ('U', which become UTF-8) make a String tensor, '<V2' is bfloat16 as ml_dtypes writes it.
// Pickled objects and structured arrays are refused. Memory grows with what is read, not with what the header promises.
// Bytes behind the array are left unread.
func ReadNPY(r io.Reader) (*Tensor, error) {
	h, err := readNPYHeader(r)
	if err != nil {
		return nil, err
	}
	n, err := sized(Complex128, h.shape) // the widest element
	if err != nil {
		return nil, fmt.Errorf("%w: .npy header: %w", ErrFormat, err)
	}
	data, err := readBytes(r, n, h.descr.size)
	if err != nil {
		return nil, fmt.Errorf("%w: .npy: %v of %s takes %d × %d bytes: %w", ErrFormat, h.shape, h.descr.text, n, h.descr.size, err)
	}
	if h.fortran {
		data = rowMajor(data, h.shape, h.descr.size)
	}
	return h.tensor(data)
}

// tensor makes a tensor of the elements in row-major order, in the file's byte order.
func (h npyHeader) tensor(data []byte) (*Tensor, error) {
	d := h.descr.dtype()
	switch {
	case d == String && h.descr.kind == 'S':
		return Of(byteStrings(data, h.descr.size), h.shape...)
	case d == String:
		s, err := unicodeStrings(data, h.descr.size, h.descr.big)
		if err != nil {
			return nil, err
		}
		return Of(s, h.shape...)
	case h.descr.big != bigEndian:
		swapBytes(data, d)
	}
	return FromBytes(d, data, h.shape...)
}

// WriteNPY writes t in NumPy's .npy format, version 1.0: in row-major, little-endian order. Strings become byte strings of
// the length of the longest ('S14'); one that ends in a zero byte is an error, for NumPy would cut it off. float8 and 4-bit
// integers have no description that NumPy reads back: Cast them first.
func WriteNPY(w io.Writer, t *Tensor) error {
	if t.DType() == String {
		return writeNPYStrings(w, t)
	}
	descr := npyDescrOf(t.DType())
	if descr == "" {
		return fmt.Errorf("%w: %v cannot be written as .npy; Cast it first", ErrDType, t)
	}
	if err := writeNPYHeader(w, descr, t.shape); err != nil {
		return err
	}
	data := t.data
	if bigEndian {
		data = bytes.Clone(data)
		swapBytes(data, t.dtype)
	}
	_, err := w.Write(data)
	return err
}

func writeNPYHeader(w io.Writer, descr string, shape Shape) error {
	dims := strings.Trim(strings.ReplaceAll(shape.String(), ",", ", "), "[]")
	if len(shape) == 1 {
		dims += ","
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	const start = 10 // magic, version, length
	length := (start+len(dict)+1+63)/64*64 - start
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	b.Write([]byte{byte(length), byte(length >> 8)})
	fmt.Fprintf(&b, "%-*s\n", length-1, dict)
	_, err := w.Write(b.Bytes())
	return err
}

func writeNPYStrings(w io.Writer, t *Tensor) error {
	longest := 1
	for i, s := range t.strings {
		longest = max(longest, len(s))
		if strings.HasSuffix(s, "\x00") {
			return fmt.Errorf("%w: string %s ends in a zero byte, which NumPy cuts off; write JSON", ErrDType, t.shape.index(i))
		}
	}
	if err := writeNPYHeader(w, fmt.Sprintf("|S%d", longest), t.shape); err != nil {
		return err
	}
	item := make([]byte, longest)
	for _, s := range t.strings {
		clear(item[copy(item, s):])
		if _, err := w.Write(item); err != nil {
			return err
		}
	}
	return nil
}

// readBytes reads n × size bytes. It allocates little more than what has arrived, whatever n is.
func readBytes(r io.Reader, n, size int) ([]byte, error) {
	if n > math.MaxInt/size {
		return nil, errors.New("more than any file holds")
	}
	total, data, grow := n*size, []byte(nil), 1<<20
	if left := remaining(r); left >= total {
		grow = total
	}
	for ; len(data) < total; grow = len(data) {
		part := alignedBytes(min(total, len(data)+grow))
		read, err := io.ReadFull(r, part[copy(part, data):])
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the file ends after %d: %w", len(data)+read, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, err
		}
		data = part
	}
	return data, nil
}

// remaining returns at most how many bytes r still holds, where it can tell.
func remaining(r io.Reader) int {
	switch r := r.(type) {
	case interface{ Len() int }:
		return r.Len()
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			return int(min(info.Size(), math.MaxInt))
		}
	}
	return 0
}

// rowMajor reorders elements of the given size from column-major (Fortran) to row-major (C) order.
func rowMajor(data []byte, shape Shape, size int) []byte {
	if len(shape) < 2 || len(data) == 0 {
		return data
	}
	strides, stride := make([]int, len(shape)), size
	for i, d := range shape {
		strides[i] = stride
		stride *= d
	}
	out, index, from := alignedBytes(len(data)), make([]int, len(shape)), 0
	for to := 0; to < len(out); to += size {
		copy(out[to:to+size], data[from:from+size])
		for d := len(shape) - 1; d >= 0; d-- {
			from += strides[d]
			if index[d]++; index[d] < shape[d] {
				break
			}
			from -= shape[d] * strides[d]
			index[d] = 0
		}
	}
	return out
}

// swapBytes turns the byte order of every element (of both parts of a complex one) around.
func swapBytes(data []byte, d DType) {
	width := d.Size()
	if d == Complex64 || d == Complex128 {
		width /= 2
	}
	for ; width > 1 && len(data) >= width; data = data[width:] {
		for i := range width / 2 {
			data[i], data[width-1-i] = data[width-1-i], data[i]
		}
	}
}

// byteStrings cuts data into strings of the given size, without the zero bytes that fill them up.
func byteStrings(data []byte, size int) []string {
	all := string(data)
	list := make([]string, len(data)/size)
	for i := range list {
		list[i] = strings.TrimRight(all[i*size:(i+1)*size], "\x00")
	}
	return list
}

// unicodeStrings is byteStrings for UTF-32, which becomes UTF-8.
func unicodeStrings(data []byte, size int, big bool) ([]string, error) {
	order := binary.ByteOrder(binary.LittleEndian)
	if big {
		order = binary.BigEndian
	}
	list, utf := make([]string, len(data)/size), []byte(nil)
	for i := range list {
		utf = utf[:0]
		for at := i * size; at < (i+1)*size; at += 4 {
			code := order.Uint32(data[at:])
			if code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
				return nil, fmt.Errorf("%w: .npy: string %d holds %#x, which is no Unicode character", ErrFormat, i, code)
			}
			utf = utf8.AppendRune(utf, rune(code))
		}
		list[i] = string(bytes.TrimRight(utf, "\x00"))
	}
	return list, nil
}
