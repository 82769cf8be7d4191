package hdf5

// parseFillValue returns the element that stands for those never written,
// nil if it is all zeros.
func parseFillValue(messages messages, elementSize int) ([]byte, error) {
	m, ok, err := messages.find(msgFillValue)
	if err != nil {
		return nil, err
	}
	d := &decoder{buf: m.data, what: "fill value message"}
	if ok {
		ok, err = skipToFillValue(d)
	} else if m, ok, err = messages.find(msgOldFillValue); ok {
		d.buf = m.data
	}
	switch {
	case err != nil:
		return nil, err
	case m.shared():
		return nil, unsupportedErrorf("shared fill value")
	case !ok:
		return nil, d.err
	}
	size := int(d.u32())
	if d.err != nil || size == 0 {
		return nil, d.err
	}
	value := d.take(size)
	if d.err == nil && size != elementSize {
		return nil, formatErrorf("fill value of %d bytes for elements of %d", size, elementSize)
	}
	return value, d.err
}

// skipToFillValue reads what comes before the size (4) and the value and says
// whether there are any:
//
//	version 1 or 2 | when to allocate | when to write | defined     or
//	version 3 | flags
func skipToFillValue(d *decoder) (defined bool, err error) {
	switch version := d.u8(); version {
	case 1, 2:
		d.skip(2)
		defined = d.u8() != 0 || version == 1
	case 3:
		defined = d.u8()&0x20 != 0
	default:
		err = unsupportedErrorf("fill value message version %d", version)
	}
	return defined, err
}

// fill sets all elements of dst to value.
func fill(dst, value []byte) {
	if len(value) == 0 || len(dst) == 0 {
		clear(dst)
		return
	}
	for n := copy(dst, value); n < len(dst); n *= 2 {
		copy(dst[n:], dst[:n])
	}
}
