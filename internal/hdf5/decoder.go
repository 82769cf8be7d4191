package hdf5

// undefined is the address that HDF5 stores where there is nothing.
const undefined = ^uint64(0)

// A decoder walks over the little-endian fields of one block of metadata.
// The first read past the end sets err; later reads return zeros, so that a
// parser checks err once, after its last field.
type decoder struct {
	buf  []byte
	what string // for the error: "datatype message"
	err  error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.buf) {
		d.fail()
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = formatErrorf("%s ends early", d.what)
	}
}

func (d *decoder) skip(n int) { d.take(n) }

func (d *decoder) u8() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return le.Uint16(b)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return le.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return le.Uint64(b)
	}
	return 0
}

// uint reads an unsigned integer of n ≤ 8 bytes.
func (d *decoder) uint(n int) uint64 { return uintLE(d.take(n)) }

// cstring reads a NUL-terminated string; with pad 8 the field, terminator
// included, is a multiple of 8 bytes.
func (d *decoder) cstring(pad int) string {
	for i, c := range d.buf {
		if c == 0 {
			s := string(d.buf[:i])
			d.skip((i + pad) / pad * pad)
			return s
		}
	}
	d.fail()
	return ""
}

// uintLE is the little-endian unsigned integer in b, at most 8 bytes.
func uintLE(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}
