package hdf5

import (
	"fmt"
	"math"
	"slices"
)

// A Dataset is an array of elements. Opening it reads only what describes
// them; the elements are read by ReadInto, Bytes, Strings and [ReadAll].
type Dataset struct {
	object
	dtype     Datatype
	space     dataspace
	shape     []int
	elements  int
	layout    layout
	filters   []filter
	fillValue []byte
}

// impliedBytes is how many bytes of elements a dataset may have that are not
// in the file because they were never written and have the fill value.
const impliedBytes = 64 << 20

// inflation is how much larger than the file compressed elements may be.
const inflation = 100

func newDataset(base object, messages messages) (*Dataset, error) {
	ds := &Dataset{object: base}
	if messages.has(msgExternalFiles) {
		return nil, unsupportedErrorf("external storage: the values are in other files; copy them into this one")
	}
	var err error
	if ds.dtype, err = ds.f.datatypeOf(messages); err != nil {
		return nil, err
	}
	m, err := messages.need(msgLayout, "layout message")
	if err != nil {
		return nil, err
	}
	if ds.layout, err = parseLayout(m.data); err != nil {
		return nil, err
	}
	if m, ok, err := messages.find(msgFilters); err != nil {
		return nil, err
	} else if ok {
		if m.shared() {
			return nil, unsupportedErrorf("shared filter message")
		}
		if ds.filters, err = parseFilters(m.data); err != nil {
			return nil, err
		}
	}
	if m, err = messages.need(msgDataspace, "dataspace message"); err != nil {
		return nil, err
	}
	if m.shared() {
		return nil, unsupportedErrorf("shared dataspace")
	}
	if ds.space, err = parseDataspace(m.data); err != nil {
		return nil, err
	}
	if ds.dtype.Class != ClassVarLen { // whose fill value is in memory's form
		if ds.fillValue, err = parseFillValue(messages, ds.dtype.Size); err != nil {
			return nil, err
		}
	}
	return ds, ds.check()
}

// check compares what the messages say with each other and with the file's
// size, so that callers can take memory for the elements.
func (ds *Dataset) check() (err error) {
	l, limit := &ds.layout, uint64(impliedBytes)+ds.f.size
	if compresses(ds.filters) {
		limit = impliedBytes + inflation*min(ds.f.size, math.MaxInt64/inflation/2)
	}
	if ds.elements, err = ds.space.elements(ds.dtype.Size, limit); err != nil {
		return err
	}
	if ds.shape, err = ds.space.shape(); err != nil {
		return err
	}
	n := uint64(ds.NumBytes())
	switch {
	case l.class != layoutChunked && len(ds.filters) > 0:
		return formatErrorf("filters without chunks")
	case l.class == layoutCompact && uint64(len(l.data)) != n && !ds.space.null:
		return formatErrorf("compact layout with %d bytes for %d", len(l.data), n)
	case l.class == layoutContiguous && l.addr != undefined:
		if l.size != n {
			return formatErrorf("contiguous layout with %d bytes for %d", l.size, n)
		}
		return ds.f.checkRange(l.addr, n)
	case l.class != layoutChunked:
		return nil
	case len(l.chunk) != len(ds.space.dims) || l.elementSize != uint64(ds.dtype.Size):
		return formatErrorf("chunks of shape %v and %d-byte elements for a dataset of shape %v and %d", l.chunk, l.elementSize, ds.shape, ds.dtype.Size)
	case l.chunkBytes > limit:
		return formatErrorf("chunks of %d bytes, more than the %d that there can be", l.chunkBytes, limit)
	}
	return nil
}

// Datatype returns the type of the elements.
func (ds *Dataset) Datatype() Datatype { return ds.dtype }

// Shape returns the lengths of the dimensions, none for a scalar.
func (ds *Dataset) Shape() []int { return slices.Clone(ds.shape) }

// IsNull reports whether the dataset has no value at all, as h5py.Empty,
// which is not the same as an empty array.
func (ds *Dataset) IsNull() bool { return ds.space.null }

// Len returns the number of elements: 1 for a scalar, 0 if IsNull.
func (ds *Dataset) Len() int { return ds.elements }

// NumBytes returns the size of all elements. It has been compared with the
// size of the file, so a buffer of this size can be made without fear: it is
// at most the file's size plus 64 MiB, or 100 times the file's size plus
// 64 MiB if the elements are compressed.
func (ds *Dataset) NumBytes() int { return ds.elements * ds.dtype.Size }

func (ds *Dataset) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("dataset %s: %w", ds.path, err)
}
