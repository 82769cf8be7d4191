package savedmodel

import (
	"encoding/binary"
	"fmt"
)

// snappyRatio bounds what a compressed block can grow to: a copy of 64 bytes takes 3.
const snappyRatio = 22

// decodeSnappy decompresses a block as some builds of TensorFlow wrote it (google/snappy, format_description.txt): the
// length of the result as a varint, then elements. The lowest two bits of an element's first byte tell its kind: 0 for bytes
// that stand there, 1 to 3 for bytes to be copied from the result so far.
func decodeSnappy(src []byte) ([]byte, error) {
	damaged := fmt.Errorf("%w: damaged compressed block", ErrMalformed)
	size, n := binary.Uvarint(src)
	if n <= 0 || size > uint64(snappyRatio*len(src)) {
		return nil, damaged
	}
	src = src[n:]
	dst := make([]byte, 0, size)
	for len(src) > 0 {
		tag := src[0]
		if tag&3 == 0 {
			length, rest, ok := literal(src)
			if !ok || length > len(rest) || length > cap(dst)-len(dst) {
				return nil, damaged
			}
			dst, src = append(dst, rest[:length]...), rest[length:]
			continue
		}
		var length, offset, used int
		switch {
		case tag&3 == 1 && len(src) >= 2:
			length, offset, used = 4+int(tag>>2&7), int(tag>>5)<<8|int(src[1]), 2
		case tag&3 == 2 && len(src) >= 3:
			length, offset, used = 1+int(tag>>2), int(binary.LittleEndian.Uint16(src[1:])), 3
		case tag&3 == 3 && len(src) >= 5:
			length, offset, used = 1+int(tag>>2), int(binary.LittleEndian.Uint32(src[1:])), 5
		}
		if offset == 0 || offset > len(dst) || length > cap(dst)-len(dst) {
			return nil, damaged
		}
		src = src[used:]
		for range length { // byte by byte: what is copied may be what was just written
			dst = append(dst, dst[len(dst)-offset])
		}
	}
	if len(dst) != int(size) {
		return nil, damaged
	}
	return dst, nil
}

// literal reads the length of an element that holds its bytes, and returns what follows.
func literal(src []byte) (length int, rest []byte, ok bool) {
	v := int(src[0] >> 2)
	rest = src[1:]
	if v < 60 {
		return v + 1, rest, true
	}
	n := v - 59 // bytes of the length
	if len(rest) < n {
		return 0, nil, false
	}
	var b [8]byte
	copy(b[:], rest[:n])
	return int(binary.LittleEndian.Uint64(b[:])) + 1, rest[n:], true
}
