package hdf5

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// Filters by number.
const (
	filterDeflate    = 1
	filterShuffle    = 2
	filterFletcher32 = 3
	filterLZF        = 32000
)

// A filter is one step of what chunks went through when they were written.
type filter struct {
	id     uint16
	values []uint32 // its parameters
}

// parseFilters reads a filter pipeline message:
//
//	version 1 | filters | 0 (6)     or     version 2 | filters
//
// and for each
//
//	number (2) | length of name (2) | flags (2) | parameters (2) | name |
//	parameters (4 each)
//
// Version 1 pads the name to 8 bytes and an odd number of parameters;
// version 2 has no name, nor its length, for numbers below 256.
func parseFilters(data []byte) ([]filter, error) {
	d := &decoder{buf: data, what: "filter message"}
	version, n := d.u8(), int(d.u8())
	if d.err == nil && version != 1 && version != 2 {
		return nil, unsupportedErrorf("filter message version %d", version)
	}
	if n > 32 {
		return nil, formatErrorf("%d filters, the limit is 32", n)
	}
	if version == 1 {
		d.skip(6)
	}
	var filters []filter
	for range n {
		fl := filter{id: d.u16()}
		nameLength := 0
		if version == 1 || fl.id >= 256 {
			nameLength = int(d.u16())
		}
		d.skip(2)
		values := int(d.u16())
		if version == 1 {
			nameLength = (nameLength + 7) &^ 7
		}
		name := string(bytes.TrimRight(d.take(nameLength), "\x00"))
		for range values {
			if d.err == nil {
				fl.values = append(fl.values, d.u32())
			}
		}
		if version == 1 && values%2 == 1 {
			d.skip(4)
		}
		if d.err != nil {
			return nil, d.err
		}
		if err := fl.check(name); err != nil {
			return nil, err
		}
		filters = append(filters, fl)
	}
	return filters, nil
}

func (fl filter) check(name string) error {
	switch fl.id {
	case filterDeflate, filterFletcher32, filterLZF:
		return nil
	case filterShuffle:
		if len(fl.values) != 1 || fl.values[0] == 0 {
			return formatErrorf("shuffle filter with parameters %d", fl.values)
		}
		return nil
	}
	if known, ok := map[uint16]string{4: "szip", 5: "nbit", 6: "scaleoffset", 32001: "blosc", 32015: "zstd"}[fl.id]; ok {
		name = known
	}
	return unsupportedErrorf("filter %d %q (gzip, shuffle, fletcher32 and lzf are read); write the file again with one of those", fl.id, name)
}

// compresses reports whether any filter can make chunks smaller.
func compresses(filters []filter) bool {
	for _, fl := range filters {
		if fl.id == filterDeflate || fl.id == filterLZF {
			return true
		}
	}
	return false
}

// An unfilterer undoes filters, chunk after chunk, and keeps its memory.
type unfilterer struct {
	filters []filter
	inflate io.ReadCloser
	buffers [2][]byte // results go to one and then the other
}

// checksumRoom is what a filter can add to a chunk before it is compressed.
const checksumRoom = 4

// undo returns the chunk of size bytes that went into the filters from what
// came out of them, skipping those whose bit is set in mask. The result is
// valid until the next call.
func (u *unfilterer) undo(data []byte, mask uint32, size int) ([]byte, error) {
	for i := len(u.filters) - 1; i >= 0; i-- {
		if mask>>i&1 != 0 {
			continue
		}
		var err error
		switch fl := u.filters[i]; fl.id {
		case filterDeflate:
			data, err = u.undoDeflate(data, size)
		case filterLZF:
			data, err = undoLZF(u.buffer(size+checksumRoom*len(u.filters)), data)
		case filterShuffle:
			data = undoShuffle(u.buffer(len(data)), data, int(fl.values[0]))
		case filterFletcher32:
			data, err = undoFletcher32(data)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(data) != size {
		return nil, formatErrorf("a chunk has %d bytes, not %d", len(data), size)
	}
	return data, nil
}

// buffer returns a buffer of n bytes that the current data are not in.
func (u *unfilterer) buffer(n int) []byte {
	u.buffers[0], u.buffers[1] = u.buffers[1], u.buffers[0]
	if cap(u.buffers[0]) < n {
		u.buffers[0] = make([]byte, n)
	}
	u.buffers[0] = u.buffers[0][:n]
	return u.buffers[0]
}

// undoDeflate inflates data.
func (u *unfilterer) undoDeflate(data []byte, size int) (out []byte, err error) {
	in := bytes.NewReader(data)
	if u.inflate == nil {
		u.inflate, err = zlib.NewReader(in)
	} else {
		err = u.inflate.(zlib.Resetter).Reset(in, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: gzip: %w", ErrFormat, err)
	}
	out = u.buffer(size + checksumRoom*len(u.filters) + 1)
	n := 0
	for n < len(out) && err == nil {
		var read int
		read, err = u.inflate.Read(out[n:])
		n += read
	}
	switch {
	case n == len(out):
		return nil, formatErrorf("gzip: more than the %d bytes of a chunk", size)
	case !errors.Is(err, io.EOF): // at EOF the stream's checksum has been verified
		return nil, fmt.Errorf("%w: gzip: %w", ErrFormat, err)
	}
	return out[:n], nil
}

// undoShuffle puts together elements whose first bytes are all stored first,
// then all second bytes, and so on. A rest shorter than an element follows.
func undoShuffle(out, data []byte, elementSize int) []byte {
	n := len(data) / elementSize
	switch elementSize {
	case 4:
		a, b, c, d := data[:n], data[n:2*n], data[2*n:3*n], data[3*n:4*n]
		for i := range n {
			le.PutUint32(out[4*i:], uint32(a[i])|uint32(b[i])<<8|uint32(c[i])<<16|uint32(d[i])<<24)
		}
	default:
		for j := range elementSize {
			for i, c := range data[j*n : (j+1)*n] {
				out[i*elementSize+j] = c
			}
		}
	}
	copy(out[n*elementSize:], data[n*elementSize:])
	return out
}

// undoFletcher32 verifies and removes a checksum at the end of data.
func undoFletcher32(data []byte) ([]byte, error) {
	if len(data) < 4 {
		return nil, formatErrorf("fletcher32: %d bytes", len(data))
	}
	end := len(data) - 4
	if fletcher32(data[:end]) != le.Uint32(data[end:]) {
		return nil, formatErrorf("fletcher32: wrong checksum")
	}
	return data[:end], nil
}
