package hdf5

// undoLZF decompresses data of Marc Lehmann's LibLZF into out, as h5py's
// compression="lzf" writes it, and returns the part that was filled. It is a
// sequence of
//
//	000LLLLL  L + 1 literal bytes                                 L + 1 bytes
//	LLLOOOOO  O          copy L + 2 bytes from offset O + 1 back      2 bytes
//	111OOOOO  L  O       copy L + 9 bytes                             3 bytes
func undoLZF(out, data []byte) ([]byte, error) {
	n := 0
	d := &decoder{buf: data, what: "lzf"}
	for len(d.buf) > 0 && d.err == nil {
		control := int(d.u8())
		if control < 32 {
			literals := d.take(control + 1)
			if len(literals) > len(out)-n {
				return nil, formatErrorf("lzf: more than the %d bytes of a chunk", len(out))
			}
			n += copy(out[n:], literals)
			continue
		}
		length := control>>5 + 2
		if length == 7+2 {
			length += int(d.u8())
		}
		back := (control&31)<<8 + int(d.u8()) + 1
		if back > n || length > len(out)-n {
			return nil, formatErrorf("lzf: a copy of %d bytes from %d back at %d of %d", length, back, n, len(out))
		}
		for ; length > 0; length-- { // byte by byte: the two may overlap
			out[n] = out[n-back]
			n++
		}
	}
	return out[:n], d.err
}
