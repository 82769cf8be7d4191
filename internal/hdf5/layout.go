package hdf5

import "math/bits"

// Classes of layouts.
const (
	layoutCompact    = 0 // the elements are in the object header
	layoutContiguous = 1 // … in one piece of the file
	layoutChunked    = 2 // … in chunks that an index lists
	layoutVirtual    = 3 // … in other datasets
)

// Kinds of chunk indexes. The older layout message has only the first.
const (
	indexBTree1          = 0
	indexSingle          = 1
	indexImplicit        = 2
	indexFixedArray      = 3
	indexExtensibleArray = 4
	indexBTree2          = 5
)

// A layout says where a dataset's elements are.
type layout struct {
	class byte
	data  []byte // compact
	addr  uint64 // contiguous: of the elements; chunked: of the index
	size  uint64 // contiguous

	chunk             []uint64 // shape of a chunk
	elementSize       uint64   // that the chunks were made for
	index             byte
	partialUnfiltered bool   // chunks that stick out are not filtered
	single            chunk  // indexSingle: its size and filter mask
	singleFiltered    bool   // … are given
	chunkBytes        uint64 // of a chunk before filters
}

// parseLayout reads a data layout message of version 3
//
//	3 | 0 | size (2) | data
//	3 | 1 | address (8) | size (8)
//	3 | 2 | rank + 1 | address (8) | shape (4 each) | element size (4)
//
// or 4 and 5, which differ in the third:
//
//	4 | 2 | flags | rank + 1 | width | shape and element size (width each) |
//	index type | parameters of the index | address (8)
func parseLayout(data []byte) (layout, error) {
	d := &decoder{buf: data, what: "layout message"}
	version := d.u8()
	if d.err == nil && (version < 3 || version > 5) {
		return layout{}, unsupportedErrorf("layout message version %d (3 to 5 are read)", version)
	}
	l := layout{class: d.u8()}
	var err error
	switch {
	case l.class == layoutCompact:
		l.data = d.take(int(d.u16()))
	case l.class == layoutContiguous:
		l.addr, l.size = d.u64(), d.u64()
	case l.class == layoutChunked && version == 3:
		rank := int(d.u8()) - 1
		l.addr = d.u64()
		err = l.parseChunk(d, rank, 4)
	case l.class == layoutChunked:
		err = l.parseIndexedChunks(d)
	case l.class == layoutVirtual:
		return l, unsupportedErrorf("virtual dataset: its values are in other datasets; copy them into one")
	default:
		return l, formatErrorf("layout class %d", l.class)
	}
	if err == nil {
		err = d.err
	}
	return l, err
}

func (l *layout) parseChunk(d *decoder, rank, width int) error {
	if rank < 0 || rank > maxRank || width < 1 || width > 8 {
		return formatErrorf("chunks of rank %d, sizes of %d bytes", rank, width)
	}
	l.chunkBytes = 1
	for i := range rank + 1 {
		size := d.uint(width)
		if d.err == nil && size == 0 {
			return formatErrorf("a chunk's dimension is 0")
		}
		high, low := bits.Mul64(l.chunkBytes, size)
		if high > 0 {
			return formatErrorf("chunks of more than 2⁶⁴ bytes")
		}
		l.chunkBytes = low
		if i < rank {
			l.chunk = append(l.chunk, size)
		} else {
			l.elementSize = size
		}
	}
	return nil
}

func (l *layout) parseIndexedChunks(d *decoder) error {
	const partialUnfiltered, singleFiltered = 1, 2
	flags := d.u8()
	l.partialUnfiltered = flags&partialUnfiltered != 0
	rank, width := int(d.u8())-1, int(d.u8())
	if d.err != nil {
		return d.err
	}
	if err := l.parseChunk(d, rank, width); err != nil {
		return err
	}
	l.index = d.u8()
	switch l.index {
	case indexSingle:
		if l.singleFiltered = flags&singleFiltered != 0; l.singleFiltered {
			l.single.size, l.single.filterMask = d.u64(), d.u32()
		}
	case indexImplicit:
	case indexFixedArray:
		d.skip(1) // the index repeats these
	case indexExtensibleArray:
		d.skip(5)
	case indexBTree2:
		d.skip(6)
	default:
		if d.err == nil {
			return unsupportedErrorf("chunk index of type %d", l.index)
		}
	}
	l.addr = d.u64()
	return nil
}
