package hdf5

import "math"

// maxRank is the format's limit of a shape's length.
const maxRank = 32

// A dataspace is the shape of a dataset or attribute.
type dataspace struct {
	null   bool     // no elements at all, as h5py.Empty
	dims   []uint64 // empty: a scalar
	limits []uint64 // how far each dimension may grow; undefined: any
}

// parseDataspace reads
//
//	version 1 | rank | flags | 0 (5)     or
//	version 2 | rank | flags | type (0 scalar, 1 simple, 2 null)
//
// followed by rank sizes (8) and, if flags say so, rank limits (8).
func parseDataspace(data []byte) (dataspace, error) {
	d := &decoder{buf: data, what: "dataspace message"}
	version, rank, flags := d.u8(), int(d.u8()), d.u8()
	var s dataspace
	switch version {
	case 1:
		d.skip(5)
	case 2:
		s.null = d.u8() == 2
	default:
		return s, unsupportedErrorf("dataspace message version %d", version)
	}
	if rank > maxRank {
		return s, formatErrorf("rank %d, the limit is %d", rank, maxRank)
	}
	for range rank {
		s.dims = append(s.dims, d.u64())
	}
	s.limits = s.dims
	if flags&1 != 0 {
		s.limits = nil
		for i := range rank {
			limit := d.u64()
			if limit < s.dims[i] && d.err == nil {
				return s, formatErrorf("dimension %d of %d, over its limit of %d", i, s.dims[i], limit)
			}
			s.limits = append(s.limits, limit)
		}
	}
	return s, d.err
}

// elements is the number of elements; bytes says how many bytes of elements
// of a size the caller can hold, which bounds it.
func (s dataspace) elements(size int, bytes uint64) (int, error) {
	if s.null {
		return 0, nil
	}
	n := uint64(1)
	for _, d := range s.dims {
		if d == 0 {
			return 0, nil
		}
	}
	limit := min(bytes, math.MaxInt) / uint64(size)
	for _, d := range s.dims {
		if d > limit/n {
			return 0, formatErrorf("shape %v of %d-byte elements needs more than the %d bytes that there can be", s.dims, size, bytes)
		}
		n *= d
	}
	if n > limit {
		return 0, formatErrorf("an element of %d bytes, more than the %d that there can be", size, bytes)
	}
	return int(n), nil
}

// shape is dims as ints; elements has checked that they fit unless one is 0.
func (s dataspace) shape() ([]int, error) {
	shape := make([]int, len(s.dims))
	for i, d := range s.dims {
		if d > math.MaxInt {
			return nil, formatErrorf("dimension %d of %d", i, d)
		}
		shape[i] = int(d)
	}
	return shape, nil
}
